//! The tests of everything but the page, in one binary.

mod command_line;
mod engine_determinism;
mod engine_disk;
mod engine_faults;
mod engine_machine;
mod engine_network;
mod engine_power;
mod engine_queue;
mod engine_random;
mod json_schema;
mod layers;
mod links;
mod presets;
mod prices;
mod probe;
mod queueing;
mod recorded;
mod resharding;
mod scenario_errors;
mod session;
mod small_world;
mod sql_mechanisms;
mod sql_safety;
mod sql_scenarios;
mod swarm;
mod switches;
