//! How cost grows: with the size of messages, the depth of the ring, the number of lanes and of workers.

use std::process::ExitCode;

use ::pinring::ring::Wait;

use crate::pinring::{chain, one, round_robin, slots};

/// The median of five.
fn median(mut run: impl FnMut() -> f64) -> f64 {
    let mut samples: Vec<f64> = (0..5).map(|_| run()).collect();
    samples.sort_by(f64::total_cmp);
    samples[2]
}

/// Prints the tables.
pub fn print() -> ExitCode {
    println!("size of a message (256 KiB of slots, one at a time)          M msg/s    GB/s");
    let row = |bytes: usize, rate: f64| println!("  {bytes:>6} B {:>53.1} {:>7.1}", rate, rate * bytes as f64 / 1e3);
    row(8, median(|| one::<1>(4_000_000, Wait::Busy, slots(1))));
    row(16, median(|| one::<2>(4_000_000, Wait::Busy, slots(2))));
    row(32, median(|| one::<4>(4_000_000, Wait::Busy, slots(4))));
    row(64, median(|| one::<8>(4_000_000, Wait::Busy, slots(8))));
    row(128, median(|| one::<16>(2_000_000, Wait::Busy, slots(16))));
    row(256, median(|| one::<32>(1_000_000, Wait::Busy, slots(32))));
    row(1024, median(|| one::<128>(300_000, Wait::Busy, slots(128))));
    row(4096, median(|| one::<512>(100_000, Wait::Busy, slots(512))));
    println!("\ndepth of the ring (64 B, one at a time)                      M msg/s");
    for depth in [2, 8, 32, 128, 512, 2048, 4096, 16_384, 65_536] {
        println!("  {depth:>6} slots {:>49.1}", median(|| one::<8>(2_000_000, Wait::Busy, depth)));
    }
    println!("\nlanes of one consumer that goes round (64 B, one producer feeds all)  M msg/s");
    for lanes in [1, 4, 16, 64] {
        println!("  {lanes:>6} {:>54.1}", median(|| round_robin(lanes, 2_000_000)));
    }
    println!(
        "\nworkers in a chain, each a process, taking turns on these cores (64 B)  M msg/s through all    ns a message and worker"
    );
    for workers in [2, 4, 8, 16, 32, 64] {
        let count = 2_000_000 / workers as u64;
        let rate = median(|| chain(workers, count));
        println!("  {workers:>6} {rate:>54.2} {:>26.1}", 1e3 / rate / workers as f64);
    }
    ExitCode::SUCCESS
}
