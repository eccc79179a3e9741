//! Recorded traffic as a web server's access log, in the common or combined format:
//!
//! ```text
//! host ident user [10/Oct/2000:13:55:36 -0700] "GET /path?query HTTP/1.0" 200 2326 "referer" "agent"
//! ```
//!
//! `GET` and `HEAD` read the path, other methods write it. The key is the path
//! without its query: what is asked of one resource is one key. Every status
//! counts, for the server was asked all the same. What stands before the time
//! (a user's name may hold blanks) and after the size is passed over.

use super::{Entry, quoted, size};
use std::borrow::Cow;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// Brackets before the time that are tried; user names seldom hold one.
const BRACKETS_MAX: usize = 8;
/// Longest name of a method.
const METHOD_CHARS_MAX: usize = 32;

/// What a line says, or why it cannot be read.
pub(super) fn read(line: &str) -> Result<Entry<'_>, String> {
    let (time_ms, rest) = time(line)?;
    let request = rest.trim_start().strip_prefix('"').ok_or("has no request in quotes after the time")?;
    let end = closing_quote(request).ok_or("the quote round the request is not closed")?;
    let (request, rest) = (&request[..end], &request[end + 1..]);
    let (is_write, path) = split_request(request)?;
    let mut after = rest.split_ascii_whitespace();
    let status = after.next().ok_or("has no status after the request")?;
    if status != "-" && !(status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(format!("the status is {}; it must be three digits", quoted(status)));
    }
    let bytes = size(after.next().ok_or("has no size after the status")?)?;
    Ok(Entry { time_ms, key: key(path)?, is_write, bytes })
}

/// The time in brackets, and what follows it.
fn time(line: &str) -> Result<(f64, &str), String> {
    let mut reason = "has no time in brackets, such as [10/Oct/2000:13:55:36 -0700]".to_string();
    for (place, _) in line.match_indices('[').take(BRACKETS_MAX) {
        let inside = &line[place + 1..];
        let Some(end) = inside.find(']') else { break };
        match seconds(&inside[..end]) {
            // There must be a host before it.
            Some(seconds) if !line[..place].trim().is_empty() => {
                return Ok((seconds as f64 * 1_000.0, &inside[end + 1..]));
            }
            Some(_) => reason = "has no host before the time".to_string(),
            None => {
                let found = quoted(&inside[..end]);
                reason = format!("the time is {found}; it must be such as 10/Oct/2000:13:55:36 -0700");
            }
        }
    }
    Err(reason)
}

/// Seconds since 1970 in universal time of `10/Oct/2000:13:55:36 -0700`.
fn seconds(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once(':')?;
    let mut parts = date.split('/');
    let (day, month, year) = (digits(parts.next()?, 2)?, parts.next()?, digits(parts.next()?, 4)?);
    if parts.next().is_some() || !month.is_ascii() {
        return None;
    }
    let month = MONTHS.iter().position(|name| month.eq_ignore_ascii_case(name))? as i64 + 1;
    let (clock, zone) = clock.split_once(' ').unwrap_or((clock, "+0000"));
    let mut parts = clock.split(':');
    let (hour, minute, second) =
        (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    // A leap second is written as 60.
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if year < 1970 || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let local = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(local - zone_seconds(zone)?)
}

/// Seconds east of universal time of `-0700`.
fn zone_seconds(zone: &str) -> Option<i64> {
    let (sign, digits_only) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    if digits_only.len() != 4 {
        return None;
    }
    let number = digits(digits_only, 4)?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours <= 14 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// A number of one to `most` digits and nothing else.
fn digits(text: &str, most: usize) -> Option<i64> {
    let fits = !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1 January 1970 in the Gregorian calendar, for years from 1970 on
/// (Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year - era * 400;
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The place of the quote that ends a text; a quote after a backslash does not.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(place),
            _ => {}
        }
    }
    None
}

/// Whether a request line writes, and its target.
fn split_request(request: &str) -> Result<(bool, &str), String> {
    let garbage = || format!("the request is {}; it must be such as GET /path HTTP/1.1", quoted(request));
    let (method, rest) = request.trim().split_once(' ').ok_or_else(garbage)?;
    let is_method = method.len() <= METHOD_CHARS_MAX
        && method.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'));
    if method.is_empty() || !is_method {
        return Err(garbage());
    }
    let rest = rest.trim();
    // A path may hold blanks, where a client did not escape them.
    let target = match rest.rsplit_once(' ') {
        Some((target, protocol)) if protocol.starts_with("HTTP/") => target.trim(),
        // Version 0.9 has no protocol; anything but a path is then no request.
        _ if rest.starts_with('/') => rest,
        _ => return Err(garbage()),
    };
    if target.is_empty() {
        return Err(garbage());
    }
    let reads = method.eq_ignore_ascii_case("GET") || method.eq_ignore_ascii_case("HEAD");
    Ok((!reads, target))
}

/// The resource that a target names: its path, without host, query and fragment.
fn key(target: &str) -> Result<Cow<'_, str>, String> {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            rest.find(['/', '?', '#']).map_or("/", |start| &rest[start..])
        }
        _ => target,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    match path {
        // `?query` alone asks for the root.
        "" if target.starts_with('#') => Err("the path is empty".to_string()),
        "" => Ok(Cow::Borrowed("/")),
        _ => Ok(Cow::Borrowed(path)),
    }
}
