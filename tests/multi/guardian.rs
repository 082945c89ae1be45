//! The launcher is killed, and its guardian goes on in its place: wherever that happens nobody waits for ever, and nothing is lost.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use pinring::multi::{
    Blob, Consumer, Death, ExitStatus, JoinError, LockError, Mutex, Permit, Pool, Process, Producer, Retry, Semaphore,
    SharedMemory, TaskError, blocks_in_use, exit, init, queue, task_attempt,
};

use crate::launcher::{guardian, kill_both, launcher};
use crate::random::Random;
use crate::{Case, repeats};

pub(crate) const CASES: &[Case] = &[
    ("a_kill_of_the_launcher_does_not_matter_to_those_it_started", with_children),
    ("a_kill_of_the_launcher_leaves_no_zombie_of_those_it_started", orphans),
    ("a_launcher_that_a_real_time_signal_kills_has_a_successor", by_real_time),
    ("a_launcher_of_who_ignores_its_children_has_a_successor", children_ignored),
    ("a_kill_of_the_launcher_is_survived_by_starts", starts),
    ("a_kill_of_the_launcher_is_survived_by_a_pool_whose_workers_are_killed", pool),
    ("a_kill_of_the_launcher_is_survived_by_what_the_killed_held", deaths),
    ("a_kill_of_the_guardian_is_no_matter", guardian_killed),
    ("points_of_a_burial_where_the_launcher_is_killed", points_of_a_burial),
    ("points_of_a_start_where_the_launcher_is_killed", points_of_a_start),
    ("points_of_a_worker_s_replacement_where_the_launcher_is_killed", points_of_a_replacement),
    ("a_pool_says_so_when_launcher_and_guardian_and_workers_are_killed", nobody_left),
];

const MS: Duration = Duration::from_millis(1);

fn square(n: i64) -> i64 {
    n * n
}

/// Does it in a process that has a launcher of its own, and ends it.
fn in_a_family_of_its_own(trial: impl FnOnce()) {
    // SAFETY: this process has one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0))),
        ForkResult::Child => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(trial));
            std::process::exit(i32::from(done.is_err()));
        }
    }
}

/// Has somebody else kill the launcher in so long a time.
fn kill_launcher_after(time: Duration) -> Pid {
    init().unwrap();
    let launcher = launcher();
    // SAFETY: this process has one thread; the child calls nothing that needs what it has.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            std::thread::sleep(time);
            kill(launcher, Signal::SIGKILL).unwrap();
            // SAFETY: ends the process, and nothing else.
            unsafe { libc::_exit(0) }
        }
    }
}

/// Everything that was held is given back, soon.
fn expect_nothing_held() {
    while blocks_in_use() != 0 {
        std::thread::sleep(MS);
    }
}

fn each_time(trial: impl Fn(Duration)) {
    let mut random = Random::new();
    for _ in 0..repeats() {
        let time = Duration::from_micros(random.below(8000));
        in_a_family_of_its_own(|| trial(time));
    }
}

/// The launcher is killed by now, and somebody is in its place.
fn wait_for_successor(killer: Pid) {
    waitpid(killer, None).unwrap();
    survives();
}

fn by_real_time() {
    init().unwrap();
    // SAFETY: takes two integers.
    assert_eq!(unsafe { libc::kill(launcher().as_raw(), libc::SIGRTMIN() + 2) }, 0);
    survives();
    let child = Process::spawn_fn(|()| std::thread::sleep(Duration::from_secs(1000)), ()).unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { libc::kill(child.pid() as i32, libc::SIGRTMIN() + 2) }, 0);
    let signal = libc::SIGRTMIN() + 2;
    assert_eq!(child.join(), Err(JoinError::Exited(ExitStatus::Signal { signal, core_dumped: false })));
}

/// Waits until somebody is in the launcher's place.
fn survives() {
    while Process::spawn_fn(square, 3).unwrap().join() != Ok(9) {}
}

fn children_ignored() {
    // SAFETY: installs no handler.
    unsafe { nix::sys::signal::signal(Signal::SIGCHLD, nix::sys::signal::SigHandler::SigIgn) }.unwrap();
    init().unwrap();
    kill(launcher(), Signal::SIGKILL).unwrap();
    survives();
}

