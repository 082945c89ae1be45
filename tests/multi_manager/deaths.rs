//! Who dies by kill -9 takes nothing along.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

pub(super) fn a_client_killed_with_a_lock_frees_it_and_the_next_holder_is_told() {
    for address in [Addr::Auto, tcp()] {
        let manager = Manager::builder().address(address).start().unwrap();
        let lock = manager.lock().unwrap();
        let child = holder(&manager, || Box::new(lock.acquire().unwrap()));
        assert!(lock.try_acquire().unwrap().is_none());
        let begin = Instant::now();
        child.kill();
        let guard = lock.acquire_timeout(SOON).unwrap();
        assert!(guard.owner_died() && begin.elapsed() < SOON);
        drop(guard);
        assert!(!lock.acquire().unwrap().owner_died());
        drop(lock);
        must_be_empty(&manager);
    }
}

/// A socket that is open in two processes does not close with the first.
pub(super) fn a_client_killed_with_a_lock_frees_it_though_it_has_a_living_child() {
    let manager = Manager::start().unwrap();
    let lock = manager.lock().unwrap();
    let pid = manager.value(0i32).unwrap();
    let child = holder(&manager, || {
        let guard = lock.acquire().unwrap();
        // Raw: not even the house's own fork closes anything for it.
        // SAFETY: this process has one thread.
        match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => {
                drop(guard);
                std::thread::sleep(Duration::from_secs(3));
                pinring::sys::fork::exit_now(0)
            }
            nix::unistd::ForkResult::Parent { child } => pid.set(child.as_raw()).unwrap(),
        }
        Box::new(guard)
    });
    assert!(lock.try_acquire().unwrap().is_none());
    child.kill();
    assert!(lock.acquire_timeout(SOON).unwrap().owner_died());
    assert!(pinring::sys::signal::exists(pid.get().unwrap()));
    pinring::sys::signal::kill_hard(pid.get().unwrap()).unwrap();
}

pub(super) fn a_client_killed_with_permits_gives_them_back() {
    let manager = Manager::start().unwrap();
    let semaphore = manager.semaphore(2).unwrap();
    let child = holder(&manager, || Box::new((semaphore.acquire().unwrap(), semaphore.acquire().unwrap())));
    assert_eq!(semaphore.free().unwrap(), 0);
    child.kill();
    drop(semaphore.acquire_timeout(SOON).unwrap());
    assert_eq!(semaphore.free().unwrap(), 2);
    drop(semaphore);
    must_be_empty(&manager);
}

pub(super) fn a_client_killed_in_a_barrier_breaks_it_and_a_reset_makes_it_whole() {
    let manager = Manager::start().unwrap();
    let barrier = manager.barrier(3).unwrap();
    let dying = forked(&[], || drop(barrier.wait()));
    let others: Vec<Forked> =
        (0..1).map(|_| forked(&[], || assert!(matches!(barrier.wait(), Err(ManagerError::Broken { .. }))))).collect();
    soon("two wait", || barrier.waiting().unwrap() == 2);
    let begin = Instant::now();
    dying.kill();
    others.into_iter().for_each(Forked::must_succeed);
    assert!(begin.elapsed() < SOON && barrier.is_broken().unwrap());
    assert!(matches!(barrier.wait(), Err(ManagerError::Broken { .. })));
    barrier.reset().unwrap();
    let all: Vec<Forked> = (0..2).map(|_| forked(&[], || assert!(barrier.wait().unwrap() < 3))).collect();
    barrier.wait_timeout(Duration::from_secs(5)).unwrap();
    all.into_iter().for_each(Forked::must_succeed);
    assert!(matches!(barrier.wait_timeout(Duration::from_millis(5)), Err(ManagerError::Timeout { .. })));
    assert!(barrier.is_broken().unwrap());
    drop(barrier);
    must_be_empty(&manager);
}

pub(super) fn a_client_killed_while_it_waits_takes_nothing_with_it() {
    let manager = Manager::start().unwrap();
    let (queue, lock, event) = (manager.queue::<u32>(4).unwrap(), manager.lock().unwrap(), manager.event().unwrap());
    let guard = lock.acquire().unwrap();
    let dying: Vec<Forked> = vec![
        forked(&[], || drop(queue.get())),
        forked(&[], || drop(lock.acquire())),
        forked(&[], || drop(event.wait())),
    ];
    std::thread::sleep(Duration::from_millis(50));
    dying.into_iter().for_each(Forked::kill);
    queue.put(&7).unwrap();
    drop(guard);
    event.set().unwrap();
    assert_eq!(queue.get_timeout(SOON).unwrap(), 7);
    drop(lock.acquire_timeout(SOON).unwrap());
    drop((queue, lock, event));
    must_be_empty(&manager);
}

