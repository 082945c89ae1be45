//! Connections between processes: what is sent arrives, whoever has no key does not get in, and nobody can hold up the others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use pinring::multi::{
    AcceptError, Addr, AuthKey, BytesConn, Listener, RecvBytesError, SendBytesError, connect, connect_unauthenticated,
};
use support::forked::{Forked, forked};

const LIMIT: Duration = Duration::from_secs(5);

fn key() -> AuthKey {
    AuthKey::from_bytes(b"the key")
}

fn listener(address: &Addr) -> Listener {
    Listener::bind(address, key()).unwrap()
}

/// A child that sends back what it gets until the end.
fn echo(mut conn: BytesConn) {
    loop {
        match conn.recv_bytes(usize::MAX) {
            Ok(message) => conn.send_bytes(&message).unwrap(),
            Err(RecvBytesError::Eof) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Two ends, the other in a child.
fn with_echo() -> (BytesConn, Forked) {
    let (here, there) = BytesConn::pair().unwrap();
    // The parent's copy of `there` goes with the closure.
    let child = forked(&[there.as_fd().as_raw_fd()], || echo(there));
    (here, child)
}

fn a21_an_echo_is_equal_for_a_number_a_string_nothing_and_16_mib() {
    let (mut conn, child) = with_echo();
    let large: Vec<u8> = (0..16u32 << 20).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24).to_le_bytes()[0]).collect();
    for message in [&7u64.to_le_bytes()[..], "grüß dich".as_bytes(), b"", &large, b"after"] {
        conn.send_bytes(message).unwrap();
        assert_eq!(conn.recv_bytes(16 << 20).unwrap(), message);
    }
    drop(conn);
    child.must_succeed();
}

fn a25_whole_part_and_empty_slice_arrive_exactly() {
    let (mut one, mut other) = BytesConn::pair().unwrap();
    let data = b"abcdefghijklmnop";
    for part in [&data[..], &data[7..], &data[7..12], &data[3..3]] {
        one.send_bytes(part).unwrap();
        assert_eq!(other.recv_bytes(100).unwrap(), part);
    }
}

fn a26_messages_sent_quickly_are_neither_merged_nor_split() {
    let (mut one, mut other) = BytesConn::pair().unwrap();
    let messages = [&b"a"[..], b"b", b"cd"];
    messages.iter().for_each(|message| one.send_bytes(message).unwrap());
    for message in messages {
        assert!(other.poll(Duration::ZERO).unwrap());
        assert_eq!(other.recv_bytes(100).unwrap(), message);
    }
    assert!(!other.poll(Duration::from_millis(2)).unwrap());
}

fn a27_three_empty_messages_are_three_receives_and_then_the_end() {
    let (mut one, mut other) = BytesConn::pair().unwrap();
    (0..3).for_each(|_| one.send_bytes(b"").unwrap());
    drop(one);
    (0..3).for_each(|_| assert_eq!(other.recv_bytes(0).unwrap(), b""));
    assert!(other.poll(Duration::ZERO).unwrap());
    (0..2).for_each(|_| assert!(matches!(other.recv_bytes(0), Err(RecvBytesError::Eof))));
    assert!(matches!(other.send_bytes(b"x"), Err(SendBytesError::Closed)));
}

fn a30_what_does_not_fit_the_buffer_comes_with_the_error_and_the_next_is_right() {
    let (mut one, mut other) = BytesConn::pair().unwrap();
    one.send_bytes(b"much too long").unwrap();
    one.send_bytes(b"fits").unwrap();
    let mut buffer = [0; 4];
    let Err(RecvBytesError::BufferTooShort(whole)) = other.recv_bytes_into(&mut buffer) else { panic!("it fitted") };
    assert_eq!((&whole[..], buffer), (&b"much too long"[..], [0; 4]));
    assert_eq!(other.recv_bytes_into(&mut buffer).unwrap(), 4);
    assert_eq!(&buffer, b"fits");
}

fn a31_too_long_a_message_closes_the_half_that_reads_and_only_that() {
    let (mut one, mut other) = BytesConn::pair().unwrap();
    one.send_bytes(&[1; 1000]).unwrap();
    assert!(matches!(other.recv_bytes(999), Err(RecvBytesError::TooLong { len: 1000, max: 999 })));
    assert!(matches!(other.recv_bytes(1000), Err(RecvBytesError::ReadClosed)));
    assert!(matches!(other.recv_bytes_into(&mut [0; 1000]), Err(RecvBytesError::ReadClosed)));
    other.send_bytes(b"still here").unwrap();
    assert_eq!(one.recv_bytes(100).unwrap(), b"still here");
    // Whoever goes on is told.
    assert!(matches!(one.send_bytes(b"more"), Err(SendBytesError::Closed)));
}

fn a32_signals_every_few_milliseconds_disturb_neither_send_nor_receive_nor_accept() {
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let parent = pinring::sys::fork::own_pid();
    let alarm = forked(&[], || {
        loop {
            std::thread::sleep(Duration::from_millis(3));
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(parent), Signal::SIGUSR1).unwrap();
        }
    });
    let listener = listener(&Addr::Auto);
    let address = listener.address();
    let client = forked(&[], || {
        std::thread::sleep(Duration::from_millis(60));
        echo(connect(&address, &key(), LIMIT).unwrap());
    });
    let mut conn = listener.accept().unwrap();
    for _ in 0..8 {
        conn.send_bytes(&vec![7; 1 << 20]).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(conn.recv_bytes(1 << 20).unwrap().len(), 1 << 20);
    }
    assert!(!conn.poll(Duration::from_millis(30)).unwrap());
    drop(conn);
    client.must_succeed();
    alarm.kill();
}

