//! Processes that come and go, one that keeps a dict for others, and one that waits.

use std::process::Command;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use pinring::multi::{Manager, Process, queue};

use crate::harness::unpin;

fn each(count: u64, mut step: impl FnMut(u64)) -> f64 {
    unpin();
    let start = Instant::now();
    (0..count).for_each(&mut step);
    start.elapsed().as_nanos() as f64 / count as f64
}

/// Starts that are not measured: the first ones have pages to touch that the others find.
const WARM: u64 = 20;

/// How processes are started.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Start {
    Spawn,
    SpawnFn,
    Fork,
}

impl Start {
    /// Nanoseconds of a start and the join, in this process.
    pub fn measure(self, count: u64) -> f64 {
        self.run(WARM);
        self.run(count)
    }

    fn run(self, count: u64) -> f64 {
        match self {
            Self::Spawn => each(count, |_| Process::spawn(|| ()).expect("a process").join().expect("its end")),
            Self::SpawnFn => {
                each(count, |_| Process::spawn_fn(|()| (), ()).expect("a process").join().expect("its end"))
            }
            Self::Fork => bare_fork(count),
        }
    }
}

/// The same in a new process of this program: what other cases have left in the memory of this one would have to be copied by each fork.
pub fn small_program(start: Start, count: u64) -> f64 {
    let start = start.to_possible_value().expect("no way is skipped");
    let mut child = Command::new("/proc/self/exe");
    let output = child.args(["starts", start.get_name(), &count.to_string()]).output().expect("this program");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("its nanoseconds")
}

fn bare_fork(count: u64) -> f64 {
    each(count, |_| {
        // SAFETY: this process has one thread; the child leaves at once.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::_exit(0);
            }
            assert!(child > 0 && libc::waitpid(child, std::ptr::null_mut(), 0) == child);
        }
    })
}

pub fn manager(count: u64) -> f64 {
    // The server inherits where it may run.
    unpin();
    let manager = Manager::start().expect("a process");
    let dict = manager.dict::<String, u64>().expect("a dict");
    let result = each(count, |number| {
        dict.insert("x".into(), number).expect("the server");
    });
    assert_eq!(dict.get(&"x".into()).expect("the server"), Some(count - 1));
    manager.shutdown().expect("its end");
    result
}

/// CPU that a process uses while it waits for an item that does not come, in percent of the time.
pub fn idle() -> f64 {
    let wait = Duration::from_millis(500);
    let (tx, rx) = queue::<u64>(8).expect("memory");
    let waiter = Process::spawn(move || {
        let before = cpu_ns();
        let _ = rx.get_timeout(wait);
        cpu_ns() - before
    });
    let used = waiter.expect("a process").join().expect("its end");
    drop(tx);
    100.0 * used as f64 / wait.as_nanos() as f64
}

fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes into `time` only.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
