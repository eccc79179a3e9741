//! A scenario as a small drawing: its two architectures, and what befalls them.

use super::card::Card;
use yew::prelude::*;

const TREE: [(i32, i32); 6] = [(20, 44), (48, 26), (48, 62), (78, 26), (78, 62), (106, 44)];
const TREE_LINKS: [(usize, usize); 7] = [(0, 1), (0, 2), (1, 3), (2, 4), (1, 4), (2, 3), (3, 5)];
const RING: [(i32, i32); 6] = [(194, 14), (220, 29), (220, 59), (194, 74), (168, 59), (168, 29)];

pub fn sketch(card: &Card) -> Html {
    // A crash is the heart of a scenario, whatever prepares it.
    let crash = card.faults.iter().find(|fault| *fault == "crash");
    let fault = crash.or(card.faults.first()).map_or("", String::as_str);
    let is_hit = |index: usize| {
        index == 3
            && matches!(fault, "crash" | "restart" | "pause" | "slow_machine" | "slow_disk" | "clock_skew")
    };
    let node = |class: &'static str, index: usize, (x, y): (i32, i32)| {
        html! { <circle class={classes!("sketch-node", class, is_hit(index).then_some("hit"))} cx={x.to_string()} cy={y.to_string()} r="8" /> }
    };
    let has = |kind: &str| card.kinds.iter().any(|other| other == kind);
    html! {
        <svg class="sketch" viewBox="0 0 250 88" aria-hidden="true">
            if has("sharded_sql") {
                { for TREE_LINKS.iter().map(|(from, to)| {
                    let ((x1, y1), (x2, y2)) = (TREE[*from], TREE[*to]);
                    html! { <path class="sketch-link" d={format!("M{x1} {y1}L{x2} {y2}")} /> }
                }) }
                { for TREE.iter().enumerate().map(|(index, at)| node("k0", index, *at)) }
            }
            if has("gossip_ring") {
                <circle class="sketch-link" cx="194" cy="44" r="30" />
                { for RING.iter().enumerate().map(|(index, at)| node("k1", index, *at)) }
            }
            { overlay(fault) }
        </svg>
    }
}

fn overlay(fault: &str) -> Html {
    let path = match fault {
        "partition" | "one_way_cut" => "M62 6L56 34L70 46L60 82M206 4L192 36L206 50L190 84",
        "crash" | "restart" => "M73 21L83 31M83 21L73 31M189 69L199 79M199 69L189 79",
        "pause" => "M75 21V31M81 21V31M191 69V79M197 69V79",
        "slow_machine" | "slow_disk" | "delay" => "M68 8Q73 -1 78 5T88 2M184 88Q189 79 194 85T204 82",
        "clock_skew" => "M78 18V26L84 30M194 66V74L200 78",
        "load_spike" | "hot_key" => {
            "M4 80L14 62L22 68L34 40M24 40H34V50M130 80L140 62L148 68L160 40M150 40H160V50"
        }
        "loss" | "duplication" => "M52 32L54 36M62 44L64 48M72 54L74 58M206 22H210M170 44V48M178 66L182 68",
        _ => return Html::default(),
    };
    html! { <path class="sketch-fault" d={path} /> }
}