fn a37_every_kind_of_address_carries_an_echo_and_is_the_real_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a37.sock");
    let name = format!("pinring-a37-{}", pinring::sys::fork::own_pid());
    let tcp = "127.0.0.1:0".parse().unwrap();
    for address in [Addr::Auto, Addr::Unix(path), Addr::Abstract(name), Addr::Tcp(tcp)] {
        let listener = listener(&address);
        let real = listener.address();
        match &real {
            Addr::Tcp(real) => assert_ne!(real.port(), 0),
            Addr::Unix(path) => assert!(path.exists()),
            other => assert_eq!(*other, address),
        }
        let child = forked(&[], || echo(connect(&real, &key(), LIMIT).unwrap()));
        let mut conn = listener.accept().unwrap();
        conn.send_bytes(b"hello").unwrap();
        assert_eq!(conn.recv_bytes(100).unwrap(), b"hello");
        drop(conn);
        child.must_succeed();
    }
}

fn a38_a_second_listener_is_refused_and_the_file_goes_with_the_first() {
    let name = format!("pinring-a38-{}", pinring::sys::fork::own_pid());
    for address in [Addr::Auto, Addr::Abstract(name), Addr::Tcp("127.0.0.1:0".parse().unwrap())] {
        let first = listener(&address);
        let real = first.address();
        let error = Listener::bind(&real, key()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&real.to_string()), "{error}");
        drop(first);
        if let Addr::Unix(path) = &real {
            assert!(!path.exists());
        }
        drop(listener(&real));
    }
}

