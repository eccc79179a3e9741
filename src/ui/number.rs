//! Numbers as people read them: thousands separated, units named, no more digits than matter.

/// `12,304`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What happens so often a second: `3,912/s`, `0.4/s`.
pub fn per_second(value: f64) -> String {
    if value > 0.0 && value < 10.0 { format!("{value:.1}/s") } else { format!("{}/s", count(whole(value))) }
}

/// A time in milliseconds: `0.31 ms`, `9.1 ms`, `212 ms`, `1.24 s`. A dash where there is none.
pub fn milliseconds(value: f64) -> String {
    match value {
        _ if !value.is_finite() => "–".to_string(),
        _ if value >= 10_000.0 => format!("{:.1} s", value / 1_000.0),
        _ if value >= 1_000.0 => format!("{:.2} s", value / 1_000.0),
        _ if value >= 100.0 => format!("{value:.0} ms"),
        _ if value >= 1.0 => format!("{value:.1} ms"),
        _ if value <= 0.0 => "0 ms".to_string(),
        _ => format!("{value:.2} ms"),
    }
}

/// Dollars: `$1,904`, `$0.41`.
pub fn dollars(value: f64) -> String {
    if value < 10.0 { format!("${:.2}", value.max(0.0)) } else { format!("${}", count(whole(value))) }
}

/// A point in simulated time, in seconds to the millisecond: `12.304`.
pub fn clock(time_ns: u64) -> String {
    format!("{}.{:03}", count(time_ns / 1_000_000_000), time_ns / 1_000_000 % 1_000)
}

/// A simulated span in seconds, without needless zeros: `30`, `7.5`.
pub fn seconds(span_ns: u64) -> String {
    let tenths = span_ns / 100_000_000;
    if tenths.is_multiple_of(10) {
        count(tenths / 10)
    } else {
        format!("{}.{}", count(tenths / 10), tenths % 10)
    }
}

/// Simulated seconds per real second: `1/200×`, `1×`, `2.5×`, `40×`.
pub fn speed(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.0}×")
    } else if value >= 0.95 {
        let tenths = (value * 10.0).round() / 10.0;
        if tenths.fract() == 0.0 { format!("{tenths:.0}×") } else { format!("{tenths:.1}×") }
    } else if value > 0.0 {
        format!("1/{}×", count(whole(1.0 / value)))
    } else {
        "0×".to_string()
    }
}

/// `9f3c…a1e0`.
pub fn short_hash(hash: u64) -> String {
    format!("{:04x}…{:04x}", hash >> 48, hash & 0xffff)
}

/// `1 message`, `41 messages`.
pub fn many(value: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(value), if value == 1 { one } else { more })
}

fn whole(value: f64) -> u64 {
    // `as` saturates, and makes nothing of NaN.
    (value + 0.5) as u64
}
