//! Small pictures, drawn with the colour of the text beside them.

use yew::prelude::*;

/// By name; decorative, so that words must say the same.
pub fn icon(name: &str) -> Html {
    let path = match name {
        "close" => "M5 5L17 17M17 5L5 17",
        "play" => "M7 4.5L17 11L7 17.5Z",
        "pause" => "M7.5 4.5V17.5M14.5 4.5V17.5",
        "restart" => "M5 4.5V17.5M17 4.5L8.5 11L17 17.5Z",
        "step-back" => "M14 5L7 11L14 17",
        "step" => "M8 5L15 11L8 17",
        "end" => "M17 4.5V17.5M5 4.5L13.5 11L5 17.5Z",
        "branch" => "M6 18V4M6 12Q6 8 10 8H16M13 5L16 8L13 11",
        "theme" => "M11 3.5A7.5 7.5 0 1 0 11 18.5ZM11 3.5A7.5 7.5 0 0 1 11 18.5",
        "share" => "M11 13V3.5M7.5 7L11 3.5L14.5 7M5 11V18H17V11",
        "file" => "M6 3H13L17 7V19H6ZM13 3V7H17M9 11H14M9 15H14",
        "keyboard" => "M3 6H19V16H3ZM6 9H7M10 9H11M14 9H15M7 13H15",
        "gallery" => "M4 4H10V10H4ZM12.5 4H18.5V10H12.5ZM4 12.5H10V18.5H4ZM12.5 12.5H18.5V18.5H12.5Z",
        "dice" => "M4 4H18V18H4ZM8 8H8.1M14 8H14.1M8 14H8.1M14 14H14.1M11 11H11.1",
        "switches" => {
            "M3 7H9M15 7H19M12 4A3 3 0 1 0 12 10A3 3 0 1 0 12 4M3 15H5M11 15H19M8 12A3 3 0 1 0 8 18A3 3 0 1 0 8 12"
        }
        "menu" => "M4 6H18M4 11H18M4 16H18",
        "ok" => "M5 12L9.5 16.5L17.5 6",
        "warning" => "M11 4L19 18H3ZM11 9V13M11 15.5V15.6",
        "bad" => {
            "M7.5 3.5H14.5L18.5 7.5V14.5L14.5 18.5H7.5L3.5 14.5V7.5ZM8.5 8.5L13.5 13.5M13.5 8.5L8.5 13.5"
        }
        "partition" => "M3 11H7.5M14.5 11H19M11 2.5L9.5 8L12.5 14L11 19.5",
        "crash" => "M5 5L17 17M17 5L5 17",
        "restart_node" | "crash_restart" => "M17.5 11A6.5 6.5 0 1 1 15 6M15 2.5V6.2H11.3",
        "pause_node" => "M8 5V17M14 5V17",
        "slow_machine" => "M2.5 14Q6.5 4 11 11T19.5 8",
        "slow_disk" => "M4 7C4 3.5 18 3.5 18 7V15C18 18.5 4 18.5 4 15ZM4 7C4 10 18 10 18 7",
        "one_way_cut" => "M3 7.5H19M15.5 4L19 7.5L15.5 11M3 15H8M11 12V18M14 15H19",
        "loss" => "M2.5 11H6M9 11H11M14 11H15M18 11H19.5",
        "delay" => "M11 4A7 7 0 1 0 11 18A7 7 0 1 0 11 4ZM11 7V11L14 13",
        "duplication" => "M4 8H13V18H4ZM8.5 8V4H18V14H13",
        "clock_skew" => "M11 3.5A7.5 7.5 0 1 0 18.5 11M11 7V11L15 14M16 3L19 6L16 8.5",
        "load_spike" => "M2.5 17L7.5 13L11 15L18.5 4M13 4H18.5V9.5",
        "hot_key" => "M11 19C5.5 15.5 6.5 10.5 11 3C12 7.5 16 9 16 13.5C16 16.5 14 18.5 11 19Z",
        "split" => "M2.5 8H8V14H2.5ZM14 3.5H19.5V9.5H14ZM14 12.5H19.5V18.5H14ZM8 11H11M14 6.5H11V15.5H14",
        "merge" => "M14 8H19.5V14H14ZM2.5 3.5H8V9.5H2.5ZM2.5 12.5H8V18.5H2.5ZM14 11H11M8 6.5H11V15.5H8",
        "schema_change" => "M2.5 4.5H12.5V17.5H2.5ZM2.5 8.5H12.5M7.5 4.5V17.5M17.5 8.5V14.5M14.5 11.5H20.5",
        "restore" => "M4.5 11A7 7 0 1 0 6.5 6M6.2 2.5V6.3H10M11.5 7V11L14 13",
        "isolate" => "M11 8A3 3 0 1 0 11 14A3 3 0 1 0 11 8ZM11 2.5V5M11 17V19.5M2.5 11H5M17 11H19.5",
        "inspect" => "M9.5 3.5A6 6 0 1 0 9.5 15.5A6 6 0 1 0 9.5 3.5ZM14 14L19 19",
        "traffic" => "M3 18V12M8 18V7M13 18V10M18 18V4",
        _ => "M11 4V18",
    };
    let filled = matches!(name, "play" | "restart" | "end");
    html! {
        <svg class={classes!("icon", filled.then_some("filled"))} viewBox="0 0 22 22" width="20" height="20" aria-hidden="true">
            <path d={path} />
        </svg>
    }
}

/// The mark of the project.
pub fn brand() -> Html {
    html! {
        <svg class="brand-mark" width="26" height="26" viewBox="0 0 26 26" aria-hidden="true">
            <rect x="1" y="1" width="24" height="24" rx="7" />
            <path d="M15 2L11 11L15.5 13.5L10.5 24" />
        </svg>
    }
}
