//! A ring between two processes: the child, pinned to a core of its own, works in batches and in place.
//!
//! `cargo run --release --example ring_fork`

use pinring::process::{Identity, spawn};
use pinring::topology::Topology;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Before the fork: both processes map the same memory.
    let (mut tx, mut rx) = pinring::ring::channel::<[u32; 4]>(4096)?;
    let core = Topology::detect()?.allowed().last().map(|core| core.id);
    let child = spawn(Identity { name: "writer", core, keep: &[] }, || {
        let mut next = 0;
        while next < 1_000_000u32 {
            let Ok(mut slots) = tx.reserve(64) else { return 1 };
            let count = slots.len();
            let (first, second) = slots.as_mut_slices();
            for slot in first.iter_mut().chain(second) {
                *slot = [next, next + 1, next + 2, next + 3];
                next += 4;
            }
            // Seen by the other process from here on, all at once.
            slots.commit(count);
            if count == 0 && tx.wait_for_room(64, None).is_err() {
                return 1;
            }
        }
        drop(tx);
        0
    })?;
    let mut sum = 0u64;
    while rx.wait_for_data(1, None)? {
        let batch = rx.peek(256)?;
        sum += batch.iter().flatten().map(|value| u64::from(*value)).sum::<u64>();
        let count = batch.len();
        batch.release(count);
    }
    println!("process {} sent numbers with the sum {sum}", child.pid);
    Ok(())
}
