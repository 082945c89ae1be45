//! Python's first program with `multiprocessing`: five processes that print.
//!
//! `cargo run --example multi_workers`

use pinring::multi::{Process, current_process};

// def worker(num):
fn worker(num: u32) {
    println!("worker {num} is {}", current_process().name);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut jobs = Vec::new();
    for num in 0..5 {
        // p = multiprocessing.Process(target=worker, args=(num,)); p.start()
        jobs.push(Process::spawn(move || worker(num))?);
    }
    for job in jobs {
        job.join()?;
    }
    Ok(())
}
