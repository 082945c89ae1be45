//! A manager's objects have types, and it is over with its shutdown.
//~ after_shutdown: E0382 `manager`
//~ shut_down_twice: E0382 `manager`
//~ started_twice: E0382 `builder`
//~ other_type: E0308 mismatched types
//~ reference_within: - `serde_core::de::Deserialize` is not general enough
//~ not_a_service: E0277 `u64: Service` is not satisfied
//~ released_by_hand: E0599 no method named `release`

use pinring::multi::Manager;

fn main() {
    let builder = Manager::builder();
    #[cfg(wrong = "not_a_service")]
    let builder = builder.register::<u64>();
    let manager = builder.start().unwrap();
    #[cfg(wrong = "started_twice")]
    let _second = builder.start();
    let dict = manager.dict::<String, i64>().unwrap();
    dict.insert("x".to_owned(), 1).unwrap();
    #[cfg(wrong = "other_type")]
    dict.insert(1, 1).unwrap();
    #[cfg(wrong = "reference_within")]
    let _list = manager.list::<&'static str>();
    let lock = manager.lock().unwrap();
    #[cfg(wrong = "released_by_hand")]
    lock.release();
    drop(lock.acquire());
    manager.shutdown().unwrap();
    #[cfg(wrong = "after_shutdown")]
    let _event = manager.event();
    #[cfg(wrong = "shut_down_twice")]
    let _again = manager.shutdown();
}