fn with_children() {
    init().unwrap();
    let (producer, consumer) = queue::<i64>(4).unwrap();
    let echo = |consumer: Consumer<i64>| consumer.get().unwrap();
    let launched = Process::spawn_fn(echo, consumer.clone()).unwrap();
    let forked = Process::spawn(move || consumer.get().unwrap()).unwrap();
    kill(launcher(), Signal::SIGKILL).unwrap();
    std::thread::sleep(20 * MS);
    assert!(launched.is_alive() && forked.is_alive());
    producer.put_all([4, 4]).unwrap();
    assert_eq!((launched.join(), forked.join()), (Ok(4), Ok(4)));
    let killed = Process::spawn_fn(|()| std::thread::sleep(Duration::from_secs(1000)), ()).unwrap();
    killed.kill().unwrap();
    assert_eq!(killed.join(), Err(JoinError::Exited(ExitStatus::Signal { signal: 9, core_dumped: false })));
}

fn orphans() {
    init().unwrap();
    let former = guardian();
    // Two whose parent ends before them: one while there is a guardian, and one later.
    #[expect(clippy::zombie_processes, reason = "it is left behind, as this is about")]
    let orphan = |time: u64| {
        let sleeper = std::process::Command::new("sleep").arg(format!("0.{time}")).spawn().unwrap();
        sleeper.id()
    };
    let first = Process::spawn_fn(orphan, 3).unwrap().join().unwrap();
    let second = Process::spawn_fn(orphan, 4).unwrap().join().unwrap();
    let parent_of = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<i32>().ok()
    };
    assert_eq!([first, second].map(parent_of), [Some(former.as_raw()); 2]);
    kill(launcher(), Signal::SIGKILL).unwrap();
    while [first, second].iter().any(|pid| std::path::Path::new(&format!("/proc/{pid}")).exists()) {
        std::thread::sleep(MS);
    }
}

fn starts() {
    each_time(|time| {
        let killer = kill_launcher_after(time);
        let mut unbegun = 0;
        for n in 0..40 {
            match Process::spawn_fn(square, n).unwrap().join() {
                Ok(result) => assert_eq!(result, n * n),
                // It stood by, and ended with the launcher.
                Err(JoinError::Exited(ExitStatus::Signal { signal: 9, .. } | ExitStatus::Code(125))) => unbegun += 1,
                Err(error) => panic!("{error}"),
            }
            assert_eq!(Process::spawn(move || n).unwrap().join(), Ok(n));
        }
        assert!(unbegun <= 2, "{unbegun} were not begun");
        wait_for_successor(killer);
        expect_nothing_held();
    });
}

fn pool() {
    each_time(|time| {
        let killer = kill_launcher_after(time);
        let pool = Pool::builder().processes(2).retry(Retry::UpTo(3)).build().unwrap();
        let work = |n: i64| if n % 8 == 3 && task_attempt() == 1 { exit(1) } else { n * n };
        for _ in 0..4 {
            let results = pool.map_with(work, 0..32).chunk_size(NonZeroUsize::new(4).unwrap()).collect().unwrap();
            assert!(results.iter().zip(0..).all(|(result, n)| *result == n * n));
            assert_eq!(pool.apply(work, 3), Ok(9));
        }
        wait_for_successor(killer);
        pool.join();
        expect_nothing_held();
    });
}

/// What the one is given that will be killed.
type Share = ((Mutex<u64>, Semaphore, Consumer<u64>), (Producer<Blob<u8>>, Producer<u64>, Semaphore));

/// Holds something of everything.
fn hold(((mutex, permits, consumer), (goods, lonely, ready)): Share) {
    let _value = mutex.lock().unwrap();
    let _permit = permits.acquire();
    let _lease = consumer.lease().unwrap();
    goods.put(Blob::from_slice(&[1u8, 2, 3]).unwrap()).unwrap();
    let _blob = Blob::from_slice(&[0u8; 5000]).unwrap();
    let _named = SharedMemory::create(&name(std::process::id()), 10).unwrap();
    lonely.put(5).unwrap();
    ready.release(1).unwrap();
    std::thread::sleep(Duration::from_secs(1000));
}

fn name(pid: u32) -> String {
    format!("estate-{pid}")
}

