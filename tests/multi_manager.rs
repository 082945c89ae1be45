//! A process that holds objects for others: nothing is lost, nothing is left over, and who dies takes nothing along.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "multi_manager/deaths.rs"]
mod deaths;
#[path = "multi_manager/limits.rs"]
mod limits;
mod support;

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use pinring::multi::{
    Addr, AuthKey, Manager, ManagerError, ManagerStats, RArray, RBarrier, RDict, REvent, RList, RLock, RNamespace,
    RQueue, RSemaphore, RService, RValue, Service, ServiceError, answer, connect,
};
use pinring::sys::wait::Ended;
use support::forked::{Forked, forked};

/// What must have happened on an idle machine.
const SOON: Duration = Duration::from_secs(1);

struct Account(i64);

impl Service for Account {
    const NAME: &'static str = "account";
    type Init = i64;

    fn create(init: i64) -> Result<Self, ServiceError> {
        if init < 0 { Err(ServiceError::Failed("no debts".into())) } else { Ok(Self(init)) }
    }

    fn call(&mut self, method: &str, args: &[u8]) -> Result<Vec<u8>, ServiceError> {
        match method {
            "deposit" => answer(args, |(cents, times): (i64, i64)| {
                self.0 += cents * times;
                Ok(self.0)
            }),
            "rob" => answer(args, |(): ()| -> Result<(), _> { Err(ServiceError::Failed("caught".into())) }),
            "burn" => panic!("it burns"),
            _ => Err(ServiceError::NoSuchMethod),
        }
    }
}

struct Unknown;

impl Service for Unknown {
    const NAME: &'static str = "unknown";
    type Init = ();

    fn create((): ()) -> Result<Self, ServiceError> {
        Ok(Self)
    }

    fn call(&mut self, _: &str, _: &[u8]) -> Result<Vec<u8>, ServiceError> {
        Err(ServiceError::NoSuchMethod)
    }
}

fn tcp() -> Addr {
    Addr::Tcp("127.0.0.1:0".parse().unwrap())
}

fn key() -> AuthKey {
    AuthKey::from_bytes(b"the key")
}

/// A child that does `body` and then says so and waits to be killed.
fn holder(manager: &Manager, body: impl FnOnce() -> Box<dyn std::any::Any>) -> Forked {
    let ready = manager.event().unwrap();
    let child = forked(&[], || {
        let _held = body();
        ready.set().unwrap();
        std::thread::sleep(Duration::from_secs(60));
    });
    assert!(ready.wait_timeout(Duration::from_secs(5)).unwrap());
    child
}

/// Looks until it holds; fails after [`SOON`].
fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Nothing is held but by this process, which has no proxy left.
fn must_be_empty(manager: &Manager) {
    soon("something is left over", || {
        let stats = manager.stats().unwrap();
        let ManagerStats { objects, names, clients, .. } = stats;
        (objects, names, clients) == (0, 0, 1)
    });
}

