//! The demo, as a person runs it: the program itself, real terminals, real kills.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking; its numbers are small"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use support::processes::children;

fn demo(data: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinring"));
    command.args(["demo", "--json", "--data"]).arg(data).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Waits for the end; the verdict, after checking that the exit code says that all is well.
fn verdict(child: Child) -> Value {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}\n{text}", output.status);
    serde_json::from_str(&text).unwrap()
}

/// The rows of a CSV file without its header; checks that they are numbered 1, 2, 3 ...
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "{}: the last row is cut", path.display());
    let rows: Vec<Vec<String>> =
        text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect();
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row[0], (index + 1).to_string(), "{}: row {}", path.display(), index + 1);
    }
    rows
}

fn csv_files(data: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(data).unwrap().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "csv")).collect()
}

/// Every file numbers its rows without a gap, and the IMU's own counter goes up by one from row to row.
fn check_files(data: &Path, verdict: &Value) {
    let files = csv_files(data);
    assert!(files.len() >= 3, "{files:?}");
    for path in &files {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let rows = rows(path);
        if !name.starts_with("imu-") {
            continue;
        }
        let header = fs::read_to_string(path).unwrap().lines().next().unwrap().to_owned();
        let column = header.split(',').position(|title| title.starts_with("counter")).expect("the frame's own counter");
        let counters: Vec<u64> = rows.iter().map(|row| row[column].parse().unwrap()).collect();
        assert!(counters.windows(2).all(|pair| pair[1] == pair[0] + 1), "the IMU's counter has a gap or a repeat");
        let imu = verdict["sources"].as_array().unwrap().iter().find(|source| source["name"] == "imu").unwrap();
        assert_eq!(imu["sent"].as_u64().unwrap(), counters.len() as u64);
        println!("    IMU: {} frames sent, every one recorded once", counters.len());
    }
}

fn fifty_random_kills_lose_and_double_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let child = demo(dir.path(), &["--for", "20s"]);
    let (mut random, started, mut killed) = (support::Random::new(), Instant::now(), 0);
    sleep(Duration::from_millis(500));
    while killed < 50 && started.elapsed() < Duration::from_secs(19) {
        let workers: Vec<_> =
            children(child.id()).into_iter().filter(|(_, name)| !name.contains("instruments")).collect();
        if !workers.is_empty() {
            let (pid, _) = workers[random.below(workers.len() as u64) as usize];
            killed += u64::from(pinring::sys::signal::kill_hard(pid).is_ok());
        }
        sleep(Duration::from_millis(200 + random.below(250)));
    }
    let verdict = verdict(child);
    assert_eq!(verdict["unexplained_loss"], 0);
    check_files(dir.path(), &verdict);
    println!("    {killed} workers killed");
    assert_eq!(killed, 50);
}

fn an_interrupt_ends_the_demo_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let child = demo(dir.path(), &["--calm"]);
    sleep(Duration::from_secs(3));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::Signal::SIGINT).unwrap();
    let verdict = verdict(child);
    assert_eq!(verdict["unexplained_loss"], 0);
    assert_eq!(verdict["killed_at_stop"], 0);
    check_files(dir.path(), &verdict);
}

fn a_second_run_leaves_the_files_of_the_first_alone() {
    let dir = tempfile::tempdir().unwrap();
    verdict(demo(dir.path(), &["--calm", "--for", "1s"]));
    let before: Vec<_> = csv_files(dir.path()).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    verdict(demo(dir.path(), &["--calm", "--for", "1s"]));
    assert!(before.iter().all(|(content, path)| fs::read(path).unwrap() == *content));
    assert_eq!(csv_files(dir.path()).len(), 2 * before.len());
}

fn workers_die_with_their_supervisor() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = demo(dir.path(), &["--calm"]);
    sleep(Duration::from_secs(1));
    let workers = children(child.id());
    assert!(workers.len() >= 2, "{workers:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    let alive = |pid: &i32| Path::new(&format!("/proc/{pid}/exe")).exists();
    while workers.iter().any(|(pid, _)| alive(pid) && fs::read_link(format!("/proc/{pid}/exe")).is_ok()) {
        // The watchdog ends this if one stays.
        sleep(Duration::from_millis(5));
    }
}

fn main() -> std::process::ExitCode {
    support::run(
        &[
            ("fifty_random_kills_lose_and_double_nothing", fifty_random_kills_lose_and_double_nothing),
            ("an_interrupt_ends_the_demo_in_order", an_interrupt_ends_the_demo_in_order),
            ("a_second_run_leaves_the_files_of_the_first_alone", a_second_run_leaves_the_files_of_the_first_alone),
            ("workers_die_with_their_supervisor", workers_die_with_their_supervisor),
        ],
        120,
    )
}
