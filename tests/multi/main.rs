//! The behaviours of `pinring::multi`, by the numbers of its specification: each in a process of its own, with a watchdog, and with a look
//! afterwards whether anything was left behind. The last line says how many passed and failed; arguments select by part of a name.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    clippy::exit,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    clippy::type_complexity,
    reason = "a test fails by panicking; its numbers are small"
)]

mod birth;
mod blobs;
mod goods;
mod guardian;
mod handles;
mod launcher;
mod logging;
mod memory;
mod orphans;
mod pipe;
mod points;
mod pool;
mod pool_deadline;
mod pool_kill;
mod pool_landing;
mod process;
mod queue;
mod queue_kill;
#[path = "../support/random.rs"]
mod random;
mod scarce;
mod spsc;
mod spsc_kill;
mod standby;
mod sync;
mod sync_kill;
mod sync_wait;

use std::collections::BTreeSet;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// A behaviour: its number and the fact that must hold, and the code that tries it.
pub(crate) type Case = (&'static str, fn());

/// How often the cases that kill somebody do so: `PINRING_REPEATS`.
pub(crate) fn repeats() -> u64 {
    std::env::var("PINRING_REPEATS").ok().and_then(|text| text.parse().ok()).unwrap_or(50)
}

/// How long one may take.
fn watchdog() -> Duration {
    Duration::from_secs(20 + 2 * repeats())
}

fn cases() -> Vec<Case> {
    [
        process::CASES,
        orphans::CASES,
        launcher::CASES,
        guardian::CASES,
        scarce::CASES,
        standby::CASES,
        pipe::CASES,
        queue::CASES,
        queue_kill::CASES,
        spsc::CASES,
        spsc_kill::CASES,
        sync::CASES,
        sync_wait::CASES,
        memory::CASES,
        birth::CASES,
        blobs::CASES,
        goods::CASES,
        handles::CASES,
        pool::CASES,
        pool_deadline::CASES,
        pool_kill::CASES,
        pool_landing::CASES,
        logging::CASES,
        sync_kill::CASES,
        points::CASES,
    ]
    .concat()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = arguments.as_slice() {
        if flag == "--case" {
            let case = cases().into_iter().find(|(own, _)| own == name).unwrap();
            case.1();
            return ExitCode::SUCCESS;
        }
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, _) in cases() {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let start = Instant::now();
        let result = run(name);
        println!("{name:<100} {} ({} ms)", if result.is_ok() { "ok" } else { "FAILED" }, start.elapsed().as_millis());
        match result {
            Ok(()) => passed += 1,
            Err(text) => {
                println!("{text}");
                failed += 1;
            }
        }
    }
    println!("\n{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Names of what is in /dev/shm.
fn shm() -> BTreeSet<String> {
    let entries = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("pinring"))
        .collect()
}

/// Runs one case in a session of its own, so that what is left of it can be found.
fn run(name: &str) -> Result<(), String> {
    use std::os::unix::process::CommandExt;
    let before = shm();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--case", name]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Its process group has its pid for a number.
    command.process_group(0);
    let mut child = command.spawn().unwrap();
    let group = child.id();
    let (out, err) = (drain(child.stdout.take().unwrap()), drain(child.stderr.take().unwrap()));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if start.elapsed() > watchdog() {
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let left = wait_for_nobody(group);
    nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group as i32), nix::sys::signal::Signal::SIGKILL).ok();
    child.wait().unwrap();
    let text = format!("--- out\n{}--- err\n{}", out.join().unwrap(), err.join().unwrap());
    match status {
        None => Err(format!("it hangs\n{text}")),
        Some(status) if !status.success() => Err(format!("{status}\n{text}")),
        _ if !left.is_empty() => Err(format!("left behind: {left:?}\n{text}")),
        _ if shm() != before => Err(format!("left in /dev/shm: {:?}\n{text}", shm())),
        Some(_) => Ok(()),
    }
}

fn drain(mut from: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Processes of that group, zombies too, that are still there after a second.
fn wait_for_nobody(group: u32) -> Vec<String> {
    let start = Instant::now();
    loop {
        let left = members(group);
        if left.is_empty() || start.elapsed() > Duration::from_secs(1) {
            return left;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn members(group: u32) -> Vec<String> {
    let stats = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let (name, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The leader itself is ours to reap.
        let is_one = fields[2] == group.to_string() && !name.starts_with(&format!("{group} "));
        // Reparented zombies wait for another's reaping.
        (is_one && fields[0] != "Z").then(|| format!("{name}) {}", fields[0]))
    });
    stats.collect()
}
