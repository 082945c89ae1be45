//! The program as a service: under a manager that hears it and keeps its descriptors, asked through its control socket, killed, stopped,
//! replaced.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking; its numbers are small"
)]

#[path = "service/bench.rs"]
mod bench;
#[path = "support/manager.rs"]
mod manager;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pinring::sys::signal;
use serde_json::Value;

use bench::{Bench, Guard};
use manager::Manager;
use support::processes::children;

const MS: Duration = Duration::from_millis(1);

/// Waits for the end of the program.
fn end_of(child: &mut Child) -> ExitStatus {
    child.wait().unwrap()
}

fn pid(child: &Child) -> i32 {
    child.id() as i32
}

fn a_killed_supervisor_loses_nothing_if_its_descriptors_are_kept() {
    let mut bench = Bench::new("");
    let mut manager = Manager::new(bench.dir.path());
    for round in 0..5 {
        let mut child = bench.start(&mut manager);
        manager.wait_for("READY=1");
        bench.send(200 * MS);
        manager.hear();
        assert!(manager.kept().contains(&"segment") && manager.kept().contains(&"port.port"), "{:?}", manager.kept());
        signal::kill_hard(pid(&child)).unwrap();
        end_of(&mut child);
        if round > 0 {
            assert!(fs::read_to_string(bench.path("log")).unwrap().contains("going on where"));
        }
        // Nobody listens, but the line holds what comes.
        bench.send(100 * MS);
    }
    let _child = Guard(bench.start(&mut manager));
    bench.check();
    println!("    {} lines over 5 kills of the supervisor", bench.sent);
}

fn a_restart_by_the_manager_loses_nothing_and_keeps_the_port_open() {
    let mut bench = Bench::new("");
    let mut manager = Manager::new(bench.dir.path());
    for _ in 0..3 {
        let mut child = bench.start(&mut manager);
        manager.wait_for("READY=1");
        bench.send(150 * MS);
        signal::terminate(pid(&child)).unwrap();
        bench.send(100 * MS);
        assert!(end_of(&mut child).success());
        manager.hear();
        for message in ["STATUS=", "WATCHDOG=1", "STOPPING=1", "EXTEND_TIMEOUT_USEC="] {
            assert!(manager.heard.iter().any(|text| text.contains(message)), "{message}: {:?}", manager.heard);
        }
    }
    let _child = Guard(bench.start(&mut manager));
    bench.check();
}

fn a_segment_of_another_configuration_is_refused_and_said_so() {
    let mut bench = Bench::new("");
    let mut manager = Manager::new(bench.dir.path());
    let mut child = bench.start(&mut manager);
    manager.wait_for("READY=1");
    bench.send(50 * MS);
    bench.check();
    signal::kill_hard(pid(&child)).unwrap();
    end_of(&mut child);
    manager.hear();
    bench.configure("sync = \"2s\"\n");
    let _child = bench.run(&mut manager);
    let log = fs::read_to_string(bench.path("log")).unwrap();
    assert!(log.contains("does not fit") && log.contains("0 messages of it are lost"), "{log}");
    manager.hear();
    assert_eq!(manager.kept().iter().filter(|name| **name == "segment").count(), 1);
}

fn a_killed_supervisor_without_a_manager_leaves_nothing_behind() {
    let mut bench = Bench::new("");
    let log = fs::File::create(bench.path("log")).unwrap();
    let arguments = bench.arguments();
    let start = || {
        let log = log.try_clone().unwrap();
        Command::new(env!("CARGO_BIN_EXE_pinring")).args(&arguments).stderr(log).spawn().unwrap()
    };
    let mut child = start();
    while !bench.path("lines.csv").exists() {
        bench.send(5 * MS);
    }
    let workers = children(child.id());
    assert!(workers.len() >= 2, "{workers:?}");
    let killed = Instant::now();
    signal::kill_hard(pid(&child)).unwrap();
    end_of(&mut child);
    while workers.iter().any(|(pid, _)| Path::new(&format!("/proc/{pid}/exe")).exists()) {
        assert!(killed.elapsed() < Duration::from_secs(20), "workers outlive their supervisor");
        sleep(MS);
    }
    println!("    workers gone {:?} after the kill", killed.elapsed());
    let before = fs::read_dir(bench.dir.path()).unwrap().count();
    let _child = Guard(start());
    while fs::read_dir(bench.dir.path()).unwrap().count() == before {
        bench.send(5 * MS);
        assert!(killed.elapsed() < Duration::from_secs(20), "no data again");
    }
    println!("    data again {:?} after the kill", killed.elapsed());
}

