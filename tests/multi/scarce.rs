//! What happens where the system gives little.

use std::num::NonZeroUsize;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{geteuid, setgid, setuid};
use pinring::multi::{
    ExitStatus, JoinError, Mutex, Pool, Process, Serde, SharedMemory, SpawnError, TaskError, active_children, init,
    queue,
};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("a_launcher_without_descriptors_sees_everybody_end", few_descriptors),
    ("a_process_that_cannot_be_observed_is_not_started", no_descriptor),
    ("a_launcher_that_no_process_was_to_be_had_for_is_tried_again", no_process),
    ("a_map_without_memory_for_its_results_is_an_error_and_its_pool_goes_on", no_memory),
    ("a_queue_for_more_than_the_machine_has_is_refused", too_much),
    ("a_limit_on_files_is_an_error_and_no_signal", small_files),
    ("without_proc_shared_memory_says_that_it_is_missing", no_proc),
];

/// Lets this process, and those that it starts, have so much of it.
fn allow(what: Resource, most: u64) {
    setrlimit(what, most, most).unwrap();
}

fn square(n: i64) -> i64 {
    n * n
}

fn few_descriptors() {
    // The launcher has what it needs itself, and none for those it is to see end.
    allow(Resource::RLIMIT_NOFILE, 10);
    init().unwrap();
    for n in 0..3 {
        assert_eq!(Process::spawn_fn(square, n).unwrap().join(), Ok(n * n));
        assert_eq!(Process::spawn(move || n).unwrap().join(), Ok(n));
    }
    let child = Process::spawn_fn(|()| std::thread::sleep(Duration::from_secs(1000)), ()).unwrap();
    child.kill().unwrap();
    assert_eq!(child.join(), Err(JoinError::Exited(ExitStatus::Signal { signal: 9, core_dumped: false })));
}

fn no_descriptor() {
    init().unwrap();
    let all = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    allow(Resource::RLIMIT_NOFILE, all);
    let taken: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    // More often than a family has places.
    for _ in 0..300 {
        assert!(matches!(Process::spawn(|| ()), Err(SpawnError::System(_))));
        assert!(matches!(Process::spawn_fn(square, 1), Err(SpawnError::System(_))));
    }
    drop(taken);
    // The launcher ends the last of them.
    while !active_children().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(Process::spawn_fn(square, 3).unwrap().join(), Ok(9));
}

fn no_process() {
    // For root there is no such limit.
    if geteuid().is_root() {
        setgid(65534.into()).unwrap();
        setuid(65534.into()).unwrap();
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
    setrlimit(Resource::RLIMIT_NPROC, 1, hard).unwrap();
    assert!(matches!(init(), Err(SpawnError::System(_))));
    assert!(matches!(init(), Err(SpawnError::System(_))));
    Mutex::new(0u8).unwrap_err();
    setrlimit(Resource::RLIMIT_NPROC, soft, hard).unwrap();
    assert_eq!(Process::spawn_fn(square, 3).unwrap().join(), Ok(9));
}

/// Bytes of memory that this process has mapped.
fn mapped() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

fn no_memory() {
    let pool = Pool::with_processes(2).unwrap();
    assert_eq!(pool.map(square, 0..3).unwrap(), [0, 1, 4]);
    allow(Resource::RLIMIT_AS, mapped() + (20 << 20));
    for chunk in [1, 100_000] {
        let map = pool.map_with(square, 0..4_000_000).chunk_size(NonZeroUsize::new(chunk).unwrap());
        let error = map.collect().unwrap_err();
        assert!(matches!(error.error, TaskError::NoMemory(_)), "{error}");
        assert!(error.completed.is_empty());
    }
    assert_eq!(pool.map(square, 0..3).unwrap(), [0, 1, 4]);
}

fn too_much() {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
    let available = line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10;
    let error = queue::<[u64; 128]>(available / 512).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::OutOfMemory, "{error}");
    queue::<[u64; 128]>(1).unwrap();
}

/// Gives this process an empty /proc of its own.
fn hide_proc() -> nix::Result<()> {
    let nothing = None::<&str>;
    let own = CloneFlags::CLONE_NEWNS;
    unshare(own).or_else(|_| unshare(own | CloneFlags::CLONE_NEWUSER))?;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    mount(Some("none"), "/proc", Some("tmpfs"), MsFlags::empty(), nothing)
}

fn no_proc() {
    let name = format!("pinring-no-proc-{}", std::process::id());
    let child = Process::spawn(move || match hide_proc() {
        Ok(()) => Serde(SharedMemory::create(&name, 4096).unwrap_err().to_string()),
        Err(error) => Serde(format!("/proc is not to be hidden here: {error}")),
    });
    let Serde(said): Serde<String> = child.unwrap().join().unwrap();
    println!("{said}");
    assert!(said.contains("/proc is not"), "{said}");
}

fn small_files() {
    let name = format!("pinring-small-{}", std::process::id());
    allow(Resource::RLIMIT_FSIZE, 4096);
    for refused in [init().unwrap_err().to_string(), SharedMemory::create(&name, 4096).unwrap_err().to_string()] {
        assert!(refused.contains("`ulimit -f`"), "{refused}");
    }
}
