//! Every operation of the rings is killed after every one of its instructions, and recovered from what it left.
//!
//! The operation runs once in a traced child, one instruction at a time. At each stop the memory is copied, and on the copy a
//! successor goes on: nothing may be torn, lost, doubled or stuck, and what a call that has returned did must have happened.
//! What cannot be seen so: a consumer that gives a message back before it has read it, since what it has read is its own; and
//! what needs two processors, which `scripts/loom` and `scripts/miri` show.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; its numbers are small"
)]

#[path = "../support/mod.rs"]
mod support;

mod blocking;
mod broken;
mod ground;
mod kind;
mod lapped;
mod step;
mod survivor;
mod twice;

/// Lists facts under their own names, each with a family of operations.
macro_rules! facts {
    ($($module:ident::$fact:ident),* $(,)?) => { vec![$((stringify!($fact), || ground::family($module::$fact))),*] };
}

fn main() -> std::process::ExitCode {
    let mut tests: Vec<support::Test> = facts![
        blocking::a_killed_push_is_there_or_not,
        blocking::a_killed_send_is_there_or_not,
        blocking::a_killed_batch_is_there_as_a_whole_or_not,
        blocking::a_killed_close_takes_nothing_with_it,
        blocking::a_killed_pop_loses_nothing,
        blocking::a_killed_reader_of_many_loses_nothing,
        blocking::what_a_killed_producer_drops_is_counted,
        lapped::a_killed_overwriter_tears_nothing,
        lapped::a_killed_reader_of_a_drop_oldest_ring_counts_exactly,
        lapped::a_tap_on_a_killed_producer_sees_whole_messages,
        lapped::the_latest_value_outlives_its_writer,
        survivor::a_surviving_consumer_goes_on_with_the_next_producer,
        survivor::a_surviving_producer_goes_on_with_the_next_consumer,
        survivor::a_sleeping_consumer_is_woken_by_the_next_producer,
        survivor::a_sleeping_producer_is_woken_by_the_next_consumer,
        twice::a_successor_may_be_killed_as_well,
        step::a_killed_step_has_happened_or_not,
        step::a_recovery_of_a_step_may_be_killed_as_well,
        step::sleeping_neighbours_of_a_killed_step_are_woken,
    ];
    tests.push(("broken_operations_are_caught", broken::broken_operations_are_caught));
    support::run(&tests, 300)
}
