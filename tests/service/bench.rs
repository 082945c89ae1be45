//! What a test of the service runs: a configuration, a device, and the program, watched from outside.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::MS;
use crate::manager::Manager;
use crate::support::pty::Device;

/// A directory with a configuration, a device that sends numbered lines, and what runs on it.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) device: Device,
    pub(crate) sent: u64,
}

impl Bench {
    pub(crate) fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let device = Device::plug(&dir.path().join("port"));
        let bench = Self { dir, device, sent: 0 };
        bench.configure(more);
        bench
    }

    pub(crate) fn configure(&self, more: &str) {
        let dir = self.dir.path().display();
        let text = format!(
            "[control]\nsocket = \"{dir}/c.sock\"\n\
             [[source]]\nname = \"port\"\ntype = \"serial\"\nport = \"{dir}/port\"\nframe = {{ type = \"line\", max = 40 }}\nrate = 2000\n\
             [[sink]]\nname = \"lines\"\ntype = \"csv\"\ninput = \"port\"\npath = \"{dir}/lines.csv\"\nflush = \"5ms\"\n{more}"
        );
        fs::write(self.file(), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path("x.toml")
    }

    pub(crate) fn arguments(&self) -> Vec<String> {
        vec!["run".into(), self.file().display().to_string()]
    }

    pub(crate) fn start(&self, manager: &mut Manager) -> Child {
        let arguments = self.arguments();
        manager.start(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &self.path("log"))
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn run(&self, manager: &mut Manager) -> Guard {
        let child = Guard(self.start(manager));
        manager.wait_for("READY=1");
        child
    }

    /// The device sends lines for a while, as fast as they are taken.
    pub(crate) fn send(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            let line = format!("line {}\n", self.sent + 1);
            // All or nothing: half a line would be counted as sent.
            if self.device.send(line.as_bytes()) == line.len() {
                self.sent += 1;
            } else {
                panic!("the line took half of a message");
            }
            sleep(MS);
        }
    }

    pub(crate) fn recorded(&self) -> Vec<u64> {
        let text = fs::read_to_string(self.path("lines.csv")).unwrap_or_default();
        let numbers = text.lines().skip(1).filter_map(|row| row.rsplit_once("line ")?.1.trim_matches('"').parse().ok());
        numbers.collect()
    }

    /// Waits until all that was sent is in the file, then checks that it is there once and in order.
    pub(crate) fn check(&self) {
        let start = Instant::now();
        while (self.recorded().len() as u64) < self.sent && start.elapsed() < Duration::from_secs(10) {
            sleep(10 * MS);
        }
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        assert_eq!(self.recorded(), (1..=self.sent).collect::<Vec<u64>>(), "{log}");
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> (bool, String) {
        let socket = self.path("c.sock").display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinring"));
        command.args(arguments);
        if matches!(arguments[0], "status" | "reload") {
            command.arg(&socket)
        } else {
            command.args(["--system", &socket])
        };
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    pub(crate) fn status_or_none(&self) -> Option<Value> {
        serde_json::from_str(&self.ask(&["status", "--json"]).1).ok()
    }

    pub(crate) fn status(&self) -> Value {
        let (_, text) = self.ask(&["status", "--json"]);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    pub(crate) fn pids(&self) -> Vec<(String, i64)> {
        let status = self.status();
        let workers = status["workers"].as_array().unwrap();
        workers
            .iter()
            .map(|worker| (worker["name"].as_str().unwrap().to_owned(), worker["pid"].as_i64().unwrap_or(0)))
            .collect()
    }
}

/// Ends the program when the test ends.
pub(crate) struct Guard(pub(crate) Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
