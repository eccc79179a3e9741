//! The command line (native). The page's programs are `src/main.rs` and `src/bin/worker.rs`.

#[cfg(not(target_arch = "wasm32"))]
#[path = "faultline/command_line.rs"]
mod command_line;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    command_line::main()
}

#[cfg(target_arch = "wasm32")]
fn main() {}