fn an_upgrade_loses_nothing_and_keeps_the_pid() {
    let mut bench = Bench::new("");
    let mut manager = Manager::new(bench.dir.path());
    let child = bench.run(&mut manager);
    let binary = bench.path("pinring-new");
    fs::copy(env!("CARGO_BIN_EXE_pinring"), &binary).unwrap();
    for _ in 0..3 {
        bench.send(100 * MS);
        let (ok, text) = bench.ask(&["upgrade", &binary.display().to_string()]);
        assert!(ok && text.contains("goes on"), "{text}");
        bench.send(50 * MS);
    }
    assert_eq!(bench.status()["pid"].as_u64().unwrap(), u64::from(child.0.id()));
    let (ok, text) = bench.ask(&["upgrade", "/bin/true"]);
    assert!(!ok && text.contains("no pinring"), "{text}");
    bench.send(50 * MS);
    bench.check();
}

fn a_reload_restarts_only_what_changed_and_a_bad_file_changes_nothing() {
    let mut bench = Bench::new("");
    let mut manager = Manager::new(bench.dir.path());
    let _child = bench.run(&mut manager);
    bench.send(50 * MS);
    bench.check();
    let before = bench.pids();
    bench.configure("sync = \"2s\"\n");
    let (ok, text) = bench.ask(&["reload"]);
    assert!(ok && text.contains("changed: lines; restarts: record"), "{text}");
    let after = wait_until(|| Some(bench.pids()).filter(|pids| pids[1] != before[1] && pids[1].1 != 0));
    assert_eq!(before[0], after[0], "the port's worker did not change");
    fs::write(bench.file(), "[[source]]\nname = 7\n").unwrap();
    let (ok, text) = bench.ask(&["reload"]);
    assert!(!ok && text.contains("x.toml:2:8") && text.contains("nothing was"), "{text}");
    assert_eq!(bench.pids(), after);
}

fn a_reload_that_changes_the_graph_loses_nothing() {
    let mut bench = Bench::new("");
    let mut manager = Manager::new(bench.dir.path());
    let _child = bench.run(&mut manager);
    bench.send(100 * MS);
    let dir = bench.dir.path().display().to_string();
    let more = format!("[[sink]]\nname = \"second\"\ntype = \"csv\"\ninput = \"port\"\npath = \"{dir}/second.csv\"\n");
    for graph in [more.as_str(), "", more.as_str()] {
        bench.configure(graph);
        manager.heard.clear();
        let (ok, text) = bench.ask(&["reload"]);
        assert!(ok, "{text}");
        for _ in 0..10 {
            bench.send(10 * MS);
            manager.hear();
        }
        manager.wait_for("READY=1");
        let place = |what: &str| manager.heard.iter().position(|text| text.starts_with(what));
        assert!(place("RELOADING=1\nMONOTONIC_USEC=") < place("READY=1"), "{:?}", manager.heard);
    }
    bench.check();
    assert_eq!(bench.status()["nodes"].as_array().unwrap().len(), 3);
}

/// The test does not listen while the new system is set up: the queue of the manager's socket is full.
fn a_manager_that_was_deaf_for_a_while_is_told_what_it_missed() {
    let mut bench = Bench::new("");
    let mut manager = Manager::new(bench.dir.path());
    let mut child = bench.run(&mut manager);
    let dir = bench.dir.path().display().to_string();
    bench.configure(&format!(
        "[[sink]]\nname = \"second\"\ntype = \"csv\"\ninput = \"port\"\npath = \"{dir}/second.csv\"\n"
    ));
    manager.heard.clear();
    assert!(bench.ask(&["reload"]).0);
    bench.send(500 * MS);
    manager.wait_for("READY=1");
    bench.send(50 * MS);
    manager.hear();
    assert!(manager.kept().contains(&"segment") && manager.kept().contains(&"port.port"), "{:?}", manager.kept());
    signal::kill_hard(pid(&child.0)).unwrap();
    end_of(&mut child.0);
    let _child = bench.run(&mut manager);
    assert!(fs::read_to_string(bench.path("log")).unwrap().contains("going on where"));
    bench.check();
}

fn wait_until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "it does not come");
        sleep(5 * MS);
    }
}

fn a_stopped_source_lets_go_of_its_port_and_bytes_go_out_through_it() {
    let mut bench = Bench::new("");
    let mut manager = Manager::new(bench.dir.path());
    let _child = bench.run(&mut manager);
    bench.send(50 * MS);
    bench.check();
    let (ok, text) = bench.ask(&["send", "port", r"AT\r\n\x02"]);
    assert!(ok, "{text}");
    assert_eq!(wait_until(|| Some(bench.device.received()).filter(|bytes| !bytes.is_empty())), b"AT\r\n\x02");
    assert!(bench.ask(&["stop", "port"]).0);
    let settings = pinring::serial::PortSettings::default();
    let port = wait_until(|| {
        // The manager must let go of its copy, too.
        manager.hear();
        pinring::serial::Port::open(&bench.path("port"), &settings).ok()
    });
    assert!(bench.ask(&["send", "port", "x"]).1.contains("not open"));
    drop(port);
    assert!(bench.ask(&["start", "port"]).0);
    wait_until(|| bench.ask(&["send", "port", "x"]).0.then_some(()));
    bench.send(50 * MS);
    bench.check();
    assert!(bench.ask(&["restart", "nobody"]).1.contains("the nodes are: port, lines"));
}

