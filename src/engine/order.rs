//! Sorting, compiled once.
//!
//! The standard library's sort is several kilobytes for every type that it
//! sorts, and the page is downloaded. Everything large is sorted here, by a
//! number: keys with their places.

/// The places 0 to `count` in order of their keys; equal keys stay in order of place.
pub fn places_by(count: usize, key: impl Fn(usize) -> u64) -> Vec<u32> {
    let mut keyed: Vec<(u64, u32)> = (0..count).map(|place| (key(place), place as u32)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, place)| place).collect()
}

/// The values in order.
pub fn ascending(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut keyed: Vec<(u64, u32)> = values.map(|value| (value, 0)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(value, _)| value).collect()
}

/// A key that orders numbers as they are ordered; NaN is last.
pub fn key_of(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// A key that orders signed numbers.
pub fn key_of_signed(number: i64) -> u64 {
    number as u64 ^ 1 << 63
}
