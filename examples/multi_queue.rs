//! Python's tutorial of `multiprocessing.Queue`: two processes add up i + i^2 + i^3 and put what they got into a queue.
//!
//! `cargo run --example multi_queue`

use pinring::multi::{Process, Producer, queue};

// def job(q):
fn job(q: &Producer<u64>) {
    let res = (0..1000).map(|i: u64| i + i.pow(2) + i.pow(3)).sum();
    q.put(res).expect("somebody who gets it");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // q = mp.Queue()
    let (put, get) = queue(8)?;
    // p1 = mp.Process(target=job, args=(q,)); p1.start()
    let (q1, q2) = (put.clone(), put);
    let p1 = Process::spawn(move || job(&q1))?;
    let p2 = Process::spawn(move || job(&q2))?;
    p1.join()?;
    p2.join()?;
    // res1 = q.get()
    let (res1, res2): (u64, u64) = (get.get()?, get.get()?);
    println!("{}", res1 + res2);
    // Both producers have gone: Python would wait here for ever.
    println!("then: {}", get.get().err().ok_or("a third result")?);
    Ok(())
}
