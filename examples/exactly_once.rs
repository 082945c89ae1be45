//! A step that survives kill -9: a child adds numbers up and is killed again and again; the sum is right.
//!
//! `cargo run --release --example exactly_once`

use std::time::Duration;

use pinring::process::{Identity, spawn};
use pinring::ring::{LaneRegions, Options, Step, StepRegions};
use pinring::shm::{Layout, Segment};

const COUNT: u64 = 200_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut layout = Layout::default();
    let numbers = LaneRegions::reserve(&mut layout, 0, 1024, size_of::<u64>())?;
    let regions = StepRegions::reserve::<u64>(&mut layout, 0)?;
    let segment = Segment::create(&layout)?;
    let (mut tx, _) = Options::new(1024).ends_in::<u64>(&segment, numbers)?;

    // Whichever process runs this goes on where the last one was killed.
    let work = || -> Result<u64, pinring::ring::Fault> {
        let mut builder = Step::<u64>::builder(&segment, regions);
        let input = builder.input::<u64>(numbers);
        let mut step = builder.recover()?;
        while step.wait_for(input, None)? {
            for _ in 0..32 {
                if let Some(number) = step.take(input)? {
                    *step.state() += number;
                }
            }
            step.commit();
        }
        Ok(*step.state())
    };
    let (mut next, mut kills) = (1, 0);
    while next <= COUNT {
        let child = spawn(Identity { name: "adder", core: None, keep: &[] }, || i32::from(work().is_err()))?;
        for _ in 0..COUNT / 50 {
            if next <= COUNT && tx.push(next).is_ok() {
                next += 1;
            } else {
                std::thread::sleep(Duration::from_micros(10));
            }
        }
        child.pidfd.kill()?;
        while pinring::sys::wait::reap(child.pid)?.is_none() {}
        kills += 1;
    }
    drop(tx);
    let sum = work()?;
    println!("{kills} kills; the sum of 1 to {COUNT} is {sum}");
    if sum == COUNT * (COUNT + 1) / 2 { Ok(()) } else { Err("the sum is wrong".into()) }
}