fn a84_every_type_is_used_from_a_child() {
    let manager = Manager::builder().register::<Account>().start().unwrap();
    let value: RValue<f64> = manager.value(1.5).unwrap();
    let array: RArray<i32> = manager.array(0..5).unwrap();
    let list: RList<String> = manager.list().unwrap();
    let dict: RDict<String, Vec<u8>> = manager.dict().unwrap();
    let namespace: RNamespace = manager.namespace().unwrap();
    let lock: RLock = manager.lock().unwrap();
    let semaphore: RSemaphore = manager.semaphore(2).unwrap();
    let event: REvent = manager.event().unwrap();
    let barrier: RBarrier = manager.barrier(2).unwrap();
    let queue: RQueue<(u8, String)> = manager.queue(2).unwrap();
    let service: RService<Account> = manager.service(&5).unwrap();
    let child = forked(&[], || {
        assert_eq!(value.update(|old| old * 2.0).unwrap(), 3.0);
        array.set(4, 40).unwrap();
        assert_eq!(array.update(0, |old| old - 1).unwrap(), -1);
        assert!(matches!(array.set(5, 0), Err(ManagerError::NotFound(_))));
        assert_eq!(array.get(5).unwrap(), None);
        list.extend(["b".to_owned(), "c".to_owned()]).unwrap();
        list.insert(0, "a".to_owned()).unwrap();
        list.push("x".to_owned()).unwrap();
        assert_eq!(list.pop().unwrap().unwrap(), "x");
        assert_eq!((list.remove(1).unwrap().as_str(), list.len().unwrap()), ("b", 2));
        assert_eq!(dict.insert("k".into(), vec![1]).unwrap(), None);
        assert_eq!(dict.insert("k".into(), vec![2]).unwrap(), Some(vec![1]));
        assert!(dict.compare_exchange(&"n".into(), None, Some(vec![])).unwrap());
        assert!(!dict.compare_exchange(&"n".into(), None, Some(vec![])).unwrap());
        namespace.set("x", 7u16).unwrap();
        namespace.set("y", "text".to_owned()).unwrap();
        let guard = lock.acquire().unwrap();
        assert!(!guard.owner_died() && lock.try_acquire().unwrap().is_none() && lock.is_locked().unwrap());
        assert!(matches!(lock.acquire_timeout(Duration::from_millis(5)), Err(ManagerError::Timeout { .. })));
        guard.release().unwrap();
        let permits = (semaphore.acquire().unwrap(), semaphore.try_acquire().unwrap().unwrap());
        assert!(semaphore.try_acquire().unwrap().is_none());
        drop(permits);
        assert_eq!(semaphore.free().unwrap(), 2);
        event.wait().unwrap();
        queue.put(&(1, "one".into())).unwrap();
        assert!(queue.try_put(&(2, "two".into())).unwrap() && !queue.try_put(&(3, String::new())).unwrap());
        assert!(barrier.wait().unwrap() < 2);
        queue.put(&(3, "three".into())).unwrap();
        queue.close().unwrap();
        assert!(matches!(queue.put(&(4, String::new())), Err(ManagerError::Closed { .. })));
        assert_eq!(service.call::<_, i64>("deposit", &(10i64, 2i64)).unwrap(), 25);
    });
    assert!(!event.wait_timeout(Duration::from_millis(10)).unwrap() && !event.is_set().unwrap());
    event.set().unwrap();
    assert!(barrier.wait().unwrap() < 2);
    for expected in [(1, "one"), (2, "two"), (3, "three")] {
        assert_eq!(queue.get().unwrap(), (expected.0, expected.1.to_owned()));
    }
    assert!(matches!(queue.get(), Err(ManagerError::Closed { .. })));
    child.must_succeed();
    assert_eq!((value.get().unwrap(), array.to_vec().unwrap()), (3.0, vec![-1, 1, 2, 3, 40]));
    assert_eq!(list.to_vec().unwrap(), ["a", "c"]);
    assert_eq!(dict.to_map().unwrap(), [("k".to_owned(), vec![2]), ("n".to_owned(), vec![])].into());
    assert_eq!((namespace.get::<u16>("x").unwrap(), namespace.names().unwrap().len()), (Some(7), 2));
    assert!(matches!(namespace.get::<u32>("y"), Err(ManagerError::TypeMismatch { .. })));
    assert_eq!(service.call::<_, i64>("deposit", &(0i64, 0i64)).unwrap(), 25);
    manager.shutdown().unwrap();
}