pub(super) fn a_client_killed_with_proxies_frees_their_objects_and_a_name_keeps_its_own() {
    let manager = Manager::start().unwrap();
    for _ in 0..20 {
        let child = holder(&manager, || {
            let list = manager.list::<u8>().unwrap();
            manager.publish("kept", &list).unwrap();
            list.push(1).unwrap();
            Box::new((0..10).map(|_| manager.dict::<u8, u8>().unwrap()).collect::<Vec<_>>())
        });
        assert!(manager.stats().unwrap().objects >= 11);
        child.kill();
        soon("only the named one is left", || manager.stats().unwrap().objects == 1);
    }
    assert_eq!(manager.lookup::<RList<u8>>("kept").unwrap().to_vec().unwrap(), [1]);
    assert!(manager.withdraw("kept").unwrap());
    must_be_empty(&manager);
}

pub(super) fn a_killed_server_is_told_to_all_within_a_second_and_another_at_its_place_is_not_it() {
    for address in [Addr::Auto, tcp()] {
        let manager = Manager::builder().address(address).authkey(key()).start().unwrap();
        let address = manager.address();
        let (queue, value) = (manager.queue::<u8>(1).unwrap(), manager.value(1).unwrap());
        let waits = forked(&[], || assert!(matches!(queue.get(), Err(ManagerError::ServerDied { .. }))));
        std::thread::sleep(Duration::from_millis(50));
        let begin = Instant::now();
        pinring::sys::signal::kill_hard(manager.pid().unwrap()).unwrap();
        let error = value.get().unwrap_err();
        assert!(matches!(error, ManagerError::ServerDied { .. }), "{error}");
        assert_eq!(error.to_string().matches(&address.to_string()).count(), 1, "{error}");
        waits.must_succeed();
        assert!(begin.elapsed() < SOON);
        let other = Manager::builder().address(address.clone()).authkey(key()).start().unwrap();
        let of_other = other.value(2).unwrap();
        assert!(matches!(value.get(), Err(ManagerError::ServerDied { .. })));
        assert!(matches!(manager.shutdown(), Err(ManagerError::ServerDied { .. })));
        assert_eq!(of_other.get().unwrap(), 2);
        if let Addr::Unix(path) = &address {
            assert!(path.exists());
        }
    }
}

/// At any moment of anything a client does.
pub(super) fn of_200_clients_killed_at_random_moments_nothing_is_left_and_no_item_comes_twice() {
    let mut random = support::Random::new();
    let manager = Manager::start().unwrap();
    let (lock, semaphore) = (manager.lock().unwrap(), manager.semaphore(2).unwrap());
    let (queue, dict) = (manager.queue::<u64>(3).unwrap(), manager.dict::<u8, u64>().unwrap());
    let mut last_seen = 0;
    for round in 1..=200u64 {
        let address = manager.address();
        let key = manager.authkey();
        let child = forked(&[], || {
            let own = Manager::connect(&address, &key).unwrap();
            for step in 0.. {
                let _private = own.list::<u8>().unwrap();
                let _permit = semaphore.acquire().unwrap();
                let _guard = lock.acquire().unwrap();
                dict.insert(0, round).unwrap();
                let _ = queue.try_put(&((round << 32) + step)).unwrap();
            }
        });
        std::thread::sleep(Duration::from_micros(random.below(8000)));
        // Beside the living as beside the dead.
        while let Some(item) = queue.try_get().unwrap() {
            assert!(item > last_seen, "{item:#x} after {last_seen:#x}");
            last_seen = item;
        }
        child.kill();
        drop(lock.acquire_timeout(SOON).unwrap());
        soon("both permits are back", || semaphore.free().unwrap() == 2);
        soon("the client has gone", || manager.stats().unwrap().clients == 1);
        assert_eq!(manager.stats().unwrap().objects, 4);
    }
    assert!(dict.get(&0).unwrap().is_some() && last_seen > 0);
    drop((lock, semaphore, queue, dict));
    must_be_empty(&manager);
}

pub(super) fn a_server_dies_with_the_process_that_started_it_and_its_place_can_be_had_again() {
    let manager = Manager::start().unwrap();
    let pid = manager.value(0i32).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let address = Addr::Unix(dir.path().join("second.sock"));
    let child = holder(&manager, || {
        let second = Manager::builder().address(address.clone()).authkey(key()).start().unwrap();
        pid.set(second.pid().unwrap()).unwrap();
        Box::new(second)
    });
    let client = Manager::connect(&address, &key()).unwrap();
    let pid = pid.get().unwrap();
    assert!(pinring::sys::signal::exists(pid));
    child.kill();
    soon("the second server is gone", || matches!(client.stats(), Err(ManagerError::ServerDied { .. })));
    soon("its file is gone", || !dir.path().join("second.sock").exists());
    Manager::builder().address(address).start().unwrap().shutdown().unwrap();
}
