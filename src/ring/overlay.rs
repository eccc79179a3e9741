//! The overlay: whom a node talks to.
//!
//! Each node has so many neighbours at most, chosen when it joins: it puts itself
//! into a link between two nodes that know each other, and takes a further one who
//! has room (as in Bourassa and Holt, "SWAN", 2003). Knowing is mutual, and the
//! overlay is connected; rumours need a number of rounds that grows with the
//! logarithm of its size. While a neighbour is believed dead, another node that
//! was heard of and is believed alive stands in for it.
//!
//! Simplified: joining itself is not simulated: the overlay is as if all had joined
//! one after the other before the run, and a node that restarts comes back to the same
//! neighbours. Standing in is not mutual: whoever is asked answers.

use crate::engine::Stream;

/// Whom one node talks to.
#[derive(Clone, Debug)]
pub struct Overlay {
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    neighbour: u16,
    stand_in: Option<u16>,
}

impl Overlay {
    pub fn new(neighbours: &[u16]) -> Overlay {
        Overlay {
            places: neighbours
                .iter()
                .map(|neighbour| Place { neighbour: *neighbour, stand_in: None })
                .collect(),
        }
    }

    /// Whom it talks to now: the neighbours, or who stands in for them.
    pub fn now(&self) -> impl Iterator<Item = u16> + '_ {
        self.places.iter().map(|place| place.stand_in.unwrap_or(place.neighbour))
    }

    /// Each neighbour with who stands in for it.
    pub fn places(&self) -> impl Iterator<Item = (u16, Option<u16>)> + '_ {
        self.places.iter().map(|place| (place.neighbour, place.stand_in))
    }

    /// Sets someone in for each neighbour that is dead, out of `candidates`, and takes back who returned.
    pub fn keep_alive(
        &mut self,
        is_alive: impl Fn(u16) -> bool,
        candidates: impl Fn() -> Vec<u16>,
        random: &mut Stream,
    ) {
        for at in 0..self.places.len() {
            let Place { neighbour, stand_in } = self.places[at];
            if is_alive(neighbour) {
                self.places[at].stand_in = None;
            } else if stand_in.is_none_or(|node| !is_alive(node)) {
                self.places[at].stand_in = None;
                let mut free = candidates();
                free.retain(|node| !self.now().any(|known| known == *node));
                if !free.is_empty() {
                    self.places[at].stand_in = Some(free[random.below(free.len() as u32) as usize]);
                }
            }
        }
    }
}

/// The neighbours of each of `nodes` that have joined one after the other, `limit` each at most.
pub fn joined(nodes: usize, limit: usize, random: &mut Stream) -> Vec<Vec<u16>> {
    let mut known: Vec<Vec<u16>> = vec![Vec::new(); nodes];
    for new in 1..nodes {
        join(&mut known, new, limit, random);
    }
    known
}

fn join(known: &mut [Vec<u16>], new: usize, limit: usize, random: &mut Stream) {
    while known[new].len() < limit {
        let is_free = |node: &usize| known[*node].len() < limit && !known[*node].contains(&(new as u16));
        let free: Vec<usize> = (0..new).filter(is_free).collect();
        if !free.is_empty() {
            let node = free[random.below(free.len() as u32) as usize];
            known[new].push(node as u16);
            known[node].push(new as u16);
            continue;
        }
        // Everybody has as many as may be: it goes between two of them.
        let is_between = |node: usize, other: &u16| {
            let fresh = |one: usize| !known[one].contains(&(new as u16));
            usize::from(*other) > node && fresh(node) && fresh(usize::from(*other))
        };
        let links: Vec<(usize, usize)> = (0..new)
            .flat_map(|node| known[node].iter().map(move |other| (node, *other)))
            .filter(|(node, other)| is_between(*node, other))
            .map(|(node, other)| (node, usize::from(other)))
            .collect();
        if known[new].len() + 2 > limit || links.is_empty() {
            return;
        }
        let (one, other) = links[random.below(links.len() as u32) as usize];
        for (node, former) in [(one, other), (other, one)] {
            let place = known[node].iter().position(|peer| usize::from(*peer) == former);
            known[node][place.expect("knowing is mutual")] = new as u16;
            known[new].push(node as u16);
        }
    }
}

/// How many parts an overlay is in, and a part of each node: `links` go from node to node, both ways.
/// Nodes that are not `there` are in none.
pub fn parts(there: &[bool], links: impl Iterator<Item = (u16, u16)>) -> (u16, Vec<Option<u16>>) {
    let mut next: Vec<Vec<u16>> = vec![Vec::new(); there.len()];
    for (from, to) in links.filter(|(from, to)| there[usize::from(*from)] && there[usize::from(*to)]) {
        next[usize::from(from)].push(to);
        next[usize::from(to)].push(from);
    }
    let mut part_of: Vec<Option<u16>> = vec![None; there.len()];
    let mut count = 0;
    for start in 0..there.len() {
        if !there[start] || part_of[start].is_some() {
            continue;
        }
        part_of[start] = Some(count);
        let mut reached = vec![start as u16];
        while let Some(node) = reached.pop() {
            for peer in &next[usize::from(node)] {
                if part_of[usize::from(*peer)].is_none() {
                    part_of[usize::from(*peer)] = Some(count);
                    reached.push(*peer);
                }
            }
        }
        count += 1;
    }
    (count, part_of)
}
