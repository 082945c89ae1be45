//! A ring between two threads: samples one way, at the pace of the slower.
//!
//! `cargo run --release --example ring_threads`

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut tx, mut rx) = pinring::ring::channel::<f64>(1024)?;
    let (count, sum) = std::thread::scope(|scope| {
        scope.spawn(move || {
            for step in 0..100_000 {
                // Waits when the ring is full.
                if tx.send(f64::from(step).sin()).is_err() {
                    break;
                }
            }
            // Dropping the producer is the end for the consumer.
        });
        let (mut count, mut sum) = (0, 0.0);
        while let Ok(sample) = rx.recv() {
            count += 1;
            sum += sample;
        }
        (count, sum)
    });
    println!("{count} samples, mean {:.6}", sum / f64::from(count));
    Ok(())
}
