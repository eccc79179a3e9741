//! Share links: the same run comes back; a broken or hostile link gives a message, never a panic.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use faultline::engine::SimTime;
use faultline::scenario::fault::{FaultSpec, Selector};
use faultline::scenario::presets::{self, PRESETS};
use faultline::session::command::{COMMANDS_MAX, Command, LoggedCommand};
use faultline::session::link::{LINK_CHARS_MAX, LinkError, ShareLink};
use proptest::prelude::*;

fn begin(at_ms: u64, node: &str) -> LoggedCommand {
    let fault = FaultSpec::Crash { nodes: Selector::node(node), disk_lost: false };
    LoggedCommand { at: SimTime::from_ms(at_ms), command: Command::Begin { fault, for_ms: Some(2_000.0) } }
}

fn link() -> ShareLink {
    ShareLink {
        scenario: presets::default().scenario().expect("valid"),
        seed: u64::MAX,
        commands: vec![
            begin(1_500, "ring-2"),
            LoggedCommand { at: SimTime(2_000_000_001), command: Command::Lift { fault: 0 } },
            begin(3_000, "mysql-1-1"),
        ],
        trace_hash: Some(0xfedc_ba98_7654_3210),
        at: Some(SimTime::from_ms(12_345)),
    }
}

/// A link whose content is this text, with a right checksum.
fn packed(json: &str) -> String {
    let mut bytes = miniz_oxide::deflate::compress_to_vec(json.as_bytes(), 9);
    let hash = faultline::engine::random::bytes_hash(&bytes);
    bytes.extend(((hash ^ (hash >> 32)) as u32).to_le_bytes());
    format!("1.{}", URL_SAFE_NO_PAD.encode(bytes))
}

#[test]
fn a_link_gives_back_the_very_same_run() {
    let text = link().encode().expect("encodes");
    assert!(text.starts_with("1."));
    assert!(
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')),
        "{text}"
    );
    assert!(text.len() < 2_500, "{} characters", text.len());
    assert_eq!(ShareLink::decode(&text), Ok(link()));
    assert_eq!(ShareLink::decode(&format!("#{text}")), Ok(link()), "with its #");
}

#[test]
fn every_preset_fits_into_a_link() {
    for preset in PRESETS {
        let scenario = preset.scenario().expect("valid");
        let link =
            ShareLink { seed: scenario.seed, scenario, commands: Vec::new(), trace_hash: None, at: None };
        assert_eq!(ShareLink::decode(&link.encode().expect("encodes")), Ok(link), "{}", preset.name);
    }
}

#[test]
fn numbers_that_have_no_short_form_come_back_exactly() {
    let mut link = link();
    link.scenario.workload.rate_per_s = 1_234.567_890_123_456_7;
    link.scenario.workload.zipf_theta = 0.1 + 0.2;
    link.scenario.network.loss = 1.0 / 3.0 / 7.0;
    assert_eq!(ShareLink::decode(&link.encode().expect("encodes")), Ok(link));
}

#[test]
fn what_is_no_link_is_told_from_what_is_damaged_and_what_is_too_new() {
    for text in ["", "#", "playground", "1", "x.y", "http://a.b", "-1.abc"] {
        assert_eq!(ShareLink::decode(text), Err(LinkError::NotALink), "{text}");
    }
    assert_eq!(ShareLink::decode("2.abcd"), Err(LinkError::Version("2".to_string())));
    for text in ["1.", "1.!!!!", "1.AAAA", "1.AAAAAAAAAAAAAAAA"] {
        assert!(matches!(ShareLink::decode(text), Err(LinkError::Damaged(_))), "{text}");
    }
    let whole = link().encode().expect("encodes");
    assert!(matches!(ShareLink::decode(&whole[..whole.len() - 4]), Err(LinkError::Damaged(_))), "cut short");
    let message = ShareLink::decode(&whole[..whole.len() / 2]).expect_err("cut short").to_string();
    assert!(message.contains("copy it again"), "{message}");
}

#[test]
fn a_link_that_unpacks_without_end_is_not_unpacked() {
    let text = packed(&" ".repeat(40 << 20));
    assert!(text.len() < LINK_CHARS_MAX, "{} characters", text.len());
    assert_eq!(ShareLink::decode(&text), Err(LinkError::UnpacksTooLarge));
}

