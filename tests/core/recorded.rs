//! Recorded traffic: what of a file becomes operations, when, and what is said about the rest.

use faultline::workload::recorded::{
    EXCERPT_CHARS_MAX, Format, LINE_BYTES_MAX, OPERATIONS_MAX, RecordedOperation, Recording, RecordingError,
    SKIPPED_SHOWN_MAX, parse, parse_bytes,
};
use proptest::prelude::*;

const MS: u64 = 1_000_000;

fn read(text: &str) -> Recording {
    parse(text, 1.0).unwrap_or_else(|error| panic!("{error}"))
}

/// Time in ms, whether it writes, key and size of every operation.
fn rows(recording: &Recording) -> Vec<(u64, bool, &str, u32)> {
    let row = |operation: &RecordedOperation| {
        (
            operation.at_ns / MS,
            operation.is_write,
            recording.keys[operation.key as usize].as_str(),
            operation.bytes,
        )
    };
    recording.operations.iter().map(row).collect()
}

fn reasons(recording: &Recording) -> Vec<(u64, &str)> {
    recording.first_skipped.iter().map(|line| (line.line, line.reason.as_str())).collect()
}

fn log_line(clock: &str, request: &str) -> String {
    format!("203.0.113.7 - - [10/Oct/2000:{clock} -0700] \"{request}\" 200 2326\n")
}

// ---- CSV ----

#[test]
fn csv_is_read_with_or_without_its_header() {
    let lines = "100,get,alpha,10\n150,PUT,beta,20\n250,Read,alpha,30\n";
    for text in [lines.to_string(), format!("time_ms, operation, key, bytes\n{lines}")] {
        let recording = read(&text);
        assert_eq!(recording.format, Format::Csv);
        assert_eq!(
            rows(&recording),
            [(0, false, "alpha", 10), (50, true, "beta", 20), (150, false, "alpha", 30)]
        );
        assert_eq!(recording.keys, ["alpha", "beta"]);
        assert_eq!((recording.taken, recording.skipped), (3, 0));
    }
}

#[test]
fn a_header_may_order_the_columns_and_add_others() {
    let recording = read("Key,host,Bytes,Operation,Time_MS\r\nalpha,h1,7,get,5\r\nbeta,h2,,set,6\r\n");
    assert_eq!(rows(&recording), [(0, false, "alpha", 7), (1, true, "beta", 0)]);
}

#[test]
fn csv_may_have_quotes_blanks_windows_line_ends_and_a_byte_order_mark() {
    let text = "\u{feff}time_ms , \"operation\" ,key,bytes\r\n 0 , \"get\" , \"a, b\" , 1 \r\n\r\n\
                1.5,\"set\",\"say \"\"hi\"\"\",\"2\"\r\n2,get, plain key ,3,\r\n";
    let recording = read(text);
    assert_eq!(recording.first_skipped, []);
    assert_eq!(
        rows(&recording),
        [(0, false, "a, b", 1), (1, true, "say \"hi\"", 2), (2, false, "plain key", 3)]
    );
    assert_eq!(recording.operations[1].at_ns, 1_500_000);
}

#[test]
fn a_size_may_be_missing_and_the_last_line_may_lack_its_end() {
    let recording = read("0,get,a\n1,get,b,\n2,get,c,-\n3,get,d,9");
    assert_eq!(rows(&recording).iter().map(|row| row.3).collect::<Vec<_>>(), [0, 0, 0, 9]);
}

#[test]
fn every_usual_word_for_reading_and_writing_is_known() {
    for (word, writes) in [
        ("get", false),
        ("READ", false),
        ("Select", false),
        ("HEAD", false),
        ("put", true),
        ("SET", true),
        ("Update", true),
        ("write", true),
        ("delete", true),
        ("insert", true),
        ("POST", true),
        ("incr", true),
    ] {
        assert_eq!(rows(&read(&format!("0,{word},k,1")))[0].1, writes, "{word}");
    }
}

