//! Python's tutorial of `Lock`: two processes add to the same number, each five times without the other coming in between.
//!
//! `cargo run --example multi_lock`

use std::thread::sleep;
use std::time::Duration;

use pinring::multi::{Mutex, Process};

// def job(v, num, l):
fn job(v: &Mutex<i32>, num: i32) {
    // l.acquire(): the number is in the lock, so that nobody can forget to take it.
    let mut v = v.lock().expect("nobody died with it");
    for _ in 0..5 {
        sleep(Duration::from_millis(10));
        *v += num;
        println!("{num} more: {}", *v);
    }
    // l.release() is the end of `v`.
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // l = mp.Lock(); v = mp.Value('i', 0)
    let v = Mutex::new(0)?;
    let (v1, v3) = (v.clone(), v.clone());
    // p1 = mp.Process(target=job, args=(v, 1, l))
    let p1 = Process::spawn(move || job(&v1, 1))?;
    let p2 = Process::spawn(move || job(&v3, 3))?;
    p1.join()?;
    p2.join()?;
    println!("at the end: {}", *v.lock().map_err(|error| error.to_string())?);
    Ok(())
}
