//! A88: logging.

use pinring::multi::{Pool, Process, log_to_stderr};

use crate::Case;

pub(crate) const CASES: &[Case] = &[("a88_children_log_as_their_parent_and_lines_are_whole", a88)];

fn a88() {
    if std::env::var_os("PINRING_INNER").is_some() {
        log_to_stderr(log::LevelFilter::Info).unwrap();
        log::debug!("too little");
        let children: Vec<Process> = (0..4)
            .map(|who| {
                Process::spawn(move || (0..200).for_each(|n| log::info!("{who} {n} {}", "x".repeat(200)))).unwrap()
            })
            .collect();
        drop(children);
        let pool = Pool::with_processes(1).unwrap();
        pool.apply(|(): ()| log::warn!("from\nafar"), ()).unwrap();
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--case", "a88_children_log_as_their_parent_and_lines_are_whole"])
        .env("PINRING_INNER", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 801, "{text}");
    for line in &lines[..800] {
        let (name, rest) = line.strip_prefix("[INFO/Process-").and_then(|line| line.split_once("] ")).unwrap();
        assert!((1..=4).contains(&name.parse::<u8>().unwrap()) && rest.ends_with(&"x".repeat(200)), "{line}");
    }
    assert_eq!(lines[800], "[WARN/PoolWorker-1] from\\nafar");
}
