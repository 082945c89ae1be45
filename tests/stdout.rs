//! Standard output as a sink of the whole program: a reader that goes ends what is for nobody else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

const SOURCE: &str = r#"
[[source]]
name = "lines"
type = "file"
path = "@DIR@/in"
frame = { type = "line", max = 20 }
pace = { frames_per_second = 2000 }
repeat = @REPEAT@
[[sink]]
name = "out"
type = "stdout"
input = "lines"
"#;

const FILE: &str = r#"
[[sink]]
name = "csv"
type = "csv"
input = "lines"
path = "@DIR@/{input}.csv"
"#;

/// Starts a run that prints, reads three lines of it, and goes away.
fn read_three_lines(dir: &std::path::Path, config: &str, repeat: bool) -> Child {
    let lines: String = (1..=1000).map(|number| format!("{number}\n")).collect();
    std::fs::write(dir.join("in"), lines).unwrap();
    let config = config.replace("@DIR@", dir.to_str().unwrap()).replace("@REPEAT@", &repeat.to_string());
    let file = dir.join("run.toml");
    std::fs::write(&file, config).unwrap();
    // A hang is ended by the kernel: the limit of CPU time does not count sleep, so `timeout` keeps the watch.
    let mut child = Command::new("timeout")
        .args(["60", env!("CARGO_BIN_EXE_pinring"), "run"])
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for number in 1..=3 {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert!(line.ends_with(&format!("lines  line=\"{number}\"\n")), "{line}");
    }
    child
}

/// How it ended: exit code, and what it said.
fn end(mut child: Child) -> (Option<i32>, String) {
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn a_run_whose_only_reader_has_gone_ends_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (code, said) = end(read_three_lines(dir.path(), SOURCE, true));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("out: the reader of standard output has gone"), "{said}");
    assert!(said.contains("unexplained loss: 0"), "{said}");
}

#[test]
fn a_reader_that_goes_does_not_stop_a_recording() {
    let dir = tempfile::tempdir().unwrap();
    let (code, said) = end(read_three_lines(dir.path(), &format!("{SOURCE}{FILE}"), false));
    assert_eq!(code, Some(0), "{said}");
    let csv = std::fs::read_to_string(dir.path().join("lines.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1001, "{said}");
}
