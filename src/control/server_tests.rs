//! The server against clients of every kind. Time is what the tests say it is.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use proptest::prelude::*;

use super::connection::PATIENCE_NS;
use super::server::{ADMITTED, CLIENTS, REST_NS, Server};
use super::{MAX_ANSWER, MAX_REQUEST};
use crate::sys::epoll::Epoll;

const S: u64 = 1_000_000_000;

fn server() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bind(&dir.path().join("x.sock"), None).unwrap();
    (dir, server)
}

fn connect(server: &Server) -> UnixStream {
    let stream = UnixStream::connect(server.path()).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

fn turns(server: &mut Server, now_ns: u64, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..count {
        server.serve(now_ns, &mut |_, line| {
            seen.push(line.to_owned());
            format!("<{line}>")
        });
    }
    seen
}

/// Whether a loop that watches `server` would be woken now.
fn is_ready(server: &Server) -> bool {
    let mut epoll = Epoll::new().unwrap();
    epoll.add(server, 1).unwrap();
    let mut ready = false;
    epoll.wait(Some(std::time::Duration::ZERO), |_| ready = true).unwrap();
    ready
}

/// Serves as long as a loop would without time passing.
fn settle(server: &mut Server, now_ns: u64) -> Vec<String> {
    let mut seen = Vec::new();
    while is_ready(server) || server.deadline_ns() == Some(0) {
        seen.append(&mut turns(server, now_ns, 1));
    }
    seen
}

fn answers(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

fn is_closed(stream: &mut UnixStream) -> bool {
    !matches!(stream.read(&mut [0; 8]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn requests_are_answered_in_order_however_they_are_cut() {
    let (_dir, mut server) = server();
    let mut client = connect(&server);
    for piece in ["on", "e\ntwo\nthr", "ee\n"] {
        client.write_all(piece.as_bytes()).unwrap();
        settle(&mut server, 1);
    }
    assert_eq!(answers(&mut client), "<one>\n<two>\n<three>\n");
    assert_eq!(server.held(), (1, 0));
}

#[test]
fn a_client_that_writes_byte_by_byte_is_understood() {
    let (_dir, mut server) = server();
    let mut client = connect(&server);
    let mut seen = Vec::new();
    for byte in "{\"do\":\"status\"}\n{\"do\":\"größer\"}\n".as_bytes() {
        client.write_all(&[*byte]).unwrap();
        seen.append(&mut settle(&mut server, 1));
    }
    assert_eq!(seen, ["{\"do\":\"status\"}", "{\"do\":\"größer\"}"]);
}

#[test]
fn a_call_answers_one_request_of_each_client() {
    let (_dir, mut server) = server();
    let mut clients: Vec<UnixStream> = (0..ADMITTED).map(|_| connect(&server)).collect();
    for client in &mut clients {
        client.write_all(b"a\nb\nc\n").unwrap();
    }
    for expected in [["a"; ADMITTED], ["b"; ADMITTED], ["c"; ADMITTED]] {
        assert_eq!(turns(&mut server, 1, 1), expected);
    }
    assert!(settle(&mut server, 1).is_empty());
}

#[test]
fn requests_of_a_client_that_says_no_more_are_all_answered() {
    let (_dir, mut server) = server();
    let mut client = connect(&server);
    client.write_all(b"a\nb\nhalf").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(settle(&mut server, 1), ["a", "b"]);
    assert_eq!(answers(&mut client), "<a>\n<b>\n");
    assert_eq!((server.held(), server.deadline_ns()), ((0, 0), None));
}

#[test]
fn half_a_request_and_then_nobody_is_forgotten() {
    let (_dir, mut server) = server();
    let mut client = connect(&server);
    client.write_all(b"{\"do\":").unwrap();
    settle(&mut server, 1);
    assert_eq!(server.held(), (1, 6));
    drop(client);
    assert!(settle(&mut server, 1).is_empty());
    assert_eq!((server.held(), server.deadline_ns()), ((0, 0), None));
}

#[test]
fn a_client_that_does_not_finish_its_request_is_told_and_let_go() {
    let (_dir, mut server) = server();
    let (mut slow, mut silent) = (connect(&server), connect(&server));
    slow.write_all(b"half").unwrap();
    settle(&mut server, S);
    for second in 2..6 {
        slow.write_all(b".").unwrap();
        settle(&mut server, second * S);
    }
    assert_eq!(server.deadline_ns(), Some(S + PATIENCE_NS));
    assert!(!is_closed(&mut slow));
    turns(&mut server, S + PATIENCE_NS, 1);
    for client in [&mut slow, &mut silent] {
        assert_eq!(answers(client), "{\"error\":\"no whole request came in 5 s\"}\n");
    }
    assert_eq!(server.deadline_ns(), None);
}

#[test]
fn a_client_that_asks_again_in_time_stays() {
    let (_dir, mut server) = server();
    let mut client = connect(&server);
    for second in (1..60).step_by(4) {
        client.write_all(b"again\n").unwrap();
        settle(&mut server, second * S);
        assert_eq!(answers(&mut client), "<again>\n");
    }
}

#[test]
fn a_client_that_does_not_take_its_answer_is_let_go_and_costs_bounded_memory() {
    let (_dir, mut server) = server();
    let mut client = connect(&server);
    while client.write(&[b'\n'; 4096]).is_ok() {}
    let mut asked = 0;
    for _ in 0..100 {
        server.serve(S, &mut |_, _| {
            asked += 1;
            "x".repeat(MAX_ANSWER)
        });
    }
    assert_eq!(asked, 1, "more is read though the first answer is not taken");
    assert!(server.held().1 <= MAX_REQUEST + MAX_ANSWER + 8192);
    assert!(!is_ready(&server), "a client that does nothing keeps the loop awake");
    // Taking a little is not taking it.
    client.read_exact(&mut [0; 4096]).unwrap();
    turns(&mut server, 5 * S, 1);
    assert_eq!(server.held().0, 1);
    turns(&mut server, S + PATIENCE_NS, 1);
    assert_eq!(server.held(), (0, 0));
}

#[test]
fn a_long_answer_arrives_whole_and_a_longer_one_is_an_error() {
    let (_dir, mut server) = server();
    let mut client = connect(&server);
    for (length, whole) in [(MAX_ANSWER, true), (MAX_ANSWER + 1, false)] {
        client.write_all(b"?\n").unwrap();
        let mut text = String::new();
        while !text.ends_with('\n') {
            server.serve(1, &mut |_, _| "x".repeat(length));
            text += &answers(&mut client);
        }
        assert_eq!(text.len() == length + 1, whole);
        assert!(whole || text.starts_with("{\"error\""));
    }
}

#[test]
fn an_answer_stays_on_its_line() {
    let (_dir, mut server) = server();
    let mut client = connect(&server);
    client.write_all(b"?\n").unwrap();
    server.serve(1, &mut |_, _| "{\n  \"a\": 1\n}".into());
    assert_eq!(answers(&mut client), "{   \"a\": 1 }\n");
}

#[test]
fn the_longest_request_is_taken_and_a_longer_one_is_not() {
    for (length, taken) in [(MAX_REQUEST, true), (MAX_REQUEST + 1, false)] {
        let (_dir, mut server) = server();
        let mut client = connect(&server);
        let mut seen = Vec::new();
        for chunk in [vec![b'x'; length], vec![b'\n']].concat().chunks(10_000) {
            if client.write_all(chunk).is_ok() {
                seen.append(&mut settle(&mut server, 1));
            }
        }
        assert_eq!(seen.iter().map(String::len).collect::<Vec<_>>(), if taken { vec![MAX_REQUEST] } else { vec![] });
        assert_eq!(answers(&mut client).contains("64 KiB"), !taken);
    }
}

#[test]
fn ten_megabytes_without_a_newline_are_refused_early() {
    let (_dir, mut server) = server();
    let mut client = connect(&server);
    let mut sent = 0;
    while sent < 10 << 20 {
        match client.write(&[b'x'; 8192]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => drop(turns(&mut server, 1, 1)),
            Err(_) => break,
        }
        assert!(server.held().1 <= MAX_REQUEST + 8192);
    }
    assert!(sent < 10 << 20, "it was read to its end");
    assert!(answers(&mut client).contains("64 KiB"));
    assert_eq!(server.held(), (0, 0));
}

#[test]
fn bytes_that_are_no_text_are_refused_after_what_was() {
    let (_dir, mut server) = server();
    let mut client = connect(&server);
    client.write_all(b"good\n\xff\xfe\nnever\n").unwrap();
    assert_eq!(settle(&mut server, 1), ["good"]);
    assert_eq!(answers(&mut client), "<good>\n{\"error\":\"a request is UTF-8 text\"}\n");
}

#[test]
fn the_ninth_client_takes_the_place_of_who_asked_nothing_for_longest() {
    let (_dir, mut server) = server();
    let mut clients: Vec<UnixStream> = (0..8)
        .map(|now| {
            let client = connect(&server);
            settle(&mut server, 1 + now);
            client
        })
        .collect();
    clients[0].write_all(b"early\n").unwrap();
    settle(&mut server, 10);
    assert_eq!(answers(&mut clients[0]), "<early>\n");
    let mut ninth = connect(&server);
    ninth.write_all(b"hello\n").unwrap();
    settle(&mut server, 20);
    assert_eq!(answers(&mut ninth), "<hello>\n");
    assert_eq!(answers(&mut clients[1]), "{\"error\":\"others want to ask, too\"}\n");
    assert_eq!(clients.iter_mut().filter_map(|client| is_closed(client).then_some(())).count(), 1);
    assert_eq!(server.held().0, CLIENTS);
}

#[test]
fn a_hundred_clients_at_once_are_all_admitted() {
    let (_dir, mut server) = server();
    let mut clients: Vec<UnixStream> = Vec::new();
    while clients.len() < 100 {
        // As many wait as the kernel lets wait; then some are let in.
        match crate::sys::unix_socket::connect(server.path(), None) {
            Ok(mut client) => {
                client.write_all(b"me\n").unwrap();
                clients.push(client);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => drop(turns(&mut server, 1, 1)),
            Err(error) => panic!("{error}"),
        }
    }
    settle(&mut server, 1);
    for client in &mut clients {
        client.set_nonblocking(true).unwrap();
        assert!(answers(client).starts_with("<me>\n"));
    }
    assert_eq!(server.held().0, CLIENTS);
}

/// Runs itself again in a process of its own, since it takes all descriptors away.
#[test]
fn nobody_is_admitted_for_a_while_when_no_descriptor_is_free() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    const ALONE: &str = "PINRING_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "control::server_tests::nobody_is_admitted_for_a_while_when_no_descriptor_is_free";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", name]).env(ALONE, "1").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let (_dir, mut server) = server();
    let mut client = connect(&server);
    client.write_all(b"me\n").unwrap();
    let mut epoll = Epoll::new().unwrap();
    epoll.add(&server, 1).unwrap();
    let mut is_ready = || {
        let mut ready = false;
        epoll.wait(Some(std::time::Duration::ZERO), |_| ready = true).unwrap();
        ready
    };
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 0, hard).unwrap();
    assert!(is_ready());
    for round in 1..4 {
        turns(&mut server, S + (round - 1) * REST_NS, 1);
        assert_eq!(server.deadline_ns(), Some(S + round * REST_NS));
        assert!(!is_ready(), "it keeps the loop awake");
    }
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert!(turns(&mut server, S + 3 * REST_NS - 1, 1).is_empty());
    assert_eq!(turns(&mut server, S + 3 * REST_NS, 1), ["me"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_chunks_give_the_same_requests(text in "[a-z{}\":\n]{0,200}", size in 1..40_usize) {
        let (_dir, mut server) = server();
        let mut client = connect(&server);
        let mut seen = Vec::new();
        for chunk in text.as_bytes().chunks(size) {
            client.write_all(chunk).unwrap();
            seen.append(&mut settle(&mut server, 1));
        }
        let whole = text.rsplit_once('\n').map_or(vec![], |(lines, _)| lines.split('\n').collect());
        prop_assert_eq!(seen, whole);
    }
}

#[test]
fn random_bytes_never_hurt() {
    let (_dir, mut server) = server();
    let mut random = 88_172_645_463_325_252_u64;
    let mut client = connect(&server);
    for round in 0..100_000u64 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let bytes = random.to_le_bytes();
        let count = usize::try_from(random % 9).unwrap();
        if client.write_all(&bytes[..count]).is_err() || random % 97 == 0 {
            settle(&mut server, round);
            client = connect(&server);
        }
        let _ = client.read(&mut [0; 512]);
        if random % 5 == 0 {
            turns(&mut server, round, 1);
        }
    }
}
