//! Strangers, the mad and the greedy get no further than their own connection.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

pub(super) fn garbage_on_the_wire_closes_that_connection_only() {
    let mut random = support::Random::new();
    let limit = Duration::from_millis(200);
    let manager = Manager::builder().authkey(key()).handshake_limit(limit).start().unwrap();
    let value = manager.value(1).unwrap();
    let Addr::Unix(path) = manager.address() else { panic!() };
    for round in 0..200u64 {
        let bytes: Vec<u8> = (0..random.below(300)).map(|_| random.next().to_le_bytes()[0]).collect();
        if round % 4 == 0 {
            let mut stranger = UnixStream::connect(&path).unwrap();
            let _ = std::io::Write::write_all(&mut stranger, &bytes);
            continue;
        }
        let mut conn = connect(&manager.address(), &key(), SOON).unwrap();
        if round % 4 > 1 {
            // Opens as a client does, and then goes mad.
            let open: Vec<u8> = [&[0, 0][..], &[7; 16]].concat();
            conn.send_bytes(&open).unwrap();
            conn.recv_bytes(100).unwrap();
        }
        for part in bytes.chunks(20) {
            let _ = conn.send_bytes(part);
        }
        if round % 4 == 3 {
            // A length that nothing follows.
            let fd = std::os::fd::AsFd::as_fd(&conn).try_clone_to_owned().unwrap();
            let _ = std::io::Write::write_all(&mut UnixStream::from(fd), &u32::MAX.to_be_bytes());
        }
    }
    assert_eq!(value.get().unwrap(), 1);
    drop(value);
    soon("the mad ones have gone", || manager.stats().unwrap().clients == 1);
    manager.shutdown().unwrap();
}

pub(super) fn silent_clients_do_not_hold_up_the_others() {
    let manager = Manager::builder().address(tcp()).start().unwrap();
    let Addr::Tcp(address) = manager.address() else { panic!() };
    let _silent: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let begin = Instant::now();
    let other = Manager::connect(&manager.address(), &manager.authkey()).unwrap();
    assert_eq!(other.value(3).unwrap().get().unwrap(), 3);
    assert!(begin.elapsed() < SOON);
}

pub(super) fn more_connections_than_allowed_are_refused_and_the_others_go_on() {
    let manager = Manager::builder().max_connections(2).start().unwrap();
    let value = manager.value(1).unwrap();
    let second = Manager::connect(&manager.address(), &manager.authkey()).unwrap();
    let third = Manager::connect(&manager.address(), &manager.authkey());
    assert!(matches!(third, Err(ManagerError::Connect(_))), "{third:?}");
    drop(second);
    soon("there is room again", || Manager::connect(&manager.address(), &manager.authkey()).is_ok());
    assert_eq!(value.get().unwrap(), 1);
}

pub(super) fn messages_of_16_mib_pass_and_too_long_ones_are_refused() {
    let manager = Manager::start().unwrap();
    let value = manager.value(vec![7u8; 16 << 20]).unwrap();
    assert_eq!(value.get().unwrap().len(), 16 << 20);
    drop(value);
    drop(manager);
    let manager = Manager::builder().max_message(1000).start().unwrap();
    let list = manager.list::<Vec<u8>>().unwrap();
    for _ in 0..5 {
        list.push(vec![1; 300]).unwrap();
    }
    assert!(matches!(list.to_vec(), Err(ManagerError::TooLarge { .. })));
    assert!(matches!(list.push(vec![1; 1100]), Err(ManagerError::TooLarge { .. })));
    assert_eq!(list.len().unwrap(), 5);
}

/// As this crate's own clients would ask, if they had no sense: what memory the server has at most while it hears of 64 MiB of nothing.
pub(super) fn many_small_items_at_a_time_are_refused() {
    let manager = Manager::builder().max_message(8000).start().unwrap();
    let list = manager.list::<()>().unwrap();
    let many = list.extend(vec![(); 1001]);
    assert!(matches!(many, Err(ManagerError::TooMany { items: 1001, max: 1000, .. })), "{many:?}");
    assert!(matches!(manager.array(vec![(); 1001]), Err(ManagerError::TooMany { .. })));
    list.extend(vec![(); 1000]).unwrap();
    assert_eq!(list.len().unwrap(), 1000);
    drop(manager);
    let manager = Manager::start().unwrap();
    let list = manager.list::<()>().unwrap();
    assert!(matches!(list.extend(vec![(); 60 << 20]), Err(ManagerError::TooMany { .. })));
    let status = std::fs::read_to_string(format!("/proc/{}/status", manager.pid().unwrap())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB");
    assert!(peak.parse::<u64>().unwrap() < 300 << 10, "{peak} kB");
}