/// Has one process hold something of everything and be killed; tells what the others find.
struct Estate {
    mutex: Mutex<u64>,
    permits: Semaphore,
    values: (Producer<u64>, Consumer<u64>),
    goods: Consumer<Blob<u8>>,
    alone: Consumer<u64>,
    dead: Process<()>,
}

impl Estate {
    fn new(is_launched: bool) -> Self {
        let mutex = Mutex::new(7).unwrap();
        let permits = Semaphore::new(2).unwrap();
        let (producer, consumer) = queue::<u64>(4).unwrap();
        let (sender, goods) = queue::<Blob<u8>>(2).unwrap();
        let (lonely, alone) = queue::<u64>(2).unwrap();
        producer.put_all([1, 2]).unwrap();
        let held = Semaphore::new(0).unwrap();
        let share =
            || ((mutex.clone(), permits.clone(), consumer.clone()), (sender.clone(), lonely.clone(), held.clone()));
        let begin = || {
            let share = share();
            if is_launched { Process::spawn_fn(hold, share).unwrap() } else { Process::spawn(|| hold(share)).unwrap() }
        };
        let mut dead = begin();
        while held.acquire_timeout(10 * MS).map(Permit::forget).is_none() {
            // It stood by, and ended with the launcher.
            if !dead.is_alive() {
                dead = begin();
            }
        }
        drop((sender, lonely));
        Self { mutex, permits, values: (producer, consumer), goods, alone, dead }
    }

    /// After its death, however the launcher fared: all within the time of a wait.
    fn settle(self) {
        let pid = self.dead.pid();
        self.dead.kill().unwrap();
        match self.mutex.lock() {
            Err(LockError::OwnerDied { guard, by }) => assert_eq!((*guard, by), (7, Death::Died { pid })),
            other => panic!("{other:?}"),
        }
        let permits = [self.permits.acquire(), self.permits.acquire()];
        // In any order: the locks are given back first.
        let mut got = [0, 1].map(|_| {
            let lease = self.values.1.lease().unwrap();
            let value = (*lease, lease.attempt());
            lease.ack();
            value
        });
        got.sort_unstable();
        assert_eq!(got, [(1, 2), (2, 1)]);
        assert_eq!(self.values.0.put_all([7; 4]), Ok(4), "a place is lost");
        assert_eq!(*self.goods.get().unwrap(), [1, 2, 3]);
        assert_eq!(self.alone.get(), Ok(5));
        let end = self.alone.get().unwrap_err().to_string();
        assert!(end.contains("nobody puts"), "{end}");
        assert!(matches!(self.dead.join(), Err(JoinError::Exited(ExitStatus::Signal { signal: 9, .. }))));
        let mut names = std::fs::read_dir("/dev/shm").unwrap().flatten().map(|entry| entry.file_name());
        assert!(!names.any(|left| left.to_string_lossy().contains(&name(pid))), "its name is left");
        drop(permits);
    }
}

fn deaths() {
    each_time(|time| {
        let killer = kill_launcher_after(time);
        for n in 0..6 {
            Estate::new(n % 2 == 0).settle();
        }
        wait_for_successor(killer);
        expect_nothing_held();
    });
}

fn guardian_killed() {
    init().unwrap();
    kill(guardian(), Signal::SIGKILL).unwrap();
    let pool = Pool::with_processes(1).unwrap();
    assert!(matches!(pool.apply(|()| -> i32 { exit(1) }, ()), Err(TaskError::WorkerDied { .. })));
    assert_eq!(pool.apply(square, 3), Ok(9));
    pool.join();
    Estate::new(true).settle();
    expect_nothing_held();
    // Our child, which nobody waits for.
    waitpid(Pid::from_raw(-1), None).unwrap();
}

/// A place in what the launcher does: so many stops at system calls, and so many instructions on from there.
#[derive(Clone, Copy)]
struct Point {
    stops: u64,
    steps: u64,
}

