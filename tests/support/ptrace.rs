//! Stopping a process after every instruction.

use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// Runs `operation` in a forked child, one instruction at a time, and calls `at_stop` after each: the child could be killed
/// there. Returns how many instructions there were. This process must have one thread.
pub(crate) fn each_instruction(operation: impl FnOnce(), mut at_stop: impl FnMut()) -> u64 {
    // SAFETY: one thread, see above; the child runs the operation and ends without cleaning up.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            ptrace::traceme().expect("this place forbids ptrace, without which kills cannot be placed");
            raise(Signal::SIGSTOP).unwrap();
            operation();
            raise(Signal::SIGSTOP).unwrap();
            pinring::sys::fork::exit_now(0)
        }
        ForkResult::Parent { child } => {
            let instructions = step_through(child, &mut at_stop);
            // It may have ended; then there is nothing to kill.
            let _ = ptrace::kill(child);
            let _ = waitpid(child, None);
            instructions
        }
    }
}

fn step_through(child: Pid, at_stop: &mut impl FnMut()) -> u64 {
    let mut instructions = 0;
    assert!(
        matches!(waitpid(child, None).unwrap(), WaitStatus::Stopped(_, Signal::SIGSTOP)),
        "the child did not start"
    );
    loop {
        ptrace::step(child, None).unwrap();
        match waitpid(child, None).unwrap() {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                instructions += 1;
                at_stop();
            }
            WaitStatus::Stopped(_, Signal::SIGSTOP) => return instructions,
            other => panic!("the operation ended with {other:?}"),
        }
    }
}