#[test]
fn a_link_that_is_too_long_is_not_read() {
    let text = format!("1.{}", "A".repeat(LINK_CHARS_MAX));
    assert!(matches!(ShareLink::decode(&text), Err(LinkError::TooLong { .. })));
}

#[test]
fn a_link_that_holds_something_else_says_what() {
    assert!(matches!(ShareLink::decode(&packed("{}")), Err(LinkError::NotARun(_))));
    assert!(matches!(ShareLink::decode(&packed(&"[".repeat(5_000))), Err(LinkError::NotARun(_))));
    let message =
        ShareLink::decode(&packed(r#"{"scenario": {"version": 9}, "seed": 1}"#)).unwrap_err().to_string();
    assert!(message.contains("version is 9"), "{message}");
    let message =
        ShareLink::decode(&packed(r#"{"scenario": {"version": 1}, "seed": 1}"#)).unwrap_err().to_string();
    assert!(message.contains("`name` is missing"), "{message}");
}

#[test]
fn every_command_of_a_link_is_checked() {
    let refused = |commands: Vec<LoggedCommand>| {
        let text = ShareLink { commands, ..link() }.encode().expect("encodes");
        ShareLink::decode(&text).expect_err("refused").to_string()
    };
    let late = refused(vec![begin(1, "ring-1"), begin(30_001, "ring-1")]);
    assert!(late.contains("command 2") && late.contains("after the end"), "{late}");
    let disordered = refused(vec![begin(2, "ring-1"), begin(1, "ring-1")]);
    assert!(disordered.contains("command 2") && disordered.contains("before the one ahead"), "{disordered}");
    let unknown = refused(vec![begin(1, "ring-77")]);
    assert!(unknown.contains("command 1") && unknown.contains("no node `ring-77`"), "{unknown}");
    let lift = refused(vec![LoggedCommand { at: SimTime::ZERO, command: Command::Lift { fault: 0 } }]);
    assert!(lift.contains("lifts fault 0, but there are only 0"), "{lift}");
    let many = refused(vec![begin(1, "ring-1"); COMMANDS_MAX + 1]);
    assert!(many.contains("1001 commands"), "{many}");
    let text = ShareLink { at: Some(SimTime::from_ms(30_001)), ..link() }.encode().expect("encodes");
    assert!(matches!(ShareLink::decode(&text), Err(LinkError::After { .. })));
}

#[test]
fn a_run_too_large_for_a_link_is_told_so() {
    let mut scenario = presets::default().scenario().expect("valid");
    // Digits that deflate cannot shorten much.
    let times = (0..10_000).map(|n| ((n * 7919 + 13) % 86_399_993) as f64 * 1.000_37).collect();
    scenario.network.same_zone = faultline::engine::Distribution::EmpiricalMs(times);
    let large = ShareLink { scenario, ..link() };
    assert!(matches!(large.encode(), Err(LinkError::RunTooLarge { .. })));
}

proptest! {
    #[test]
    fn no_text_makes_decoding_panic(text in any::<String>(), packed_text in "\\PC{0,200}", bytes in any::<Vec<u8>>()) {
        prop_assert!(ShareLink::decode(&text).is_err());
        prop_assert!(ShareLink::decode(&packed(&packed_text)).is_err());
        let text = format!("1.{}", URL_SAFE_NO_PAD.encode(bytes));
        prop_assert!(ShareLink::decode(&text).is_err());
    }

    #[test]
    fn a_link_with_a_flipped_bit_is_refused(place in any::<prop::sample::Index>(), bit in 0..8u8) {
        let link = link().encode().expect("encodes");
        let mut bytes = URL_SAFE_NO_PAD.decode(&link[2..]).expect("base64");
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let text = format!("1.{}", URL_SAFE_NO_PAD.encode(bytes));
        prop_assert!(ShareLink::decode(&text).is_err());
    }

    #[test]
    fn a_link_with_a_changed_character_is_refused(place in any::<prop::sample::Index>(), other in any::<char>()) {
        let text = link().encode().expect("encodes");
        let place = place.index(text.len());
        let mut changed: String = text[..place].to_string();
        changed.push(other);
        changed.push_str(&text[place + 1..]);
        prop_assume!(changed != text);
        prop_assert!(ShareLink::decode(&changed).is_err());
    }
}
