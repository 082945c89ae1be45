//! Python's tutorial of `multiprocessing.Manager`: a dict and a list that a child changes, and a lock around two steps.
//!
//! `cargo run --example multi_manager`

use pinring::multi::{Manager, ManagerError, Process, RDict, RList, RLock};

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

    let theirs = (d.clone(), l.clone());
    let child = Process::spawn(move || change(&theirs.0, &theirs.1, &lock).is_ok())?;
    assert!(child.join()?, "the child has changed both");

    println!("{:?}", d.to_map()?);
    println!("{:?}", l.to_vec()?);
    Ok(manager.shutdown()?)
}
