//! Children whose parent ends before them, or lets them go.

use std::thread::sleep;
use std::time::Duration;

use pinring::multi::{Blob, Process, Sender, active_children, blocks_in_use, parent_process, pipe};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("children_of_a_killed_parent_are_not_left_behind_if_bound", bound),
    ("a_detached_child_leaves_nothing_behind", detached),
    ("what_a_detached_child_returns_is_freed", detached_value),
    ("a_parent_that_has_ended_is_not_taken_for_another", parent_has_ended),
];

const MS: Duration = Duration::from_millis(1);

fn bound() {
    let (read, write) = nix::unistd::pipe().unwrap();
    let child = Process::spawn(move || {
        // Its end takes its time.
        let mut memory = vec![1u8; 1 << 28];
        let own = Process::builder().die_with_parent(true).spawn(move || {
            memory.fill(2);
            sleep(Duration::from_secs(100));
        });
        let own = own.unwrap();
        sleep(500 * MS);
        nix::unistd::write(&write, &own.pid().to_ne_bytes()).unwrap();
        sleep(Duration::from_secs(100));
    });
    let child = child.unwrap();
    let mut pid = [0; 4];
    nix::unistd::read(&read, &mut pid).unwrap();
    let grandchild = format!("/proc/{}/stat", u32::from_ne_bytes(pid));
    assert!(std::fs::exists(&grandchild).unwrap());
    child.kill().unwrap();
    drop(child);
    let lives = std::fs::read_to_string(&grandchild).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(!lives, "its parent was buried before it");
}

fn detached() {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    Process::spawn(|| {}).unwrap().join().unwrap();
    let before = open();
    for round in 0..300u64 {
        let child = Process::spawn(|| {}).unwrap();
        // Some have ended by then.
        sleep(MS * u32::try_from(round % 3).unwrap());
        child.detach();
    }
    assert_eq!(open(), before);
    let own = format!(" {} ", std::process::id());
    let zombies = || {
        let stats = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            Some(stat.rsplit_once(')')?.1.starts_with(&format!(" Z{own}")))
        });
        stats.filter(|is_one| *is_one).count()
    };
    while zombies() > 0 {
        // It reaps those that have ended.
        Process::spawn(|| {}).unwrap().join().unwrap();
    }
}

fn detached_value() {
    let (go, wait) = pipe::<()>().unwrap();
    let (tell, told) = pipe::<()>().unwrap();
    let before = blocks_in_use();
    let waits = move |tell: Sender<()>| {
        wait.recv().unwrap();
        drop(tell);
        Blob::<u8>::zeroed(1 << 20).unwrap()
    };
    Process::spawn(move || waits(tell)).unwrap().detach();
    go.send(()).unwrap();
    assert!(told.recv().is_err());
    // It may not have been buried yet.
    while !active_children().is_empty() || blocks_in_use() > before {
        sleep(MS);
    }
}

fn parent_has_ended() {
    let (tell, told) = pipe::<(u32, bool)>().unwrap();
    let (go, wait) = pipe::<()>().unwrap();
    let parent = Process::spawn(move || {
        let child = Process::spawn(move || {
            wait.recv().unwrap();
            let parent = parent_process().unwrap();
            tell.send((parent.pid(), parent.is_alive())).unwrap();
        });
        child.unwrap().detach();
    });
    let parent = parent.unwrap();
    let pid = parent.pid();
    parent.join().unwrap();
    // It has the place that the parent had.
    let other = Process::builder().daemon(true).spawn(|| sleep(Duration::from_secs(100))).unwrap();
    go.send(()).unwrap();
    assert_eq!(told.recv().unwrap(), (pid, false));
    drop(other);
}