fn a85_a_missing_key_name_type_or_method_is_a_typed_error() {
    let manager = Manager::builder().register::<Account>().start().unwrap();
    let dict = manager.dict::<String, i64>().unwrap();
    manager.publish("d", &dict).unwrap();
    let error = dict.at(&"missing".to_owned()).unwrap_err();
    assert!(matches!(error, ManagerError::NotFound(_)));
    assert!(error.to_string().contains("missing") && error.to_string().contains(&manager.address().to_string()));
    assert!(matches!(manager.lookup::<RLock>("nobody"), Err(ManagerError::NotFound(_))));
    for error in [
        manager.lookup::<RDict<String, u64>>("d").unwrap_err(),
        manager.lookup::<RList<i64>>("d").unwrap_err(),
        manager.lookup::<RNamespace>("d").unwrap_err(),
    ] {
        assert!(matches!(error, ManagerError::TypeMismatch { .. }), "{error}");
        assert!(error.to_string().contains("`d`"), "{error}");
    }
    assert!(matches!(manager.service::<Unknown>(&()), Err(ManagerError::NotFound(_))));
    assert!(matches!(manager.service::<Account>(&-1), Err(ManagerError::Remote(_))));
    let account = manager.service::<Account>(&0).unwrap();
    assert!(matches!(account.call::<_, ()>("__init__", &()), Err(ManagerError::NotFound(_))));
    assert!(matches!(account.call::<_, ()>("deposit", &"text"), Err(ManagerError::Remote(_))));
    assert!(matches!(account.call::<_, String>("deposit", &(1i64, 1i64)), Err(ManagerError::Codec { .. })));
    let caught = account.call::<_, ()>("rob", &()).unwrap_err();
    assert!(caught.to_string().contains("caught"), "{caught}");
    let burnt = account.call::<_, ()>("burn", &()).unwrap_err();
    assert!(burnt.to_string().contains("it burns"), "{burnt}");
    assert!(matches!(account.call::<_, i64>("deposit", &(1i64, 1i64)), Err(ManagerError::Remote(_))));
    assert!(manager.withdraw("d").unwrap() && !manager.withdraw("d").unwrap());
    manager.shutdown().unwrap();
}

fn a86_one_process_serves_another_puts_a_third_gets_by_address_and_key() {
    for address in [Addr::Auto, tcp()] {
        let manager = Manager::builder().address(address).authkey(key()).start().unwrap();
        let address = manager.address();
        manager.publish("q", &manager.queue::<String>(0).unwrap()).unwrap();
        let find = || Manager::connect(&address, &key()).unwrap().lookup::<RQueue<String>>("q").unwrap();
        let putter = forked(&[], || find().put(&"hello".to_owned()).unwrap());
        let getter = forked(&[], || assert_eq!(find().get().unwrap(), "hello"));
        putter.must_succeed();
        getter.must_succeed();
        let wrong = AuthKey::from_bytes(b"wrong");
        assert!(matches!(Manager::connect(&address, &wrong), Err(ManagerError::Auth { .. })));
        assert!(matches!(Manager::connect(&address, &key()).unwrap().shutdown(), Err(ManagerError::Remote(_))));
        assert!(find().is_empty().unwrap());
        manager.shutdown().unwrap();
    }
}

fn a87_a_shut_down_server_exits_with_0_and_20_restarts_at_the_same_address_work() {
    for address in [Addr::Auto, tcp(), Addr::Abstract(format!("pinring-a87-{}", std::process::id()))] {
        let mut address = address;
        for round in 0..20u64 {
            let manager = Manager::builder().address(address).authkey(key()).start().unwrap();
            address = manager.address();
            let second = Manager::builder().address(address.clone()).start().unwrap_err();
            assert!(
                matches!(&second, ManagerError::Io { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse)
            );
            let value = manager.value(round).unwrap();
            let mut child = forked(&[], || assert_eq!(value.get().unwrap(), round));
            assert_eq!(child.wait(), Ended::Code(0));
            // Ends with 0, or this is an error.
            manager.shutdown().unwrap();
            assert!(matches!(value.get(), Err(ManagerError::ServerDied { .. })));
        }
        if let Addr::Unix(path) = &address {
            assert!(!path.exists());
        }
    }
    assert_eq!(support::processes::children(std::process::id()), []);
}

fn a_manager_that_is_dropped_leaves_neither_process_nor_file() {
    let manager = Manager::start().unwrap();
    let (pid, Addr::Unix(path)) = (manager.pid().unwrap(), manager.address()) else { panic!() };
    forked(&[], || assert_eq!(manager.value(1).unwrap().get().unwrap(), 1)).must_succeed();
    drop(manager);
    assert!(!pinring::sys::signal::exists(pid) && !path.exists());
}

fn a_process_with_threads_is_refused() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || held.recv());
        assert!(matches!(Manager::start(), Err(ManagerError::Spawn(_))));
        drop(hold);
    });
    soon("the thread has gone", || pinring::sys::fork::thread_count() == Some(1));
}

