//! A process that holds objects for others: nothing is lost, nothing is left over, and who dies takes nothing along.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "multi_manager/deaths.rs"]
mod deaths;
#[path = "multi_manager/limits.rs"]
mod limits;
#[path = "multi_manager/messages.rs"]
mod messages;
#[path = "multi_manager/silence.rs"]
mod silence;
mod support;
#[path = "multi_manager/types.rs"]
mod types;

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use pinring::multi::{
    Addr, AuthKey, Manager, ManagerError, ManagerStats, RArray, RBarrier, RDict, REvent, RList, RLock, RNamespace,
    RQueue, RSemaphore, RService, RValue, Service, ServiceError, answer, connect,
};
use pinring::sys::wait::Ended;
use support::forked::{Forked, forked};

/// Longer than this is for ever, also on a busy machine.
const SOON: Duration = Duration::from_secs(20);

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
    const COUNT: u32 = 200;
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
            types::a84_every_type_that_holds_data_is_used_from_a_child,
            types::a84_every_type_that_one_waits_for_is_used_from_a_child,
            types::a85_a_missing_key_name_type_or_method_is_a_typed_error,
            a86_one_process_serves_another_puts_a_third_gets_by_address_and_key,
            a87_a_shut_down_server_exits_with_0_and_20_restarts_at_the_same_address_work,
            a_manager_that_is_dropped_leaves_neither_process_nor_file,
            a_process_with_threads_is_refused,
            sigint_does_not_end_a_server,
            types::w21_four_processes_lose_no_update,
            deaths::a_client_killed_with_a_lock_frees_it_and_the_next_holder_is_told,
            deaths::a_client_killed_with_a_lock_frees_it_though_it_has_a_living_child,
            deaths::a_client_killed_with_permits_gives_them_back,
            deaths::a_client_killed_in_a_barrier_breaks_it_and_a_reset_makes_it_whole,
            deaths::a_client_killed_while_it_waits_takes_nothing_with_it,
            deaths::a_client_killed_with_proxies_frees_their_objects_and_a_name_keeps_its_own,
            deaths::of_200_clients_killed_at_random_moments_nothing_is_left_and_no_item_comes_twice,
            deaths::a_server_dies_with_the_process_that_started_it_and_its_place_can_be_had_again,
            a_dropped_proxy_frees_its_object_and_a_clone_keeps_it,
            deaths::a_killed_server_is_told_to_all_within_a_second_and_another_at_its_place_is_not_it,
            limits::garbage_on_the_wire_closes_that_connection_only,
            limits::silent_clients_do_not_hold_up_the_others,
            limits::more_connections_than_allowed_are_refused_and_the_others_go_on,
            limits::messages_of_16_mib_pass_and_too_long_ones_are_refused,
            limits::many_small_items_at_a_time_are_refused,
            messages::a_proxy_goes_in_messages_and_holds_its_object_where_it_arrives,
            messages::a_proxy_that_has_come_in_a_message_keeps_its_object_when_the_sender_has_gone,
            messages::a_proxy_of_what_is_no_more_is_an_error_where_it_arrives,
            messages::what_a_child_has_captured_is_there_when_it_looks,
            silence::a_stopped_server_is_told_and_answers_the_right_one_when_it_goes_on,
            silence::a_wait_may_take_longer_than_the_server_may_be_silent,
            threads_of_a_client_ask_at_the_same_time,
            a_server_that_is_a_program_of_its_own_serves_until_it_is_killed,
            a_child_may_use_and_drop_what_it_was_forked_with,
            a32_signals_do_not_disturb_a_client_that_waits,
            the_price_of_setting_a_key,
        ],
        120,
    )
}
