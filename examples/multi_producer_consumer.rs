//! Python's tutorial of a producer and consumers. The end needs no `None` in the queue, one for each consumer: it comes when the last
//! producer has gone, also when that was killed.
//!
//! `cargo run --example multi_producer_consumer`

use pinring::multi::{Consumer, Process, Producer, queue};

fn producer(q: &Producer<u32>) {
    for item in 0..10 {
        q.put(item).expect("a consumer");
    }
}

fn consumer(q: &Consumer<u32>) -> (u32, u32) {
    let (mut items, mut sum) = (0, 0);
    // while True: item = q.get(); if item is None: break
    for item in q {
        items += 1;
        sum += item;
    }
    (items, sum)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (put, get) = queue(4)?;
    let mut consumers = Vec::new();
    for _ in 0..2 {
        let q = get.clone();
        consumers.push(Process::spawn(move || consumer(&q))?);
    }
    Process::spawn(move || producer(&put))?.join()?;
    let (mut items, mut sum) = (0, 0);
    for process in consumers {
        // What a process returns comes back by itself: a second queue is not needed.
        let (its_items, its_sum) = process.join()?;
        items += its_items;
        sum += its_sum;
    }
    println!("{items} items with the sum {sum}");
    Ok(())
}
