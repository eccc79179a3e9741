//! Numbers as reports write them: thousands apart, so many digits as matter.

/// A number with so many digits after the point.
pub fn decimals(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    match text.split_once('.') {
        Some((left, right)) => format!("{}.{right}", grouped(left)),
        None => grouped(&text),
    }
}

/// A whole number with its thousands apart.
pub fn whole(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
