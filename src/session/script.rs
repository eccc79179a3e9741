//! The script of one future: the scenario's faults and the user's commands, in order.

use super::command::{Command, LoggedCommand};
use crate::engine::{SimDuration, SimTime};
use crate::scenario::fault::{FaultSpec, ScheduledFault};

/// A fault with its number, as a script has it.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberedFault {
    pub number: u32,
    pub fault: FaultSpec,
    pub begin: SimTime,
    /// When it is to be lifted, if that is known from the start.
    pub end: Option<SimTime>,
}

/// Something that is done at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Begin { number: u32 },
    Lift { number: u32 },
}

/// Faults and acts, sorted by time; of the same time, in the order in which they were asked for.
#[derive(Clone, Debug, Default)]
pub struct Script {
    faults: Vec<NumberedFault>,
    acts: Vec<(SimTime, Act)>,
}

impl Script {
    /// The scenario's schedule, then commands in the order in which they were given.
    pub fn new(schedule: &[ScheduledFault], commands: &[LoggedCommand]) -> Script {
        let mut script = Script::default();
        for scheduled in schedule {
            let begin = SimTime(SimDuration::from_ms_f64(scheduled.at_ms).0);
            script.add(begin, scheduled.fault.clone(), scheduled.for_ms);
        }
        for logged in commands {
            script.command(logged);
        }
        script
    }

    /// Adds a command.
    pub fn command(&mut self, logged: &LoggedCommand) {
        match &logged.command {
            Command::Begin { fault, for_ms } => self.add(logged.at, fault.clone(), *for_ms),
            Command::Lift { fault } => self.act(logged.at, Act::Lift { number: *fault }),
        }
    }

    fn add(&mut self, begin: SimTime, fault: FaultSpec, for_ms: Option<f64>) {
        let number = self.faults.len() as u32;
        let end = match &fault {
            _ if fault.is_instant() => Some(begin),
            _ => for_ms.map(|ms| begin + SimDuration::from_ms_f64(ms)),
        };
        self.act(begin, Act::Begin { number });
        if let Some(end) = end {
            self.act(end, Act::Lift { number });
        }
        self.faults.push(NumberedFault { number, fault, begin, end });
    }

    fn act(&mut self, at: SimTime, act: Act) {
        let place = self.acts.partition_point(|(other, _)| *other <= at);
        self.acts.insert(place, (at, act));
    }

    pub fn fault(&self, number: u32) -> Option<&NumberedFault> {
        self.faults.get(number as usize)
    }

    pub fn faults(&self) -> &[NumberedFault] {
        &self.faults
    }

    /// The act after `done` have been done.
    pub fn act_after(&self, done: usize) -> Option<(SimTime, Act)> {
        self.acts.get(done).copied()
    }
}
