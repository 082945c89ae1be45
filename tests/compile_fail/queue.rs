//! The ends of a queue, and what is taken out on approval.
//~ other_type: E0308 mismatched types
//~ get_from_producer: E0599 no method named `get`
//~ put_into_consumer: E0599 no method named `put`
//~ used_after_ack: E0382 `leased`
//~ acked_twice: E0382 `leased`
//~ foreign_ack: E0599 no method named `ack`
//~ outlives_consumer: E0505 cannot move out of `ours`
//~ to_another_process: E0597 `consumer` does not live long enough
//~ waits_for_producer: E0277 Producer<u64>: Waitable` is not satisfied

use pinring::multi::{Process, Waitable, queue};

fn main() {
    let (producer, consumer) = queue::<u64>(4).unwrap();
    #[cfg(not(wrong))]
    producer.put(1).unwrap();
    #[cfg(wrong = "other_type")]
    producer.put("one").unwrap();
    #[cfg(wrong = "get_from_producer")]
    producer.get().unwrap();
    #[cfg(wrong = "put_into_consumer")]
    consumer.put(1).unwrap();
    #[cfg(wrong = "waits_for_producer")]
    let _items: [&dyn Waitable; 1] = [&producer];

    let ours = consumer.clone();
    let leased = ours.lease().unwrap();
    #[cfg(wrong = "outlives_consumer")]
    drop(ours);
    #[cfg(wrong = "foreign_ack")]
    consumer.ack(&leased);
    let attempt = leased.attempt();
    leased.ack();
    #[cfg(wrong = "used_after_ack")]
    let attempt = leased.attempt();
    #[cfg(wrong = "acked_twice")]
    leased.ack();

    let kept = consumer.lease().unwrap();
    #[cfg(wrong = "to_another_process")]
    let kept = Process::spawn(move || kept.ack());
    drop(kept);
    let _items: (u32, [&dyn Waitable; 1]) = (attempt, [&consumer]);
    let _child = Process::spawn(move || drop(producer));
}
