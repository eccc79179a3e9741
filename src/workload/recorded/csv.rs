//! Recorded traffic as comma-separated values: `time_ms, operation, key, bytes`.
//!
//! A first line that names the columns may put them in another order and add
//! others. Without it, the order is the one above, and `bytes` may be left out.
//! Fields may be quoted, with blanks around them; a quote inside is written twice.
//! Every line is a record of its own: a key cannot hold a line break, and a quote that is
//! never closed spoils one line, not the file.

use super::{Entry, quoted, size};
use std::borrow::Cow;

/// Fields that one line may have.
const FIELDS_MAX: usize = 64;
/// Largest time, of any epoch: some 30,000 years.
const TIME_MS_MAX: f64 = 1e15;

const READS: [&str; 10] = ["read", "get", "gets", "head", "select", "query", "fetch", "scan", "mget", "r"];
const WRITES: [&str; 24] = [
    "write",
    "put",
    "set",
    "update",
    "delete",
    "insert",
    "post",
    "patch",
    "upsert",
    "replace",
    "add",
    "append",
    "prepend",
    "remove",
    "del",
    "incr",
    "decr",
    "increment",
    "decrement",
    "cas",
    "merge",
    "create",
    "store",
    "w",
];

/// Reads lines one by one; holds what they share.
pub(super) struct Lines {
    reader: csv_core::Reader,
    columns: Columns,
    text: Vec<u8>,
}

/// Where in a line the columns stand.
#[derive(Clone, Copy)]
struct Columns {
    time: usize,
    operation: usize,
    key: usize,
    bytes: Option<usize>,
    /// Fields that a line has at most, if that is known.
    most: usize,
}

impl Default for Lines {
    fn default() -> Self {
        let columns = Columns { time: 0, operation: 1, key: 2, bytes: Some(3), most: 4 };
        Lines { reader: csv_core::Reader::new(), columns, text: Vec::new() }
    }
}

impl Lines {
    /// Whether the line names the columns; if so, they are found where it says.
    pub(super) fn is_header(&mut self, line: &str) -> bool {
        let Ok(fields) = self.fields(line) else { return false };
        let names: Vec<String> = fields.iter().map(|field| field.to_ascii_lowercase()).collect();
        let place = |name: &str| names.iter().position(|other| other == name);
        let (Some(time), Some(operation), Some(key)) = (place("time_ms"), place("operation"), place("key"))
        else {
            return false;
        };
        self.columns = Columns { time, operation, key, bytes: place("bytes"), most: FIELDS_MAX };
        true
    }

    /// What a line says, or why it cannot be read.
    pub(super) fn read<'a>(&mut self, line: &'a str) -> Result<Entry<'a>, String> {
        let columns = self.columns;
        let fields = self.fields(line)?;
        let least = columns.time.max(columns.operation).max(columns.key) + 1;
        if fields.len() < least {
            let right = "time_ms, operation, key, bytes";
            return Err(format!("has {} of the fields {right}, separated by commas", fields.len()));
        }
        if fields[columns.most.min(fields.len())..].iter().any(|field| !field.is_empty()) {
            return Err(format!(
                "has {} fields; it must have {} (a key that holds a comma must be quoted)",
                fields.len(),
                columns.most
            ));
        }
        let time_ms = time(&fields[columns.time])?;
        let is_write = is_write(&fields[columns.operation])?;
        let bytes = columns.bytes.and_then(|place| fields.get(place)).map_or(Ok(0), |field| size(field))?;
        let key = &fields[columns.key];
        if key.is_empty() {
            return Err("the key is empty".to_string());
        }
        Ok(Entry { time_ms, key: Cow::Owned(key.clone()), is_write, bytes })
    }

    /// The fields of one line, without quotes and the blanks around them.
    fn fields(&mut self, line: &str) -> Result<Vec<String>, String> {
        if !line.contains('"') {
            return Ok(line.split(',').take(FIELDS_MAX).map(|field| field.trim().to_string()).collect());
        }
        let line = without_outer_blanks(line)?;
        self.reader.reset();
        self.text.resize(line.len() + 1, 0);
        let mut ends = [0; FIELDS_MAX];
        let (mut read, mut written, mut count) = (0, 0, 0);
        // Twice at most per line: once for the text, once to learn that nothing follows.
        loop {
            let (result, more_read, more_written, more_ends) = self.reader.read_record(
                &line.as_bytes()[read..],
                &mut self.text[written..],
                &mut ends[count..],
            );
            read += more_read;
            written += more_written;
            count += more_ends;
            match result {
                csv_core::ReadRecordResult::InputEmpty => continue,
                csv_core::ReadRecordResult::Record | csv_core::ReadRecordResult::End => break,
                csv_core::ReadRecordResult::OutputFull | csv_core::ReadRecordResult::OutputEndsFull => {
                    return Err(format!("has more than {FIELDS_MAX} fields"));
                }
            }
        }
        let mut from = 0;
        let mut fields = Vec::with_capacity(count);
        for end in &ends[..count] {
            fields.push(String::from_utf8_lossy(&self.text[from..*end]).trim().to_string());
            from = *end;
        }
        Ok(fields)
    }
}

/// Drops blanks beside commas and at both ends, outside quotes: the reader takes
/// a quote for one only where it begins a field.
fn without_outer_blanks(line: &str) -> Result<String, String> {
    let mut text = String::with_capacity(line.len());
    let mut in_quotes = false;
    for character in line.trim().chars() {
        match character {
            '"' => in_quotes = !in_quotes,
            ',' if !in_quotes => text.truncate(text.trim_end().len()),
            blank if blank.is_whitespace() && !in_quotes && text.ends_with(',') => continue,
            _ => {}
        }
        text.push(character);
    }
    if in_quotes { Err("a quote is not closed".to_string()) } else { Ok(text) }
}

fn time(text: &str) -> Result<f64, String> {
    match number(text) {
        Ok(time_ms) if time_ms.abs() <= TIME_MS_MAX => Ok(time_ms),
        _ => Err(format!("the time is {}; it must be a number of milliseconds", quoted(text))),
    }
}

/// By serde_json's reader of numbers, the only one that is compiled into the page.
fn number(text: &str) -> Result<f64, serde_json::Error> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.starts_with('.') {
        serde_json::from_str(&format!("0{digits}"))
    } else {
        serde_json::from_str(digits)
    }
}

fn is_write(text: &str) -> Result<bool, String> {
    let word = text.to_ascii_lowercase();
    if READS.contains(&word.as_str()) {
        Ok(false)
    } else if WRITES.contains(&word.as_str()) {
        Ok(true)
    } else {
        Err(format!("the operation is {}; it must be one such as get or put", quoted(text)))
    }
}