fn a39_what_a_client_wrote_before_it_was_accepted_and_had_gone_is_delivered() {
    let listener = Listener::bind_unauthenticated(&Addr::Auto).unwrap();
    let address = listener.address();
    forked(&[], || connect_unauthenticated(&address, LIMIT).unwrap().send_bytes(b"early").unwrap()).must_succeed();
    let mut conn = listener.accept().unwrap();
    assert_eq!(conn.recv_bytes(100).unwrap(), b"early");
    assert!(matches!(conn.recv_bytes(100), Err(RecvBytesError::Eof)));
    let tcp = Addr::Tcp("127.0.0.1:0".parse().unwrap());
    assert_eq!(Listener::bind_unauthenticated(&tcp).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

fn a40_a_wrong_key_is_refused_on_both_sides_and_the_next_client_is_served() {
    for address in [Addr::Auto, Addr::Tcp("127.0.0.1:0".parse().unwrap())] {
        let listener = listener(&address);
        let real = listener.address();
        let wrong = forked(&[], || {
            let refused = connect(&real, &AuthKey::from_bytes(b"another"), LIMIT);
            assert!(matches!(refused, Err(AcceptError::Auth { .. })), "{refused:?}");
        });
        assert!(matches!(listener.accept(), Err(AcceptError::Auth { .. })));
        wrong.must_succeed();
        let right = forked(&[], || connect(&real, &key(), LIMIT).unwrap().send_bytes(b"me").unwrap());
        assert_eq!(listener.accept().unwrap().recv_bytes(10).unwrap(), b"me");
        right.must_succeed();
    }
}

fn a40_equal_empty_keys_are_accepted() {
    let empty = AuthKey::from_bytes(b"");
    let listener = Listener::bind(&Addr::Auto, empty.clone()).unwrap();
    let address = listener.address();
    let child = forked(&[], || connect(&address, &empty, LIMIT).unwrap().send_bytes(b"").unwrap());
    assert_eq!(listener.accept().unwrap().recv_bytes(10).unwrap(), b"");
    child.must_succeed();
}

fn w24_a_silent_client_delays_the_others_by_the_limit_at_most_and_not_at_all_with_a_thread() {
    let listener = listener(&Addr::Tcp("127.0.0.1:0".parse().unwrap())).handshake_limit(Duration::from_millis(200));
    let address = listener.address();
    let Addr::Tcp(tcp) = address else { panic!() };
    let silent = TcpStream::connect(tcp).unwrap();
    let mut dripping = TcpStream::connect(tcp).unwrap();
    dripping.write_all(b"pin").unwrap();
    let good = forked(&[], || connect(&address, &key(), LIMIT).unwrap().send_bytes(b"good").unwrap());
    for _ in 0..2 {
        assert!(matches!(listener.accept(), Err(AcceptError::HandshakeTimeout { .. })));
    }
    assert_eq!(listener.accept().unwrap().recv_bytes(10).unwrap(), b"good");
    good.must_succeed();
    drop((silent, dripping));
    let _silent = TcpStream::connect(tcp).unwrap();
    let good = forked(&[], || connect(&address, &key(), LIMIT).unwrap().send_bytes(b"good").unwrap());
    let slow = listener.accept_raw().unwrap();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| slow.handshake());
        let mut conn = listener.accept().unwrap();
        assert_eq!(conn.recv_bytes(10).unwrap(), b"good");
        assert!(slow.join().unwrap().is_err());
    });
    good.must_succeed();
}

/// gh-123736: in Python this hangs for ever.
fn a_client_with_a_key_gives_up_on_a_listener_that_asks_for_none() {
    let listener = Listener::bind_unauthenticated(&Addr::Auto).unwrap();
    let refused = connect(&listener.address(), &key(), Duration::from_millis(50));
    assert!(matches!(refused, Err(AcceptError::HandshakeTimeout { .. })));
}

fn nobody_there_is_an_error_that_names_the_address() {
    let listener = listener(&Addr::Tcp("127.0.0.1:0".parse().unwrap()));
    let address = listener.address();
    drop(listener);
    let Err(AcceptError::Io { peer, source }) = connect(&address, &key(), LIMIT) else { panic!("connected") };
    assert_eq!((peer, source.kind()), (address.to_string(), io::ErrorKind::ConnectionRefused));
    assert!(matches!(connect(&Addr::Auto, &key(), LIMIT), Err(AcceptError::Io { .. })));
}

