//! What must not compile in `pinring::multi` does not, and for that reason only.
//!
//! Each file in `tests/compile_fail` is a program that compiles as it is. Its first lines name the ways to make it wrong, and what rustc
//! has to say then:
//!
//! ```text
//! //~ name: E0277 some words of the error
//! ```
//!
//! With `--cfg wrong --cfg 'wrong="name"'` the compiler must refuse it, and for that error only (one of those, if a name is there more than
//! once). What differs between the two programs is the line behind that `cfg`, so nothing else can be the reason. Only the code and those words are compared: the rest of
//! an error is put in other words by every other release of rustc, and lists all other types that would do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The ways to make a program wrong, by name, and for each the errors that may come of it: their codes, and words of them.
type Mistakes<'a> = BTreeMap<&'a str, Vec<(&'a str, &'a str)>>;

fn mistakes(source: &str) -> Mistakes<'_> {
    let mut mistakes = Mistakes::new();
    for head in source.lines().filter_map(|line| line.strip_prefix("//~ ")) {
        let (name, error) = head.split_once(": ").unwrap();
        mistakes.entry(name).or_default().push(error.split_once(' ').unwrap());
    }
    mistakes
}

/// The library as it was built for this test: `cargo` knows where it is, and finds that nothing is left to do.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = match test.ancestors().nth(2).unwrap().file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args([
        "test",
        "--no-run",
        "--test",
        "compile_fail",
        "--locked",
        "--message-format=json",
        "--profile",
        profile,
    ]);
    if !cfg!(feature = "cli") {
        cargo.arg("--no-default-features");
    }
    let out = cargo.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let artifacts = json_lines(&out.stdout);
    let own = artifacts.iter().find(|artifact| {
        artifact["reason"] == "compiler-artifact"
            && artifact["target"]["name"] == "pinring"
            && artifact["target"]["kind"][0] == "lib"
    });
    let files = own.unwrap()["filenames"].as_array().unwrap();
    files.iter().filter_map(Value::as_str).find(|name| name.ends_with(".rlib")).unwrap().into()
}

fn json_lines(bytes: &[u8]) -> Vec<Value> {
    let lines = bytes.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Compiles a program down to machine code: that a task must not capture is seen no sooner. `timeout` ends a compiler that hangs.
fn compile(library: &Path, source: &Path, wrong: Option<&str>) -> Output {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let name = format!("{}-{}.o", source.file_stem().unwrap().to_str().unwrap(), wrong.unwrap_or("right"));
    let mut command = Command::new("timeout");
    command.args(["-k", "1", "120"]).arg(rustc).arg(source);
    command.args(["--edition=2024", "--crate-type=bin", "--emit=obj", "--error-format=json", "--cap-lints=allow"]);
    command.arg("-o").arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    command.arg("-L").arg(format!("dependency={}", library.parent().unwrap().display()));
    command.arg("--extern").arg(format!("pinring={}", library.display()));
    if let Some(wrong) = wrong {
        command.args(["--cfg", "wrong", "--cfg", &format!("wrong=\"{wrong}\"")]);
    }
    command.output().unwrap()
}

/// The errors with their codes. That there were some, which rustc says at the end, is none.
fn errors(out: &Output) -> Vec<(String, String)> {
    let all = json_lines(&out.stderr).into_iter().filter(|message| message["level"] == "error");
    let about_code = all.filter(|message| !message["code"].is_null() || message["spans"][0].is_object());
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    about_code.map(|message| (text(&message["code"]["code"]), text(&message["rendered"]))).collect()
}

/// What is not as the head of a file promises.
fn offences(library: &Path, path: &Path) -> Vec<String> {
    let source = fs::read_to_string(path).unwrap();
    let shown = path.file_name().unwrap().to_str().unwrap();
    let right = compile(library, path, None);
    let mut offences = Vec::new();
    if !right.status.success() {
        offences.push(format!("{shown} does not compile: {:?} {}", errors(&right), right.status));
    }
    let mistakes = mistakes(&source);
    let branches = source.matches("(wrong = ").count();
    if mistakes.is_empty() || mistakes.len() != branches {
        offences.push(format!("{shown}: {} mistakes in its head, {branches} below it", mistakes.len()));
    }
    for (name, expected) in mistakes {
        let found = errors(&compile(library, path, Some(name)));
        let is = |(code, text): &(String, String), (other, words): &(&str, &str)| code == other && text.contains(words);
        if found.is_empty() {
            offences.push(format!("{shown}, {name}: compiles"));
        }
        for error in found.iter().filter(|error| !expected.iter().any(|one| is(error, one))) {
            offences.push(format!("{shown}, {name}: unexpected {}", error.1));
        }
    }
    offences
}

#[test]
fn what_must_not_compile_does_not_for_that_reason_only() {
    let library = library();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let sources: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!sources.is_empty());
    let offences: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = sources.iter().map(|path| scope.spawn(|| offences(&library, path))).collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}
