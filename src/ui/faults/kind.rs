//! The faults that people choose from, in plain words.

/// One thing that can be done to a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Partition,
    Crash,
    Pause,
    SlowMachine,
    Loss,
    ClockSkew,
    LoadSpike,
    HotKey,
    Restart,
    SlowDisk,
    OneWayCut,
    Delay,
    Duplication,
    Split,
    Merge,
    SchemaChange,
    Restore,
    Join,
    Leave,
    Replace,
    KillWorker,
    Poison,
    DatabaseDown,
    SlowDatabase,
    Rebalance,
    CountingBug,
    Recount,
    Rename,
    AddField,
}

/// Amounts to choose from: their unit, the amounts, and which comes first.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Amounts {
    pub question: &'static str,
    pub choices: &'static [f64],
    pub default: f64,
    pub prefix: &'static str,
    pub unit: &'static str,
}

impl Kind {
    /// The ones to begin with.
    pub const FIRST: [Kind; 8] = [
        Kind::Partition,
        Kind::Crash,
        Kind::Pause,
        Kind::SlowMachine,
        Kind::Loss,
        Kind::ClockSkew,
        Kind::LoadSpike,
        Kind::HotKey,
    ];
    pub const MORE: [Kind; 12] = [
        Kind::Restart,
        Kind::SlowDisk,
        Kind::OneWayCut,
        Kind::Delay,
        Kind::Duplication,
        Kind::Split,
        Kind::Merge,
        Kind::SchemaChange,
        Kind::Restore,
        Kind::Join,
        Kind::Leave,
        Kind::Replace,
    ];

    /// Of a counting service.
    pub const SERVICE: [Kind; 9] = [
        Kind::KillWorker,
        Kind::Poison,
        Kind::DatabaseDown,
        Kind::SlowDatabase,
        Kind::Rebalance,
        Kind::CountingBug,
        Kind::Recount,
        Kind::Rename,
        Kind::AddField,
    ];

