//! Python's tutorial of `multiprocessing.Manager`: a dict and a list that a child changes, and a lock around two steps.
//!
//! `cargo run --example multi_manager`

use pinring::multi::{Manager, ManagerError, RDict, RList, RLock};
use pinring::process::{Identity, spawn};
use pinring::sys::wait;

fn change(d: &RDict<String, i64>, l: &RList<i64>, lock: &RLock) -> Result<(), ManagerError> {
    d.insert("one".into(), 1)?;
    d.insert("two".into(), 2)?;
    // Not `get` and then `insert`, between which another process may do the same.
    d.update(&"count".into(), |count| Some(count.unwrap_or(0) + 1))?;
    // Several steps that belong together; if this process died here the next holder would be told.
    let guard = lock.acquire()?;
    let mut all = l.to_vec()?;
    all.reverse();
    l.clear()?;
    l.extend(all)?;
    guard.release()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = Manager::start()?;
    let (d, l, lock) = (manager.dict()?, manager.list()?, manager.lock()?);
    l.extend(0..10)?;

    let child = spawn(Identity { name: "child", core: None, keep: &[] }, || i32::from(change(&d, &l, &lock).is_err()))?;
    while wait::reap(child.pid)?.is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }

    println!("{:?}", d.to_map()?);
    println!("{:?}", l.to_vec()?);
    Ok(manager.shutdown()?)
}