#[test]
fn a_csv_line_that_cannot_be_read_says_why_and_the_rest_still_counts() {
    let text = "time_ms,operation,key,bytes\n\
                0,get,a,1\n\
                oops\n\
                soon,get,a,1\n\
                2,fly,a,1\n\
                3,get,,1\n\
                4,get,a,big\n\
                5,get,a,-3\n\
                inf,get,a,1\n\
                NaN,get,a,1\n\
                6,get,\"a,1\n\
                7,get,b,5000000000\n\
                8,put,b,2\n";
    let recording = read(text);
    assert_eq!(rows(&recording), [(0, false, "a", 1), (8, true, "b", 2)]);
    assert_eq!((recording.taken, recording.skipped), (2, 10));
    let reasons = reasons(&recording);
    let expected = [
        (3, "has 1 of the fields"),
        (4, "the time is \"soon\""),
        (5, "the operation is \"fly\""),
        (6, "the key is empty"),
        (7, "the size is \"big\""),
        (8, "the size is \"-3\""),
        (9, "the time is \"inf\""),
        (10, "the time is \"NaN\""),
        (11, "a quote is not closed"),
        (12, "the size is \"5000000000\""),
    ];
    for ((line, reason), (expected_line, part)) in reasons.iter().zip(expected) {
        assert_eq!(*line, expected_line);
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(reasons.len(), expected.len());
}

#[test]
fn a_comma_too_many_is_told_with_the_remedy() {
    let recording = read("0,get,a,1\n1,get,a,b,2\n");
    assert!(recording.first_skipped[0].reason.contains("has 5 fields"), "{:?}", recording.first_skipped);
    assert!(recording.first_skipped[0].reason.contains("must be quoted"));
}

// ---- access logs ----

#[test]
fn common_and_combined_logs_are_read() {
    let text = "127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET /apache_pb.gif HTTP/1.0\" 200 2326\n\
                127.0.0.1 - frank [10/Oct/2000:13:55:38 -0700] \"POST /watch?v=42&t=9 HTTP/1.1\" 201 - \"http://example.org/\" \"Mozilla/4.08 [en] (Win98; I ;Nav)\"\n\
                ::1 - - [10/Oct/2000:13:55:39 -0700] \"HEAD /apache_pb.gif HTTP/2.0\" 304 0\n";
    let recording = read(text);
    assert_eq!(recording.format, Format::AccessLog);
    assert_eq!(
        rows(&recording),
        [(0, false, "/apache_pb.gif", 2326), (2000, true, "/watch", 0), (3000, false, "/apache_pb.gif", 0)]
    );
    assert_eq!(recording.skipped, 0);
}

#[test]
fn odd_hosts_users_and_requests_are_read() {
    for (line, key, writes) in [
        ("2001:db8::1 - - [01/Jan/2024:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5", "/", false),
        ("fe80::1%eth0 ident John Smith [01/Jan/2024:00:00:00 +0000] \"GET /a HTTP/1.1\" 200 5", "/a", false),
        ("h - o[dd] [01/Jan/2024:00:00:00 +0000] \"GET /b HTTP/1.1\" 200 5", "/b", false),
        (
            "example.org:443 h - - [01/Jan/2024:00:00:00 +0000] \"DELETE /c HTTP/1.1\" 204 0 \"-\" \"-\"",
            "/c",
            true,
        ),
        (
            "h - - [01/Jan/2024:00:00:00 +0000] \"GET /say/\\\"hi\\\" HTTP/1.1\" 200 5",
            "/say/\\\"hi\\\"",
            false,
        ),
        (
            "h - - [01/Jan/2024:00:00:00 +0000] \"GET /with blanks in it HTTP/1.1\" 200 5",
            "/with blanks in it",
            false,
        ),
        ("h - - [01/Jan/2024:00:00:00 +0000] \"GET /old\" 200 5", "/old", false),
        ("h - - [01/Jan/2024:00:00:00 +0000] \"get /lower?x=? HTTP/1.1\" 200 5", "/lower", false),
        (
            "h - - [01/Jan/2024:00:00:00 +0000] \"GET http://example.org/abs?q#f HTTP/1.1\" 200 5",
            "/abs",
            false,
        ),
        ("h - - [01/Jan/2024:00:00:00 +0000] \"GET http://example.org HTTP/1.1\" 200 5", "/", false),
        ("h - - [01/Jan/2024:00:00:00 +0000] \"OPTIONS * HTTP/1.1\" 200 5", "*", true),
        ("h - - [01/Jan/2024:00:00:00 +0000] \"PROPFIND /dav/ HTTP/1.1\" 207 5", "/dav/", true),
        ("h - - [1/Jan/2024:00:00:60] \"GET /leap HTTP/1.1\" - -", "/leap", false),
    ] {
        let recording = read(line);
        assert_eq!((recording.keys[0].as_str(), recording.operations[0].is_write), (key, writes), "{line}");
    }
}

#[test]
fn garbage_in_a_log_is_skipped_with_its_reason() {
    let good = log_line("13:55:36", "GET /a HTTP/1.0");
    let bad = [
        (log_line("13:55:37", "-"), "the request is \"-\""),
        (log_line("13:55:37", "\\x16\\x03\\x01\\x02"), "the request is"),
        (log_line("13:55:37", "\\x16\\x03 \\x01 HTTP/1.0"), "the request is"),
        (log_line("13:55:37", "hello there"), "the request is \"hello there\""),
        (log_line("13:55:37", ""), "the request is \"\""),
        (log_line("25:55:37", "GET / HTTP/1.0"), "the time is"),
        ("h - - [31/Feb/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 1\n".into(), "the time is"),
        ("h - - [10/Xyz/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 1\n".into(), "the time is"),
        ("h - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 20 1\n".into(), "the status is \"20\""),
        ("h - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200\n".into(), "has no size"),
    ];
    let text: String =
        std::iter::once(good.clone()).chain(bad.iter().map(|(line, _)| line.clone())).collect();
    let recording = read(&text);
    assert_eq!((recording.taken, recording.skipped), (1, bad.len() as u64));
    for (skipped, (line, part)) in recording.first_skipped.iter().zip(&bad) {
        assert!(skipped.reason.contains(part), "{line}: {}", skipped.reason);
    }
    let more = format!(
        "{good}{}{}{}",
        "h - - [10/Oct/2000:13:55:36 -0700] GET / 200 1\n",
        "h - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0 200 1\n",
        "[10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 1\nno time at all\n"
    );
    let recording = read(&more);
    let parts = ["no request in quotes", "is not closed", "no host", "no time in brackets"];
    for ((_, reason), part) in reasons(&recording).iter().zip(parts) {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(recording.skipped, 4);
}

#[test]
fn operations_of_one_second_are_spread_evenly_over_it_in_their_order() {
    let text: String = ["36", "36", "36", "36", "38", "38"]
        .iter()
        .enumerate()
        .map(|(place, second)| log_line(&format!("13:55:{second}"), &format!("GET /{place} HTTP/1.0")))
        .collect();
    let recording = read(&text);
    let times: Vec<u64> = rows(&recording).iter().map(|row| row.0).collect();
    assert_eq!(times, [0, 250, 500, 750, 2000, 2500]);
    assert_eq!(recording.keys, ["/0", "/1", "/2", "/3", "/4", "/5"]);
}

#[test]
fn time_zones_and_days_are_counted() {
    let at =
        |time: &str| format!("h - - [{time}] \"GET /{} HTTP/1.1\" 200 1\n", time.replace(['/', ' '], "."));
    // The same moment three times, then a second across new year, leap day and a change of zone.
    let text = [
        at("31/Dec/1999:23:59:59 +0000"),
        at("31/Dec/1999:15:59:59 -0800"),
        at("01/Jan/2000:05:29:59 +0530"),
        at("01/Jan/2000:00:00:00 +0000"),
    ]
    .concat();
    let times: Vec<u64> = rows(&read(&text)).iter().map(|row| row.0).collect();
    assert_eq!(times, [0, 333, 666, 1000]);
    let leap = [
        at("28/Feb/2024:23:59:59 +0000"),
        at("29/Feb/2024:00:00:00 +0000"),
        at("29/Feb/2024:23:59:59 +0000"),
        at("01/Mar/2024:00:00:00 +0000"),
    ]
    .concat();
    let times: Vec<u64> = rows(&read(&leap)).iter().map(|row| row.0).collect();
    assert_eq!(times, [0, 1000, 86_400_000, 86_401_000]);
    assert!(parse(&at("29/Feb/2023:00:00:00 +0000"), 1.0).is_err(), "no such day");
}

// ---- times ----

#[test]
fn times_are_scaled_and_counted_from_the_earliest() {
    let text = "1700000000000.5,get,a,1\n1700000000010.5,get,b,1\n";
    for (scale, expected) in [(1.0, 10 * MS), (0.1, MS), (10.0, 100 * MS)] {
        let recording = parse(text, scale).expect("readable");
        assert_eq!((recording.operations[0].at_ns, recording.operations[1].at_ns), (0, expected));
    }
}

#[test]
fn lines_out_of_order_are_sorted_and_those_of_one_time_keep_their_order() {
    let recording = read("30,get,c,1\n10,get,a1,1\n20,get,b,1\n10,get,a2,1\n-5,get,first,1\n");
    let keys: Vec<&str> = rows(&recording).iter().map(|row| row.2).collect();
    assert_eq!(keys, ["first", "a1", "a2", "b", "c"]);
    assert_eq!(rows(&recording)[4].0, 35);
    assert_eq!(recording.keys, ["c", "a1", "b", "a2", "first"], "keys stand in the order of the lines");
}

#[test]
fn a_gap_of_more_than_a_day_is_closed_to_a_second_and_counted() {
    let recording =
        read("0,get,a,1\n86400000,get,b,1\n172800001,get,c,1\n172800501,get,d,1\n900000000000000,get,e,1\n");
    let times: Vec<u64> = rows(&recording).iter().map(|row| row.0).collect();
    assert_eq!(times, [0, 86_400_000, 86_401_000, 86_401_500, 86_402_500]);
    assert_eq!(recording.gaps_closed, 2);
}

#[test]
fn a_time_scale_that_makes_no_sense_is_refused() {
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7] {
        let error = parse("0,get,a,1", scale).expect_err("refused");
        assert!(matches!(error, RecordingError::TimeScale(_)));
        assert!(error.to_string().contains("0.1 replays ten times as fast"));
    }
}

// ---- files that are no recording ----

#[test]
fn a_file_without_a_single_operation_is_an_error_that_shows_the_first_lines() {
    for empty in ["", "\n\r\n  \n", "\u{feff}", "time_ms,operation,key,bytes\n"] {
        assert_eq!(parse(empty, 1.0), Err(RecordingError::Empty), "{empty:?}");
    }
    let error = parse("Dear Sir or Madam,\n\nplease find enclosed\n", 1.0).expect_err("no recording");
    let message = error.to_string();
    assert!(message.contains("none of the 2 lines"), "{message}");
    assert!(message.contains("line 1: ") && message.contains("Dear Sir"), "{message}");
    assert!(message.contains("line 3: ") && message.contains("please find"), "{message}");
    let many = parse(&"nonsense\n".repeat(1_000), 1.0).expect_err("no recording").to_string();
    assert_eq!(many.lines().count(), 1 + SKIPPED_SHOWN_MAX);
    let log = parse("h - - [oops] \"GET / HTTP/1.0\" 200 1\n", 1.0).expect_err("no recording").to_string();
    assert!(log.contains("the time is \"oops\""), "{log}");
}

#[test]
fn a_file_in_another_encoding_is_told_so() {
    assert!(parse_bytes(&[0xff, 0xfe, b'0', 0], 1.0).unwrap_err().to_string().contains("UTF-16"));
    assert!(parse_bytes(&[0x1f, 0x8b, 8, 0], 1.0).unwrap_err().to_string().contains("gzip"));
}

#[test]
fn bytes_that_are_no_text_spoil_at_most_their_line() {
    let recording = parse_bytes(b"0,get,a\xff,1\n\xff\xfe\x00\n2,get,b,1\n", 1.0).expect("readable");
    assert_eq!(recording.keys, ["a\u{fffd}", "b"]);
    assert_eq!(recording.skipped, 1);
}

#[test]
fn an_excerpt_is_short_and_safe_to_print() {
    let line = format!("\u{1b}[2Jevil{}", "é".repeat(1_000));
    let recording = read(&format!("0,get,a,1\n{line}\n"));
    let excerpt = &recording.first_skipped[0].excerpt;
    assert_eq!(excerpt.chars().count(), EXCERPT_CHARS_MAX);
    assert!(!excerpt.contains('\u{1b}') && excerpt.ends_with('…'), "{excerpt}");
    assert!(!recording.first_skipped[0].reason.contains('\u{1b}'));
}

// ---- bounds ----

#[test]
fn a_line_that_is_too_long_is_skipped() {
    let recording = read(&format!("0,get,a,1\n1,get,{},1\n2,get,b,1\n", "x".repeat(LINE_BYTES_MAX)));
    assert_eq!((recording.taken, recording.skipped), (2, 1));
    assert_eq!(recording.first_skipped[0].reason, "longer than 64 KiB");
}

#[test]
fn operations_beyond_the_bound_are_skipped_and_counted() {
    let text = "0,r,a,1\n".repeat(OPERATIONS_MAX + 3);
    let recording = read(&text);
    assert_eq!((recording.taken, recording.skipped), (OPERATIONS_MAX as u64, 3));
    assert_eq!(recording.first_skipped[0].reason, "beyond the first 2000000 operations");
    assert_eq!(recording.first_skipped[0].line, OPERATIONS_MAX as u64 + 1);
}

#[test]
fn a_log_of_fifty_thousand_lines_with_odd_ones_in_it_is_replayed() {
    let mut text = Vec::new();
    let mut odd = 0;
    for place in 0..50_000u32 {
        let (minute, second) = (place / 600 % 60, place / 10 % 60);
        let hour = place / 36_000;
        match place % 1_000 {
            500 => {
                odd += 1;
                text.extend_from_slice(b"\x16\x03\x01 [broken \"line\n");
            }
            501 => {
                odd += 1;
                text.extend_from_slice(log_line("13:55:36", "-").as_bytes());
            }
            502 => text.extend_from_slice(b"\r\n"),
            _ => text.extend_from_slice(
                format!(
                    "2001:db8::{place:x} - - [29/Feb/2024:{hour:02}:{minute:02}:{second:02} +0100] \
                     \"GET /watch/{} HTTP/1.1\" 200 {} \"-\" \"agent \\\"quoted\\\"\"\r\n",
                    place % 777,
                    place % 5_000
                )
                .as_bytes(),
            ),
        }
    }
    let recording = parse_bytes(&text, 0.01).expect("readable");
    assert_eq!((recording.taken, recording.skipped), (50_000 - 150, odd));
    assert_eq!(recording.keys.len(), 777);
    assert_eq!(recording.first_skipped.len(), SKIPPED_SHOWN_MAX);
    assert!(recording.operations.windows(2).all(|pair| pair[0].at_ns <= pair[1].at_ns));
    let end_s = recording.end_ns() as f64 / 1e9;
    assert!((end_s - 49.999).abs() < 0.01, "5,000 s, a hundred times as fast: {end_s}");
    assert_eq!(recording.count_until_ns(recording.end_ns()), 50_000 - 150);
    assert_eq!(recording.count_until_ns(recording.end_ns() - 1), 50_000 - 151);
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic_and_every_line_is_accounted_for(
        lines in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            "[0-9\",. getpu\\[\\]/:-]{0,40}".prop_map(String::into_bytes),
            "-?[0-9]{1,3}, (get|put), [a-z\"]{0,3}, [0-9-]{0,3}".prop_map(String::into_bytes),
            "h - - \\[[0-3][0-9]/(Jan|Feb)/2024:[0-2][0-9]:[0-5][0-9]:00 [+-]0[0-9]00\\] \"[A-Z]{0,3} [a-z/? ]{0,9}\" [0-9]{3} [0-9-]{1,3}"
                .prop_map(String::into_bytes),
        ], 0..30),
        scale in 1e-6..1e6f64,
    ) {
        let clean: Vec<Vec<u8>> = lines
            .iter()
            .map(|line| line.iter().copied().filter(|byte| *byte != b'\n').collect())
            .collect();
        let bytes = clean.join(&b'\n');
        match parse_bytes(&bytes, scale) {
            Ok(recording) => {
                let blank = |line: &&Vec<u8>| line.iter().all(u8::is_ascii_whitespace);
                let filled = clean.len() as u64 - clean.iter().filter(blank).count() as u64;
                prop_assert_eq!(recording.taken + recording.skipped, filled);
                prop_assert_eq!(recording.operations[0].at_ns, 0);
                prop_assert!(recording.operations.windows(2).all(|pair| pair[0].at_ns <= pair[1].at_ns));
                let keys = recording.keys.len();
                prop_assert!(recording.operations.iter().all(|operation| (operation.key as usize) < keys));
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