fn sigint_does_not_end_a_server() {
    let manager = Manager::start().unwrap();
    let pid = nix::unistd::Pid::from_raw(manager.pid().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(manager.value(1).unwrap().get().unwrap(), 1);
    manager.shutdown().unwrap();
}

fn w21_four_processes_lose_no_update() {
    let manager = Manager::start().unwrap();
    let (dict, value, list) =
        (manager.dict::<String, i64>().unwrap(), manager.value(0i64).unwrap(), manager.list::<i64>().unwrap());
    dict.insert("n".into(), 0).unwrap();
    list.push(0).unwrap();
    let work = || {
        for _ in 0..500 {
            loop {
                let old = dict.get(&"n".into()).unwrap().unwrap();
                if dict.compare_exchange(&"n".into(), Some(&old), Some(old + 1)).unwrap() {
                    break;
                }
            }
        }
        for _ in 0..100 {
            value.update(|old| old + 1).unwrap();
            list.update(0, |old| old + 1).unwrap();
            dict.update(&"m".into(), |old| Some(old.unwrap_or(0) + 1)).unwrap();
        }
    };
    let children: Vec<Forked> = (0..4).map(|_| forked(&[], work)).collect();
    children.into_iter().for_each(Forked::must_succeed);
    assert_eq!(dict.to_map().unwrap(), [("m".to_owned(), 400), ("n".to_owned(), 2000)].into());
    assert_eq!((value.get().unwrap(), list.get(0).unwrap()), (400, Some(400)));
}

fn a_dropped_proxy_frees_its_object_and_a_clone_keeps_it() {
    let manager = Manager::start().unwrap();
    let value = manager.value(1).unwrap();
    let clone = value.clone();
    manager.publish("v", &value).unwrap();
    let found: RValue<i32> = manager.lookup("v").unwrap();
    drop((value, found));
    manager.withdraw("v").unwrap();
    assert_eq!((clone.get().unwrap(), manager.stats().unwrap().objects), (1, 1));
    drop(clone);
    assert_eq!(manager.stats().unwrap().objects, 0);
}

fn threads_of_a_client_ask_at_the_same_time() {
    let manager = Manager::start().unwrap();
    let (value, event) = (manager.value(0u32).unwrap(), manager.event().unwrap());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| event.wait().unwrap());
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..100).for_each(|_| assert!(value.update(|old| old + 1).unwrap() > 0))))
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(!waits.is_finished());
        event.set().unwrap();
    });
    assert_eq!(value.get().unwrap(), 400);
    let stats = manager.stats().unwrap();
    assert_eq!((stats.objects, stats.clients), (2, 1));
    soon("all threads have gone", || pinring::sys::fork::thread_count() == Some(1));
}

fn a_server_that_is_a_program_of_its_own_serves_until_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let address = Addr::Unix(dir.path().join("forever.sock"));
    let server = forked(&[], || {
        Manager::builder().address(address.clone()).authkey(key()).register::<Account>().serve_forever().unwrap();
    });
    let Addr::Unix(path) = &address else { panic!() };
    soon("the server listens", || path.exists());
    let manager = Manager::connect(&address, &key()).unwrap();
    assert_eq!(manager.service::<Account>(&1).unwrap().call::<_, i64>("deposit", &(1i64, 1i64)).unwrap(), 2);
    assert!(manager.pid().is_none());
    server.kill();
    assert!(matches!(manager.stats(), Err(ManagerError::ServerDied { .. })));
}

/// The child's copies of the parent's manager, proxies and guards do nothing to the parent's.
fn a_child_may_use_and_drop_what_it_was_forked_with() {
    let manager = Manager::start().unwrap();
    let (value, lock) = (manager.value(1).unwrap(), manager.lock().unwrap());
    let guard = lock.acquire().unwrap();
    let (started, go_on) = (manager.event().unwrap(), manager.event().unwrap());
    let other = Manager::start().unwrap();
    let pid = other.pid().unwrap();
    let mut mine = Some((other, value.clone(), guard));
    let child = forked(&[], || {
        let (value_of_child, theirs) = (value.clone(), mine.take());
        drop(theirs);
        value_of_child.set(2).unwrap();
        started.set().unwrap();
        go_on.wait().unwrap();
        assert_eq!(value_of_child.get().unwrap(), 2);
    });
    started.wait().unwrap();
    assert!(lock.is_locked().unwrap());
    assert!(pinring::sys::signal::exists(pid));
    drop(mine.take());
    assert!(!pinring::sys::signal::exists(pid));
    assert!(!lock.is_locked().unwrap());
    // What the child uses is leased to it, too.
    drop(value);
    go_on.set().unwrap();
    child.must_succeed();
    manager.shutdown().unwrap();
}

