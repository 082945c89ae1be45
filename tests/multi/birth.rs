//! What a process is born with, and what is known of its end where that is not what one would expect.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::panic::{catch_unwind, resume_unwind, set_hook};
use std::sync::OnceLock;

use nix::sys::signal::{SigHandler, Signal, signal};
use pinring::multi::{
    ExitStatus, GetError, JoinError, Pool, Process, Serde, TaskError, WorkerContext, at_exit, blocks_in_use, exit,
    init, queue, run_exit_hooks,
};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("a_descriptor_from_before_the_launcher_is_never_another_s_file", descriptors),
    ("a_descriptor_from_before_the_launcher_is_closed_when_the_program_closes_it", closed),
    ("a_descriptor_from_before_the_launcher_is_closed_where_few_are_to_be_had", closed_where_few),
    ("what_a_hook_holds_stays_its_process_s", hooks),
    ("a_panic_after_the_answer_lets_go_of_what_that_has_on_board", late_panic),
    ("a_status_is_known_where_the_program_was_born_ignoring_its_children", born_ignoring),
    ("a_status_that_nobody_can_know_is_not_made_up", unknown),
    ("a_panic_says_what_it_said_whatever_hook_there_is", panics),
    ("a_panic_in_a_pool_says_what_it_said_whatever_hook_there_is", panics_in_a_pool),
];

fn pipe() -> (File, File) {
    let (reader, writer) = nix::unistd::pipe().unwrap();
    (reader.into(), writer.into())
}

static LOG: OnceLock<File> = OnceLock::new();

fn descriptors() {
    let (_reader, writer) = pipe();
    let number = writer.as_raw_fd();
    LOG.set(writer).unwrap();
    let work = |number: i32| {
        // Takes the lowest number that is free.
        let file = File::open("/dev/null").unwrap();
        assert_ne!(file.as_raw_fd(), number);
        LOG.get().unwrap().write_all(b"for the log").unwrap_err().raw_os_error().unwrap()
    };
    // It says so, and what is behind the number is not what it says to.
    let ebadf = nix::errno::Errno::EBADF as i32;
    assert_eq!(Process::spawn_fn(work, number).unwrap().join(), Ok(ebadf));
    assert_eq!(Pool::with_processes(1).unwrap().apply(work, number), Ok(ebadf));
    let forked = Process::spawn(|| LOG.get().unwrap().write_all(b"for the log").is_ok());
    assert_eq!(forked.unwrap().join(), Ok(true), "who is forked has all that its parent has");
}

fn closed() {
    let (mut reader, writer) = pipe();
    init().unwrap();
    drop(writer);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0, "nobody has it but us");
}

fn closed_where_few() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 40, hard).unwrap();
    closed();
    assert_eq!(Process::spawn_fn(|n: u32| n * n, 3).unwrap().join(), Ok(9));
}

fn hooks() {
    let (first, of_hook) = queue::<u8>(2).unwrap();
    let (second, of_panic) = queue::<u8>(2).unwrap();
    at_exit(move || drop(first));
    set_hook(Box::new(move |_| drop(second.try_put(1))));
    for _ in 0..3 {
        Process::spawn(|| ()).unwrap().join().unwrap();
        Process::spawn_fn(|()| (), ()).unwrap().join().unwrap();
    }
    assert_eq!(of_hook.try_get(), Err(GetError::Empty), "its producer is there");
    assert_eq!(of_panic.try_get(), Err(GetError::Empty), "its producer is there");
    run_exit_hooks();
    assert_eq!(of_hook.try_get(), Err(GetError::Closed));
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "{}", "long ".repeat(2000));
    }
}

fn late_panic() {
    let (producer, consumer) = queue::<u8>(2).unwrap();
    let before = blocks_in_use();
    for _ in 0..10 {
        let theirs = producer.clone();
        let child = Process::spawn(move || (Serde::<Bomb>(Bomb(true)), theirs)).unwrap();
        assert!(matches!(child.join(), Err(JoinError::Panicked(info)) if info.message.starts_with("long")));
    }
    drop(producer);
    assert_eq!(consumer.get(), Err(GetError::Closed), "what was on board has gone");
    assert_eq!(blocks_in_use(), before);
}

fn ignore_children() {
    // SAFETY: SIG_IGN installs no handler.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.unwrap();
}

fn statuses() -> [Result<(), JoinError>; 2] {
    let exits = Process::spawn(|| -> () { exit(3) }).unwrap().join();
    let sleeper = Process::spawn(|| std::thread::sleep(std::time::Duration::from_secs(100))).unwrap();
    sleeper.kill().unwrap();
    [exits, sleeper.join()]
}

fn born_ignoring() {
    ignore_children();
    init().unwrap();
    let killed = ExitStatus::Signal { signal: 9, core_dumped: false };
    assert_eq!(statuses(), [Err(JoinError::Exited(ExitStatus::Code(3))), Err(JoinError::Exited(killed))]);
}

fn unknown() {
    init().unwrap();
    ignore_children();
    assert_eq!(statuses(), [const { Err(JoinError::Exited(ExitStatus::Unknown)) }; 2]);
    assert_eq!(Process::spawn(|| 5u8).unwrap().join(), Ok(5), "a value says enough");
    assert_eq!(
        Process::spawn_fn(|()| -> () { exit(3) }, ()).unwrap().join(),
        Err(JoinError::Exited(ExitStatus::Code(3)))
    );
}

fn said(work: impl FnOnce() + Send + 'static) -> (String, bool) {
    let Err(JoinError::Panicked(info)) = Process::spawn(work).unwrap().join() else { panic!("no panic") };
    (info.message, info.location.is_some())
}

fn panics() {
    let silence = || set_hook(Box::new(|_| {}));
    let of_its_own = said(move || {
        silence();
        panic!("{} things", 3)
    });
    assert_eq!(of_its_own, ("3 things".into(), false));
    let after_another = said(move || {
        let _ = catch_unwind(|| panic!("the first, caught"));
        silence();
        panic!("the second")
    });
    assert_eq!(after_another, ("the second".into(), false));
    let of_a_thread = said(|| {
        let thread = std::thread::spawn(|| -> () { panic!("in a thread") });
        thread.join().unwrap_or_else(|payload| resume_unwind(payload));
    });
    assert_eq!(of_a_thread, ("in a thread".into(), false));
    assert_eq!(said(|| panic!("plainly")), ("plainly".into(), true));
}

fn panics_in_a_pool() {
    let init = |_: WorkerContext| {
        set_hook(Box::new(|_| {}));
        Ok(())
    };
    let pool = Pool::builder().processes(1).init(init).build().unwrap();
    let Err(TaskError::Panicked(info)) = pool.apply(|n: u32| -> u32 { panic!("task {n}") }, 7) else {
        panic!("no panic")
    };
    assert_eq!(info.message, "task 7");
    let all = pool.map(|n: u32| if n == 5 { panic!("value {n}") } else { n }, 0..10);
    assert!(all.unwrap_err().to_string().contains("value 5"));
}
