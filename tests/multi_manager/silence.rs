//! A server that is stopped is not dead, and says nothing: who has set a limit is told, and gets nobody else's answer.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use pinring::multi::{Addr, Manager, ManagerError};

use crate::support::forked::forked;
use crate::{SOON, key, must_be_empty, tcp};

const LIMIT: Duration = Duration::from_millis(200);

/// Returns when it has stopped, or gone on.
fn signal(manager: &Manager, signal: Signal, until: WaitPidFlag) {
    let pid = Pid::from_raw(manager.pid().unwrap());
    kill(pid, signal).unwrap();
    // Until all of its threads have.
    waitid(Id::Pid(pid), until).unwrap();
}

fn is_silent<T>(result: &Result<T, ManagerError>) -> bool {
    matches!(result, Err(ManagerError::Silent { .. }))
}

pub(super) fn a_stopped_server_is_told_and_answers_the_right_one_when_it_goes_on() {
    for address in [Addr::Auto, tcp()] {
        let manager = Manager::builder().address(address).authkey(key()).start().unwrap();
        let (one, two) = (manager.value(1).unwrap(), manager.value(2).unwrap());
        let (lock, queue) = (manager.lock().unwrap(), manager.queue::<u8>(1).unwrap());
        queue.put(&7).unwrap();
        manager.set_silence_limit(Some(LIMIT)).unwrap();
        signal(&manager, Signal::SIGSTOP, WaitPidFlag::WSTOPPED);
        let begin = Instant::now();
        assert!(is_silent(&one.get()));
        assert!(begin.elapsed() >= LIMIT);
        assert!(is_silent(&lock.acquire().map(drop)));
        assert!(is_silent(&queue.get()));
        assert!(is_silent(&manager.list::<u8>().map(drop)));
        signal(&manager, Signal::SIGCONT, WaitPidFlag::WCONTINUED);
        manager.set_silence_limit(Some(SOON)).unwrap();
        assert_eq!((two.get().unwrap(), one.get().unwrap()), (2, 1));
        // What was asked for by who gave up was not given to it.
        assert_eq!(queue.get_timeout(SOON).unwrap(), 7);
        assert!(!lock.acquire_timeout(SOON).unwrap().owner_died());
        drop((one, two, lock, queue));
    }
}

pub(super) fn a_wait_may_take_longer_than_the_server_may_be_silent() {
    let manager = Manager::start().unwrap();
    manager.set_silence_limit(Some(LIMIT)).unwrap();
    let (lock, event) = (manager.lock().unwrap(), manager.event().unwrap());
    let (barrier, queue) = (manager.barrier(2).unwrap(), manager.queue::<u8>(1).unwrap());
    let guard = lock.acquire().unwrap();
    let others = [
        forked(&[], || drop(lock.acquire().unwrap())),
        forked(&[], || event.wait().unwrap()),
        forked(&[], || assert!(barrier.wait().unwrap() < 2)),
        forked(&[], || assert_eq!(queue.get().unwrap(), 7)),
        forked(&[], || assert!(event.wait_timeout(3 * LIMIT).is_ok())),
    ];
    std::thread::sleep(4 * LIMIT);
    drop(guard);
    event.set().unwrap();
    barrier.wait().unwrap();
    queue.put(&7).unwrap();
    others.into_iter().for_each(|other| other.must_succeed());
    drop((lock, event, barrier, queue));
    must_be_empty(&manager);
}
