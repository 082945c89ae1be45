//! `pinring::multi` beside Rust's channels, locks and thread pools, and beside CPython's `multiprocessing`.
//!
//! Every case once a round, in random order; medians.

mod asleep;
mod bare_map;
mod channels;
mod locks;
mod pools;
mod processes;
mod python;

pub use processes::Start;

use crate::goals::{self, Bound, Goal};
use crate::{Case, IntoSamples, measure};

const QUEUE: &str = "queue, 64 B, 1 -> 1, ns an item";
const FAN_IN: &str = "queue, 64 B, 4 -> 1, ns an item";
const TRIP: &str = "pipe, there and back, default waiting, ns";
const ASLEEP: &str = "pipe, there and back, the other sleeps, ns";
const MAP: &str = "map of 1,000,000 i64, ns a number";
const MAP_1: &str = "map of i64, chunk size 1, ns a number";
const APPLY: &str = "apply, a task and its result, ns";
const LOCK: &str = "lock, taken and given back, alone, ns";
const LOCK_2: &str = "lock, taken and given back, by two, ns a pair";
const VALUE: &str = "value += 1, ns";
const PROCESS: &str = "process, start and join, ns";
const MANAGER: &str = "manager, dict set, ns";
const IDLE: &str = "waiting for nothing, % of a core";

/// What is to be reached, of figures where less is better.
const GOALS: &[Goal] = &[
    (QUEUE, "pinring", Bound::Faster(100.0), &["CPython Queue"]),
    (QUEUE, "pinring", Bound::Faster(1.0), &["crossbeam-channel", "ipc-channel"]),
    (QUEUE, "pinring spsc", Bound::Faster(3.0), &["pinring"]),
    (QUEUE, "pinring spsc", Bound::Faster(1.5), &["rtrb"]),
    (FAN_IN, "pinring", Bound::Faster(100.0), &["CPython Queue"]),
    (FAN_IN, "pinring", Bound::Faster(1.0), &["crossbeam-channel", "ipc-channel"]),
    (TRIP, "pinring", Bound::Faster(20.0), &["CPython Pipe"]),
    (ASLEEP, "pinring", Bound::AtMost(1.05), &["limit: eventfd pair"]),
    (MAP, "pinring", Bound::AtMost(1.1), &["rayon"]),
    (MAP, "pinring", Bound::AtMost(1.3), &["limit: two bare processes"]),
    (MAP, "pinring", Bound::AtMost(1.0), &["a loop"]),
    (MAP_1, "pinring", Bound::Faster(200.0), &["CPython Pool"]),
    (MAP_1, "pinring", Bound::AtMost(0.9), &["rayon"]),
    (APPLY, "pinring", Bound::Faster(20.0), &["CPython Pool"]),
    (LOCK, "pinring", Bound::AtMost(1.0), &["parking_lot"]),
    (LOCK_2, "pinring", Bound::AtMost(1.3), &["parking_lot"]),
    (PROCESS, "pinring spawn", Bound::Faster(20.0), &["CPython Process"]),
    (PROCESS, "pinring spawn", Bound::AtMost(1.8), &["limit: fork, exit, wait"]),
    (PROCESS, "pinring spawn_fn", Bound::Faster(20.0), &["CPython Process, forkserver"]),
    (PROCESS, "pinring spawn_fn", Bound::AtMost(1.5), &["limit: fork, exit, wait"]),
    (MANAGER, "pinring", Bound::Faster(5.0), &["CPython Manager"]),
    (IDLE, "pinring", Bound::Under(0.1), &[]),
];

/// Of what is done in a sample.
const ITEMS: u64 = 1_000_000;
const MANY: u64 = 10_000_000;
const NUMBERS: i64 = 1_000_000;
const PAIRS: u64 = 2_000_000;
const TRIPS: u64 = 20_000;
const SLEEPS: u64 = 1_000;

fn cases() -> Vec<Case> {
    crate::cases! {
        &[QUEUE] => {
            "pinring": channels::ours(1, ITEMS),
            "pinring spsc": channels::one_to_one(MANY),
            "a ring of pinring's": channels::ring(MANY),
            "rtrb": channels::rtrb(MANY),
            "crossbeam-channel": channels::crossbeam(1, ITEMS),
            "ipc-channel": channels::ipc(1, ITEMS / 10),
            "CPython Queue": python::each("queue_1", 50_000),
        }
        &[FAN_IN] => {
            "pinring": channels::ours(4, ITEMS),
            "crossbeam-channel": channels::crossbeam(4, ITEMS),
            "ipc-channel": channels::ipc(4, ITEMS / 10),
            "CPython Queue": python::each("queue_4", 50_000),
        }
        &[TRIP] => {
            "pinring": channels::trip(TRIPS),
            "CPython Pipe": python::each("pipe", 4_000),
        }
        &[ASLEEP] => {
            "pinring": asleep::ours(SLEEPS),
            "limit: eventfd pair": asleep::eventfd(SLEEPS),
            "limit: futex pair": asleep::futex(SLEEPS),
        }
        &[MAP] => {
            "pinring": pools::ours(NUMBERS, 0),
            "rayon": pools::rayon(NUMBERS, 0),
            "a loop": pools::serial(NUMBERS),
            "limit: two bare processes": pools::bare(NUMBERS),
            "CPython Pool": python::each("pool_map_default", NUMBERS as u64),
        }
        &[MAP_1] => {
            "pinring": pools::ours(NUMBERS / 5, 1),
            "rayon": pools::rayon(NUMBERS / 5, 1),
            "CPython Pool": python::each("pool_map_1", 10_000),
        }
        &[APPLY] => {
            "pinring": pools::apply(10_000),
            "CPython Pool": python::each("pool_apply", 2_000),
        }
        &[LOCK] => {
            "pinring": locks::ours_alone(PAIRS),
            "parking_lot": locks::parking_lot_alone(PAIRS),
            "std": locks::std_alone(PAIRS),
            "CPython Lock": python::each("lock", 200_000),
        }
        &[LOCK_2] => {
            "pinring": locks::ours_contended(PAIRS),
            "parking_lot": locks::parking_lot_contended(PAIRS),
            "std": locks::std_contended(PAIRS),
            "CPython Lock": python::each("lock_2", 100_000),
        }
        &[VALUE] => {
            "pinring": locks::add(PAIRS),
            "CPython Value": python::each("value_add", 100_000),
        }
        &[PROCESS] => {
            "pinring spawn": processes::small_program(Start::Spawn, 1_000),
            "pinring spawn_fn": processes::small_program(Start::SpawnFn, 1_000),
            "limit: fork, exit, wait": processes::small_program(Start::Fork, 1_000),
            "CPython Process": python::each("process", 50),
            "CPython Process, forkserver": python::each("process_forkserver", 20),
        }
        &[MANAGER] => {
            "pinring": processes::manager(10_000),
            "CPython Manager": python::each("manager_dict", 4_000),
        }
        &[IDLE] => {
            "pinring": processes::idle(),
        }
    }
}

/// Runs all cases, prints them and the goals; 1: a goal was missed.
pub fn run(rounds: usize, only: &str, json: bool) -> std::process::ExitCode {
    pinring::multi::init().expect("a family");
    let results = measure(cases(), rounds, only);
    if json {
        crate::print_json(&results);
        return std::process::ExitCode::SUCCESS;
    }
    println!("medians of {rounds} rounds");
    crate::print(&results);
    std::process::ExitCode::from(u8::from(goals::print(GOALS, &results) > 0))
}