    /// Its name in scenario files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Partition => "partition",
            Kind::Crash => "crash",
            Kind::Pause => "pause",
            Kind::SlowMachine => "slow_machine",
            Kind::Loss => "loss",
            Kind::ClockSkew => "clock_skew",
            Kind::LoadSpike => "load_spike",
            Kind::HotKey => "hot_key",
            Kind::Restart => "restart",
            Kind::SlowDisk => "slow_disk",
            Kind::OneWayCut => "one_way_cut",
            Kind::Delay => "delay",
            Kind::Duplication => "duplication",
            Kind::Split => "split",
            Kind::Merge => "merge",
            Kind::SchemaChange => "schema_change",
            Kind::Restore => "restore",
            Kind::Join => "join",
            Kind::Leave => "leave",
            Kind::Replace => "replace",
            Kind::KillWorker => "crash",
            Kind::DatabaseDown => "partition",
            Kind::SlowDatabase => "slow_machine",
            Kind::Poison => "poison",
            Kind::Rebalance => "rebalance",
            Kind::CountingBug => "counting_bug",
            Kind::Recount => "recount",
            Kind::Rename => "rename",
            Kind::AddField => "add_field",
        }
    }

    pub fn icon(self) -> &'static str {
        match self {
            Kind::Restart => "restart_node",
            Kind::Pause => "pause_node",
            Kind::Join => "split",
            Kind::Leave => "merge",
            Kind::Replace => "restore",
            Kind::Poison => "warning",
            Kind::Rebalance => "split",
            Kind::CountingBug => "bad",
            Kind::Recount => "restart_node",
            Kind::Rename => "file",
            Kind::AddField => "schema_change",
            other => other.name(),
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Kind::Partition => "Cut the network",
            Kind::Crash => "Crash a node",
            Kind::Pause => "Pause a node",
            Kind::SlowMachine => "Slow a node",
            Kind::Loss => "Lose messages",
            Kind::ClockSkew => "Skew a clock",
            Kind::LoadSpike => "Spike the load",
            Kind::HotKey => "Heat one key",
            Kind::Restart => "Restart a node",
            Kind::SlowDisk => "Slow a disk",
            Kind::OneWayCut => "Cut one way",
            Kind::Delay => "Delay messages",
            Kind::Duplication => "Double messages",
            Kind::Split => "Split a shard",
            Kind::Merge => "Merge two shards",
            Kind::SchemaChange => "Change a schema",
            Kind::Restore => "Restore a shard",
            Kind::Join => "Let a node join",
            Kind::Leave => "Let a node leave",
            Kind::Replace => "Replace a node",
            Kind::KillWorker => "Kill a worker",
            Kind::Poison => "Poison views",
            Kind::DatabaseDown => "Database down",
            Kind::SlowDatabase => "Slow the database",
            Kind::Rebalance => "Rebalance",
            Kind::CountingBug => "Ship a bug",
            Kind::Recount => "Recount",
            Kind::Rename => "Rename a channel",
            Kind::AddField => "Add a field",
        }
    }

    /// What it means, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Kind::Partition => "Nothing passes between the two sides. Within a side all is well.",
            Kind::Crash => {
                "The process and its memory are gone. When you lift it, it starts again from its disk."
            }
            Kind::Pause => {
                "It stands still, as in a long garbage collection: nothing is lost, everything waits."
            }
            Kind::SlowMachine => "Everything that its processor does takes longer.",
            Kind::Loss => "Some messages never arrive. Connections send them again; gossip does not.",
            Kind::ClockSkew => "Its clock is wrong, and it does not know.",
            Kind::LoadSpike => "Clients ask more often.",
            Kind::HotKey => "One key becomes very popular.",
            Kind::Restart => "It stops and starts at once, and remembers what its disk does.",
            Kind::SlowDisk => "Its disk takes longer to read, and to make writes durable.",
            Kind::OneWayCut => {
                "Messages pass one way only: requests arrive and answers do not, or the reverse."
            }
            Kind::Delay => "Messages take longer.",
            Kind::Duplication => "Some messages arrive twice.",
            Kind::Split => {
                "A part of its keys moves to a shard that stands by, while it serves. Lifted before it is done, it is given up."
            }
            Kind::Merge => {
                "All its keys move to a neighbour, while it serves. Lifted before it is done, it is given up."
            }
            Kind::Restore => {
                "It goes back to what its backup has (Design, MySQL, Backups): what was written later is undone."
            }
            Kind::Join => {
                "A spare of a ring (Design, Ring) becomes a part of it, and takes ranges of the others."
            }
            Kind::Leave => "It hands its ranges to the others of its ring, and is a spare then.",
            Kind::Replace => "A spare of a ring takes the place of a node that is believed dead.",
            Kind::KillWorker => "Its partitions go to others, which begin at its last checkpoint.",
            Kind::Poison => "Some views cannot be read: dead letters, or they block their partition.",
            Kind::DatabaseDown => "No worker and no reader reaches the database. Rows wait, then views.",
            Kind::SlowDatabase => "Everything that the database does takes longer.",
            Kind::Rebalance => "All partitions are dealt out to workers anew.",
            Kind::CountingBug => {
                "A version goes out that leaves one kind of device out. Lifted, one that does not."
            }
            Kind::Recount => {
                "Everything is counted again, from the views in the object store, if they are there."
            }
            Kind::Rename => "In one row, or in the row of every video of it, as the model has it.",
            Kind::AddField => "Workers write a field more; readers get their new version ten seconds later.",
            Kind::SchemaChange => {
                "Its table gets another column, online or under a lock (Design, MySQL). Lifted before it is done, it is given up."
            }
        }
    }

    /// Whether it acts on nodes that have to be named.
    pub fn has_target(self) -> bool {
        matches!(
            self,
            Kind::Crash
                | Kind::Pause
                | Kind::SlowMachine
                | Kind::ClockSkew
                | Kind::Restart
                | Kind::SlowDisk
                | Kind::Join
                | Kind::Leave
                | Kind::Replace
        )
    }

    /// Whether it acts on messages from somewhere to somewhere.
    pub fn has_way(self) -> bool {
        matches!(self, Kind::Loss | Kind::OneWayCut | Kind::Delay | Kind::Duplication)
    }

    /// What else has to be chosen of a shard that changes: the question, and what can be answered.
    pub fn place(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Kind::Split => Some((
                "From where on? (80: the upper half of all hashes)",
                &["D", "G", "J", "N", "Q", "T", "80"],
            )),
            Kind::Merge => Some(("Into which?", &["1", "2", "3", "4"])),
            Kind::Restore => Some(("To how many seconds before?", &["newest", "1", "5", "10", "30"])),
            _ => None,
        }
    }

    /// Whether it is over as soon as it is done.
    pub fn is_instant(self) -> bool {
        matches!(self, Kind::Restart | Kind::Rebalance | Kind::Recount | Kind::Rename)
    }

    pub fn amounts(self) -> Option<Amounts> {
        let amounts = |question, choices, default, prefix, unit| {
            Some(Amounts { question, choices, default, prefix, unit })
        };
        match self {
            Kind::SlowMachine => amounts("How much slower?", &[2.0, 5.0, 10.0, 50.0], 10.0, "", "×"),
            Kind::SlowDisk => amounts("How much slower?", &[5.0, 20.0, 100.0], 20.0, "", "×"),
            Kind::Loss => amounts("How many are lost?", &[1.0, 5.0, 20.0, 50.0], 20.0, "", " %"),
            Kind::Duplication => amounts("How many arrive twice?", &[5.0, 20.0, 50.0], 20.0, "", " %"),
            Kind::Delay => amounts("How much later?", &[10.0, 50.0, 200.0, 1_000.0], 50.0, "", " ms"),
            Kind::ClockSkew => {
                amounts("How wrong?", &[-5_000.0, -500.0, 500.0, 5_000.0], 5_000.0, "+", " ms")
            }
            Kind::LoadSpike => amounts("How much more?", &[2.0, 4.0, 8.0, 16.0], 4.0, "×", ""),
            Kind::HotKey => {
                amounts("How much of all traffic goes to it?", &[20.0, 50.0, 90.0], 50.0, "", " %")
            }
            Kind::Split | Kind::Merge | Kind::SchemaChange | Kind::Restore => {
                amounts("Which shard?", &[1.0, 2.0, 3.0, 4.0], 1.0, "", "")
            }
            Kind::KillWorker => amounts("Which worker?", &[1.0, 2.0, 3.0, 4.0], 1.0, "", ""),
            Kind::Poison => amounts("How many?", &[0.1, 1.0, 10.0, 100.0], 1.0, "", " %"),
            Kind::SlowDatabase => amounts("How much slower?", &[5.0, 20.0, 100.0], 20.0, "", "×"),
            Kind::CountingBug => amounts("Which device?", &[0.0, 1.0, 2.0, 3.0], 2.0, "", ""),
            Kind::Rename => amounts("Which channel?", &[0.0, 1.0, 2.0, 3.0], 1.0, "", ""),
            Kind::DatabaseDown
            | Kind::Rebalance
            | Kind::Recount
            | Kind::AddField
            | Kind::Partition
            | Kind::Crash
            | Kind::Pause
            | Kind::Restart
            | Kind::OneWayCut
            | Kind::Join
            | Kind::Leave
            | Kind::Replace => None,
        }
    }
}

impl Amounts {
    /// One of its choices, in words.
    pub fn describe(&self, amount: f64) -> String {
        let prefix = if self.prefix == "+" && amount < 0.0 { "" } else { self.prefix };
        // A true minus sign is as wide as the plus.
        format!("{prefix}{amount}{}", self.unit).replace('-', "−")
    }
}
