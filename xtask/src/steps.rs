//! Named, timed steps, and the table of them at the end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The steps that a command went through.
#[derive(Default)]
pub struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    outcome: Outcome,
}

enum Outcome {
    Passed(Duration),
    Failed(Duration),
    Skipped(String),
}

impl Steps {
    /// Announces the step, does it, and notes how long it took.
    pub fn run<T>(&mut self, name: &'static str, action: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n==> {name}");
        let started = Instant::now();
        let result = action().with_context(|| format!("step \"{name}\""));
        let elapsed = started.elapsed();
        let outcome = if result.is_ok() { Outcome::Passed(elapsed) } else { Outcome::Failed(elapsed) };
        self.done.push(Step { name, outcome });
        result
    }

    /// Says that the step is left out, and why.
    pub fn skip(&mut self, name: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        println!("\n==> {name}: skipped, {reason}");
        self.done.push(Step { name, outcome: Outcome::Skipped(reason) });
    }

    /// Prints one line for each step.
    pub fn print_table(&self) {
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or(0);
        println!("\n{:width$}  seconds", "step");
        for Step { name, outcome } in &self.done {
            match outcome {
                Outcome::Passed(elapsed) => {
                    println!("{name:width$}  {:7.1}", elapsed.as_secs_f64())
                }
                Outcome::Failed(elapsed) => {
                    println!("{name:width$}  {:7.1}  FAILED", elapsed.as_secs_f64())
                }
                Outcome::Skipped(reason) => println!("{name:width$}        -  skipped: {reason}"),
            }
        }
        let total: Duration = self.done.iter().map(Step::elapsed).sum();
        println!("{:width$}  {:7.1}", "total", total.as_secs_f64());
    }
}

impl Step {
    fn elapsed(&self) -> Duration {
        match self.outcome {
            Outcome::Passed(elapsed) | Outcome::Failed(elapsed) => elapsed,
            Outcome::Skipped(_) => Duration::ZERO,
        }
    }
}