/// Stops the launcher, has `begin` give it something to do, and kills it at that point of it, or when it has done.
fn kill_launcher_at(point: Point, begin: impl FnOnce()) {
    let launcher = launcher();
    ptrace::seize(launcher, ptrace::Options::empty()).unwrap();
    ptrace::interrupt(launcher).unwrap();
    waitpid(launcher, None).unwrap();
    begin();
    let stopped = (0..point.stops).all(|_| goes_on(launcher, |pid| ptrace::syscall(pid, None)));
    let _ = stopped && (0..point.steps).all(|_| goes_on(launcher, |pid| ptrace::step(pid, None)));
    kill(launcher, Signal::SIGKILL).unwrap();
    // What its tracer must see before its parent does.
    waitpid(launcher, None).unwrap();
}

/// Has it go on to its next stop; false: it sleeps, with nothing left to do.
fn goes_on(launcher: Pid, go: impl Fn(Pid) -> nix::Result<()>) -> bool {
    go(launcher).unwrap();
    let start = Instant::now();
    std::iter::repeat_with(|| waitpid(launcher, Some(WaitPidFlag::WNOHANG)).unwrap())
        .find(|status| *status != WaitStatus::StillAlive || start.elapsed() > 50 * MS)
        .is_some_and(|status| status != WaitStatus::StillAlive)
}

/// Points among so many stops.
fn each_point(stops: u64, trial: impl Fn(Point)) {
    let mut random = Random::new();
    for _ in 0..repeats() {
        // As many that are near a system call as far from it.
        let most = 1 << random.below(14);
        let point = Point { stops: random.below(stops), steps: random.below(most) };
        in_a_family_of_its_own(|| {
            init().unwrap();
            trial(point);
        });
    }
}

fn points_of_a_burial() {
    each_point(20, |point| {
        let estate = Estate::new(point.steps % 2 == 0);
        kill_launcher_at(point, || estate.dead.kill().unwrap());
        estate.settle();
        expect_nothing_held();
    });
}

fn points_of_a_start() {
    each_point(34, |point| {
        // Begun with two that stand by, or without.
        for n in 0..point.steps as i64 % 3 {
            assert_eq!(Process::spawn_fn(square, n).unwrap().join(), Ok(n * n));
        }
        std::thread::scope(|threads| {
            let starter = std::cell::Cell::new(None);
            kill_launcher_at(point, || {
                starter.set(Some(threads.spawn(|| while Process::spawn_fn(square, 5).unwrap().join() != Ok(25) {})));
                std::thread::sleep(MS);
            });
            starter.take().unwrap().join().unwrap();
        });
        // Those that stood by end with it, and one of them may have been engaged.
        while Process::spawn_fn(square, 6).unwrap().join() != Ok(36) {}
        expect_nothing_held();
    });
}

fn points_of_a_replacement() {
    each_point(36, |point| {
        let pool = Pool::builder().processes(2).retry(Retry::UpTo(2)).build().unwrap();
        let work = |n: i64| if task_attempt() == 1 { exit(1) } else { n * n };
        let mut result = None;
        kill_launcher_at(point, || {
            let before: Vec<u32> = pool.workers().iter().map(|worker| worker.pid).collect();
            result = Some(pool.apply_async(work, 4).unwrap());
            let is_dead = |pid: &u32| {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
                stat.rsplit_once(')').unwrap().1.starts_with(" Z")
            };
            while !before.iter().any(is_dead) {
                std::thread::sleep(MS);
            }
        });
        assert_eq!(result.unwrap().get(), Ok(16));
        assert_eq!(pool.map(square, 0..20).unwrap(), (0..20).map(square).collect::<Vec<_>>());
        // All are there again.
        while pool.workers().iter().any(|worker| kill(Pid::from_raw(worker.pid as i32), None).is_err()) {
            std::thread::sleep(MS);
        }
        pool.join();
        expect_nothing_held();
    });
}

fn nobody_left() {
    let pool = Pool::with_processes(2).unwrap();
    let sleep = |()| std::thread::sleep(Duration::from_secs(1000));
    let [first, second] = [0, 1].map(|_| pool.apply_async(sleep, ()).unwrap());
    std::thread::sleep(50 * MS);
    let workers = pool.workers();
    kill_both();
    for worker in workers {
        kill(Pid::from_raw(worker.pid as i32), Signal::SIGKILL).unwrap();
    }
    assert!(first.get().is_err() && second.get().is_err());
    assert!(pool.apply(square, 1).is_err() && pool.map(square, 0..10).is_err());
    assert!(pool.imap(square, 0..10).any(|result| result.is_err()));
}