fn a_deaf_worker_is_killed_at_its_time_and_at_once_when_asked_twice() {
    let mut bench = Bench::new("");
    let text = fs::read_to_string(bench.file()).unwrap();
    fs::write(bench.file(), format!("[supervisor]\nhang = \"off\"\n{text}")).unwrap();
    for twice in [false, true] {
        let log = fs::File::create(bench.path("log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_pinring"));
        child.args(bench.arguments()).stdout(Stdio::null()).stderr(log);
        let mut child = child.spawn().unwrap();
        wait_until(|| (bench.status_or_none()?["ready"] == Value::Bool(true)).then_some(()));
        bench.send(20 * MS);
        let (record, _) = children(child.id()).into_iter().find(|(_, name)| name == "record").unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(record), nix::sys::signal::Signal::SIGSTOP).unwrap();
        let asked = Instant::now();
        signal::terminate(pid(&child)).unwrap();
        if twice {
            // Once it has been heard.
            wait_until(|| fs::read_to_string(bench.path("log")).unwrap().contains("draining").then_some(()));
            signal::terminate(pid(&child)).unwrap();
        }
        let status = end_of(&mut child);
        println!("    asked {}: over after {:?}", if twice { "twice" } else { "once" }, asked.elapsed());
        assert_eq!(status.code(), Some(1), "a killed worker is no good end");
        assert!(twice || asked.elapsed() >= Duration::from_millis(4990));
    }
}

fn hostile_clients_disturb_nothing() {
    let mut bench = Bench::new("");
    let mut manager = Manager::new(bench.dir.path());
    let mut child = Guard(bench.start(&mut manager));
    manager.wait_for("READY=1");
    let socket = bench.path("c.sock");
    let mut random = support::Random::new();
    let mut clients: Vec<UnixStream> = Vec::new();
    for round in 0..3000 {
        if let Ok(client) = UnixStream::connect(&socket) {
            client.set_nonblocking(true).unwrap();
            clients.push(client);
        }
        let place = random.below(clients.len() as u64) as usize;
        let bytes: Vec<u8> = (0..random.below(5000)).map(|_| (random.next() >> 32) as u8).collect();
        let _ = clients[place].write(&bytes);
        let _ = clients[place].write(b"{\"do\":\"status\"}\n");
        if random.below(3) == 0 {
            let _ = clients[place].read(&mut [0; 64]);
        }
        if clients.len() > 40 {
            clients.swap_remove(place);
        }
        if round % 100 == 0 {
            bench.send(2 * MS);
        }
    }
    drop(clients);
    bench.check();
    assert!(child.0.try_wait().unwrap().is_none());
    assert_eq!(bench.status()["degraded"], Value::Bool(false));
    signal::terminate(pid(&child.0)).unwrap();
    assert!(end_of(&mut child.0).success());
}

fn main() -> std::process::ExitCode {
    support::run(
        &[
            (
                "a_killed_supervisor_loses_nothing_if_its_descriptors_are_kept",
                a_killed_supervisor_loses_nothing_if_its_descriptors_are_kept,
            ),
            (
                "a_restart_by_the_manager_loses_nothing_and_keeps_the_port_open",
                a_restart_by_the_manager_loses_nothing_and_keeps_the_port_open,
            ),
            (
                "a_segment_of_another_configuration_is_refused_and_said_so",
                a_segment_of_another_configuration_is_refused_and_said_so,
            ),
            (
                "a_killed_supervisor_without_a_manager_leaves_nothing_behind",
                a_killed_supervisor_without_a_manager_leaves_nothing_behind,
            ),
            ("an_upgrade_loses_nothing_and_keeps_the_pid", an_upgrade_loses_nothing_and_keeps_the_pid),
            (
                "a_reload_restarts_only_what_changed_and_a_bad_file_changes_nothing",
                a_reload_restarts_only_what_changed_and_a_bad_file_changes_nothing,
            ),
            ("a_reload_that_changes_the_graph_loses_nothing", a_reload_that_changes_the_graph_loses_nothing),
            (
                "a_manager_that_was_deaf_for_a_while_is_told_what_it_missed",
                a_manager_that_was_deaf_for_a_while_is_told_what_it_missed,
            ),
            (
                "a_stopped_source_lets_go_of_its_port_and_bytes_go_out_through_it",
                a_stopped_source_lets_go_of_its_port_and_bytes_go_out_through_it,
            ),
            (
                "a_deaf_worker_is_killed_at_its_time_and_at_once_when_asked_twice",
                a_deaf_worker_is_killed_at_its_time_and_at_once_when_asked_twice,
            ),
            ("hostile_clients_disturb_nothing", hostile_clients_disturb_nothing),
        ],
        120,
    )
}
