//! Stopping a process after every instruction.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use pinring::sys::fork::exit_now;

/// How the child says that ptrace is forbidden.
const FORBIDDEN: i32 = 77;
/// How it says that the operation panicked.
const PANICKED: i32 = 101;

/// No operation is longer. On a machine that makes an atomic change of a load-exclusive and a store-exclusive (ARM before
/// LSE), the store never succeeds when the process is stopped between the two, and the loop around them has no end.
const MOST: u64 = 5_000_000;

/// A traced child. It does not outlive its tracing, however that ends.
struct Traced {
    pid: Pid,
    /// It has been reaped: its pid may be another's by now.
    is_reaped: Cell<bool>,
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !self.is_reaped.get() {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
    }
}

/// Runs `operation` in a forked child, one instruction at a time, and calls `at_stop` after each: the child could be killed
/// there. Returns how many instructions there were. This process must have one thread.
pub(crate) fn each_instruction(operation: impl FnOnce(), at_stop: impl FnMut()) -> u64 {
    // SAFETY: one thread, see above; the child runs the operation and ends without cleaning up.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => run_traced(operation),
        ForkResult::Parent { child } => step_through(&Traced { pid: child, is_reaped: Cell::new(false) }, at_stop),
    }
}

/// The child: the operation lies between two stops. A panic must not lead it back into the test, which goes on elsewhere.
fn run_traced(operation: impl FnOnce()) -> ! {
    if ptrace::traceme().is_err() {
        exit_now(FORBIDDEN);
    }
    let _ = raise(Signal::SIGSTOP);
    let result = catch_unwind(AssertUnwindSafe(operation));
    let _ = raise(Signal::SIGSTOP);
    exit_now(if result.is_ok() { 0 } else { PANICKED })
}

/// The next stop or the end. Somebody else (a shell, a job runner) may continue the processes of its jobs at any time; that is no
/// part of the operation.
fn wait_for(child: &Traced, resume: impl Fn()) -> WaitStatus {
    loop {
        match waitpid(child.pid, None).unwrap() {
            WaitStatus::Stopped(_, Signal::SIGCONT) => resume(),
            other => {
                child.is_reaped.set(matches!(other, WaitStatus::Exited(..) | WaitStatus::Signaled(..)));
                return other;
            }
        }
    }
}

fn step_through(child: &Traced, mut at_stop: impl FnMut()) -> u64 {
    match wait_for(child, || ptrace::cont(child.pid, None).unwrap()) {
        WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
        WaitStatus::Exited(_, FORBIDDEN) => panic!("PTRACE_TRACEME is refused: in this sandbox kills cannot be placed"),
        other => panic!("the child did not start: {other:?}"),
    }
    ptrace::setoptions(child.pid, ptrace::Options::PTRACE_O_EXITKILL).unwrap();
    let step = || ptrace::step(child.pid, None).unwrap();
    for instructions in 0..MOST {
        step();
        match wait_for(child, step) {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => at_stop(),
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {
                end_well(child);
                return instructions;
            }
            other => panic!("the operation ended with {other:?}"),
        }
    }
    panic!("the operation has no end: {MOST} instructions");
}

/// From the second stop to the end, at full speed.
fn end_well(child: &Traced) {
    let go_on = || ptrace::cont(child.pid, None).unwrap();
    go_on();
    let end = wait_for(child, go_on);
    assert!(matches!(end, WaitStatus::Exited(_, 0)), "the operation panicked: {end:?}");
}