fn a32_signals_do_not_disturb_a_client_that_waits() {
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let manager = Manager::start().unwrap();
    let (queue, lock) = (manager.queue::<u8>(1).unwrap(), manager.lock().unwrap());
    let pid = nix::unistd::Pid::this();
    let child = forked(&[], || {
        let guard = lock.acquire().unwrap();
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(3));
            nix::sys::signal::kill(pid, Signal::SIGUSR1).unwrap();
        }
        queue.put(&7).unwrap();
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(3));
            nix::sys::signal::kill(pid, Signal::SIGUSR1).unwrap();
        }
        drop(guard);
    });
    assert_eq!(queue.get().unwrap(), 7);
    assert!(!lock.acquire().unwrap().owner_died());
    child.must_succeed();
}

/// Prints what a request costs. (Python 3.13: 26 to 32 us.)
fn the_price_of_setting_a_key() {
    const COUNT: u32 = 1000;
    for address in [Addr::Auto, tcp()] {
        let manager = Manager::builder().address(address.clone()).start().unwrap();
        let dict = manager.dict::<String, i64>().unwrap();
        // The best of some: others use this machine, too.
        let batch = |_| {
            let begin = Instant::now();
            for i in 0..COUNT {
                dict.insert("key".into(), i.into()).unwrap();
            }
            begin.elapsed() / COUNT
        };
        let mut batches: Vec<Duration> = (0..20).map(batch).collect();
        batches.sort();
        println!("{address}: {:?} at best, {:?} in the middle for a dict set", batches[0], batches[10]);
    }
}

fn main() -> std::process::ExitCode {
    macro_rules! all { ($($name:path),* $(,)?) => { &[$((stringify!($name), $name as fn())),*] } }
    support::run(
        all![
            a84_every_type_is_used_from_a_child,
            a85_a_missing_key_name_type_or_method_is_a_typed_error,
            a86_one_process_serves_another_puts_a_third_gets_by_address_and_key,
            a87_a_shut_down_server_exits_with_0_and_20_restarts_at_the_same_address_work,
            a_manager_that_is_dropped_leaves_neither_process_nor_file,
            a_process_with_threads_is_refused,
            sigint_does_not_end_a_server,
            w21_four_processes_lose_no_update,
            deaths::a_client_killed_with_a_lock_frees_it_and_the_next_holder_is_told,
            deaths::a_client_killed_with_a_lock_frees_it_though_it_has_a_living_child,
            deaths::a_client_killed_with_permits_gives_them_back,
            deaths::a_client_killed_in_a_barrier_breaks_it_and_a_reset_makes_it_whole,
            deaths::a_client_killed_while_it_waits_takes_nothing_with_it,
            deaths::a_client_killed_with_proxies_frees_their_objects_and_a_name_keeps_its_own,
            a_dropped_proxy_frees_its_object_and_a_clone_keeps_it,
            deaths::a_killed_server_is_told_to_all_within_a_second_and_another_at_its_place_is_not_it,
            limits::garbage_on_the_wire_closes_that_connection_only,
            limits::silent_clients_do_not_hold_up_the_others,
            limits::more_connections_than_allowed_are_refused_and_the_others_go_on,
            limits::messages_of_16_mib_pass_and_too_long_ones_are_refused,
            threads_of_a_client_ask_at_the_same_time,
            a_server_that_is_a_program_of_its_own_serves_until_it_is_killed,
            a_child_may_use_and_drop_what_it_was_forked_with,
            a32_signals_do_not_disturb_a_client_that_waits,
            the_price_of_setting_a_key,
        ],
        30,
    )
}
