//! The event queue: what happens next, and in which order.
//!
//! A four-ary min-heap of 16-byte keys; the events themselves stand still in a
//! slab. A key is the time and, for ties, the sequence number of the insertion,
//! so that events of one nanosecond come out first in, first out. The slab's
//! slot is packed below the sequence number, which keeps the key at two words:
//! 128-bit integer keys were measured to cost three times more in WebAssembly.
//!
//! Nothing is ever deleted from the middle. An event that lost its meaning (a
//! timer of a crashed process) carries the fact that made it valid and is
//! recognised when it comes out.

use super::time::SimTime;

const SLOT_BITS: u32 = 22;

/// Most events that can be pending at once, about four million.
pub const PENDING_EVENTS_MAX: usize = 1 << SLOT_BITS;
/// Most events that can be pending when the network adds a message; the rest is
/// kept for timers and completions, which cannot be dropped.
pub const PENDING_BEFORE_MESSAGE_MAX: usize = PENDING_EVENTS_MAX / 4 * 3;

#[derive(Clone, Copy)]
struct Key {
    time: u64,
    /// Sequence number in the upper 42 bits, slot in the lower 22.
    order: u64,
}

impl Key {
    #[inline(always)]
    fn before(self, other: Key) -> bool {
        // Without branches: which of two events is earlier is a coin toss, which
        // no branch predictor guesses.
        (self.time < other.time) | ((self.time == other.time) & (self.order < other.order))
    }
}

/// A priority queue of events, ordered by time and then by insertion.
#[derive(Clone)]
pub struct EventQueue<E> {
    heap: Vec<Key>,
    slab: Vec<Option<E>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<E> Default for EventQueue<E> {
    fn default() -> Self {
        EventQueue { heap: Vec::new(), slab: Vec::new(), free: Vec::new(), sequence: 0 }
    }
}

impl<E> EventQueue<E> {
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Whether a message can be taken; at this bound the network drops.
    #[inline(always)]
    pub fn has_room(&self) -> bool {
        self.heap.len() < PENDING_BEFORE_MESSAGE_MAX
    }

    /// The time of the next event.
    #[inline(always)]
    pub fn next_time(&self) -> Option<SimTime> {
        self.heap.first().map(|key| SimTime(key.time))
    }

    /// Adds an event.
    ///
    /// # Panics
    /// If [`PENDING_EVENTS_MAX`] events are pending already: callers that a
    /// user can drive there ask [`has_room`](Self::has_room) first.
    #[inline(always)]
    pub fn push(&mut self, time: SimTime, event: E) {
        assert!(
            self.heap.len() < PENDING_EVENTS_MAX,
            "event queue: more than {PENDING_EVENTS_MAX} events pending"
        );
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slab[slot as usize] = Some(event);
                slot
            }
            None => {
                self.slab.push(Some(event));
                (self.slab.len() - 1) as u32
            }
        };
        let key = Key { time: time.0, order: self.sequence << SLOT_BITS | u64::from(slot) };
        self.sequence += 1;
        debug_assert!(self.sequence < 1 << (64 - SLOT_BITS), "event queue: sequence numbers used up");
        self.heap.push(key);
        self.sift_up(self.heap.len() - 1);
    }

    /// Takes the earliest event.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<(SimTime, E)> {
        let first = *self.heap.first()?;
        let last = self.heap.pop().expect("a heap with a first key has a last one");
        if !self.heap.is_empty() {
            self.heap[0] = last;
            self.sift_down();
        }
        let slot = (first.order & (PENDING_EVENTS_MAX as u64 - 1)) as u32;
        let event = self.slab[slot as usize].take().expect("a key in the heap has its event in the slab");
        self.free.push(slot);
        Some((SimTime(first.time), event))
    }

    /// All pending events in no particular but deterministic order, with their times.
    pub fn iter(&self) -> impl Iterator<Item = (SimTime, &E)> {
        self.heap.iter().filter_map(|key| {
            let slot = (key.order & (PENDING_EVENTS_MAX as u64 - 1)) as usize;
            self.slab[slot].as_ref().map(|event| (SimTime(key.time), event))
        })
    }

    fn sift_up(&mut self, mut at: usize) {
        let heap = &mut self.heap[..];
        let key = heap[at];
        while at > 0 {
            let parent = (at - 1) / 4;
            if !key.before(heap[parent]) {
                break;
            }
            heap[at] = heap[parent];
            at = parent;
        }
        heap[at] = key;
    }

    fn sift_down(&mut self) {
        let heap = &mut self.heap[..];
        let key = heap[0];
        let mut at = 0;
        loop {
            let first_child = at * 4 + 1;
            let least = match heap.get(first_child..) {
                Some([a, b, c, d, ..]) => {
                    let ab = b.before(*a);
                    let cd = d.before(*c);
                    let (left, right) = (if ab { *b } else { *a }, if cd { *d } else { *c });
                    first_child + if right.before(left) { 2 + usize::from(cd) } else { usize::from(ab) }
                }
                Some([first, others @ ..]) => {
                    let (mut least, mut place) = (*first, first_child);
                    for (distance, other) in others.iter().enumerate() {
                        if other.before(least) {
                            (least, place) = (*other, first_child + 1 + distance);
                        }
                    }
                    place
                }
                _ => break,
            };
            if !heap[least].before(key) {
                break;
            }
            heap[at] = heap[least];
            at = least;
        }
        heap[at] = key;
    }
}