fn our_own_bytes_sent_back_prove_nothing() {
    let mirror = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Addr::Tcp(mirror.local_addr().unwrap());
    let child = forked(&[mirror.as_raw_fd()], || {
        // It has no key: it asks with random numbers and answers with what it is told.
        let (mut client, _) = mirror.accept().unwrap();
        client.write_all(b"pinring\x01").unwrap();
        client.write_all(&[7; 32]).unwrap();
        let mut answer = [0; 72];
        client.read_exact(&mut answer).unwrap();
        client.write_all(&[1]).unwrap();
        client.write_all(&answer[40..]).unwrap();
    });
    assert!(matches!(connect(&address, &key(), LIMIT), Err(AcceptError::Auth { .. })));
    child.must_succeed();
}

fn garbage_before_the_handshake_costs_its_sender_the_connection_and_nobody_else() {
    let mut random = support::Random::new();
    let listener = listener(&Addr::Tcp("127.0.0.1:0".parse().unwrap())).handshake_limit(Duration::from_millis(50));
    let address = listener.address();
    let Addr::Tcp(tcp) = address else { panic!() };
    for round in 0..100u64 {
        let mut stranger = TcpStream::connect(tcp).unwrap();
        let mut bytes: Vec<u8> = (0..random.below(200)).map(|_| random.next().to_le_bytes()[0]).collect();
        if round % 2 == 0 {
            bytes.splice(0..0, *b"pinring\x01");
        }
        let _ = stranger.write_all(&bytes);
        if random.below(2) == 0 {
            let _ = stranger.shutdown(Shutdown::Write);
        }
        listener.accept().unwrap_err();
    }
    let good = forked(&[], || connect(&address, &key(), LIMIT).unwrap().send_bytes(b"good").unwrap());
    assert_eq!(listener.accept().unwrap().recv_bytes(10).unwrap(), b"good");
    good.must_succeed();
}

fn an_end_within_a_message_is_told_from_an_end_between_two() {
    for (bytes, expected) in [(&b""[..], None), (b"\0\0", Some(0)), (b"\0\0\0\x05abc", Some(3)), (b"\0\0\0\0", None)] {
        let (mut raw, there) = UnixStream::pair().unwrap();
        let mut conn = BytesConn::from(there);
        raw.write_all(bytes).unwrap();
        drop(raw);
        if bytes.len() == 4 {
            assert_eq!(conn.recv_bytes(10).unwrap(), b"");
        }
        match (conn.recv_bytes(10), expected) {
            (Err(RecvBytesError::Eof), None) => {}
            (Err(RecvBytesError::Truncated { got }), Some(expected)) => assert_eq!(got, expected),
            (other, _) => panic!("{other:?} for {bytes:?}"),
        }
    }
}

fn main() -> std::process::ExitCode {
    macro_rules! all { ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as fn())),*] } }
    support::run(
        all![
            a21_an_echo_is_equal_for_a_number_a_string_nothing_and_16_mib,
            a25_whole_part_and_empty_slice_arrive_exactly,
            a26_messages_sent_quickly_are_neither_merged_nor_split,
            a27_three_empty_messages_are_three_receives_and_then_the_end,
            a30_what_does_not_fit_the_buffer_comes_with_the_error_and_the_next_is_right,
            a31_too_long_a_message_closes_the_half_that_reads_and_only_that,
            a32_signals_every_few_milliseconds_disturb_neither_send_nor_receive_nor_accept,
            a37_every_kind_of_address_carries_an_echo_and_is_the_real_one,
            a38_a_second_listener_is_refused_and_the_file_goes_with_the_first,
            a39_what_a_client_wrote_before_it_was_accepted_and_had_gone_is_delivered,
            a40_a_wrong_key_is_refused_on_both_sides_and_the_next_client_is_served,
            a40_equal_empty_keys_are_accepted,
            w24_a_silent_client_delays_the_others_by_the_limit_at_most_and_not_at_all_with_a_thread,
            a_client_with_a_key_gives_up_on_a_listener_that_asks_for_none,
            nobody_there_is_an_error_that_names_the_address,
            our_own_bytes_sent_back_prove_nothing,
            garbage_before_the_handshake_costs_its_sender_the_connection_and_nobody_else,
            an_end_within_a_message_is_told_from_an_end_between_two,
        ],
        120,
    )
}
