//! Random streams, one per purpose and entity.
//!
//! Every source of chance draws from its own stream, seeded by the run's seed,
//! what the draw is for and whose it is (by name, not by index). Adding a node,
//! a link or a fault therefore never shifts what another entity draws.
//!
//! The generator is xoshiro256++ (Blackman and Vigna 2018), the same on every
//! platform. `SmallRng` is not (32-bit targets get another generator), nor are
//! draws of `usize`: neither is used here.

use rand::Rng;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// What a stream is drawn for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Purpose {
    /// Gaps between arrivals of one client.
    Arrival = 1,
    /// Which key an operation is about.
    Key = 2,
    /// Whether it reads or writes.
    Kind = 3,
    /// How large its payload is.
    Size = 4,
    /// Whether a heated key takes it.
    Heat = 5,
    /// How long a machine takes to serve a message.
    Service = 6,
    /// How long a disk takes.
    Disk = 7,
    /// How long a message travels on one link.
    Delay = 8,
    /// Whether a message on one link is lost.
    Loss = 9,
    /// Whether a message on one link is duplicated, and how late.
    Duplication = 10,
    /// How much later a fault makes a message on one link.
    FaultDelay = 11,
    /// What a protocol itself draws (peer selection and the like).
    Protocol = 12,
    /// Which endpoint a client talks to.
    Endpoint = 13,
    /// How wrong a clock is from the start.
    Clock = 14,
    /// Tokens of a ring node.
    Token = 15,
    /// Options of a swarm run.
    Swarm = 16,
    /// Whom a node knows when it joins.
    Overlay = 17,
    /// How long after a write a client reads it.
    Probe = 18,
}

/// A random stream.
#[derive(Clone, Debug)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream of `entity` for `purpose` in the run with `seed`.
    pub fn new(seed: u64, purpose: Purpose, entity: u64) -> Stream {
        let mixed = mix(mix(mix(seed) ^ purpose as u64) ^ entity);
        Stream(Xoshiro256PlusPlus::seed_from_u64(mixed))
    }

    /// The stream of an entity known by name.
    pub fn named(seed: u64, purpose: Purpose, entity: &str) -> Stream {
        Stream::new(seed, purpose, name_hash(entity))
    }

    #[inline(always)]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1), 53 bits.
    #[inline(always)]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in (0, 1]: safe to take the logarithm of.
    #[inline(always)]
    pub fn unit_positive(&mut self) -> f64 {
        1.0 - self.unit()
    }

    /// Uniform in 0..bound (Lemire's multiply-shift on 32 bits; its bias is below bound / 2^32).
    #[inline(always)]
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.next_u64() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// True with the given probability; draws only if it is not certain.
    #[inline(always)]
    pub fn chance(&mut self, probability: f64) -> bool {
        probability >= 1.0 || (probability > 0.0 && self.unit() < probability)
    }

    /// Exponential with mean 1.
    #[inline(always)]
    pub fn exponential(&mut self) -> f64 {
        -libm::log(self.unit_positive())
    }

    /// Standard normal (Box–Muller, one of the pair).
    #[inline(always)]
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.unit_positive()));
        radius * libm::cos(2.0 * std::f64::consts::PI * self.unit())
    }
}

/// SplitMix64's finaliser (Steele, Lea, Flood 2014): a bijection that mixes all bits.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// FNV-1a, 64 bits: a stable hash of a name.
pub fn name_hash(name: &str) -> u64 {
    bytes_hash(name.as_bytes())
}

/// FNV-1a, 64 bits, of any bytes.
pub fn bytes_hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
