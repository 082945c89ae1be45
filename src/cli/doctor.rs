//! `pinring doctor`: what this machine lacks, and the command that mends it.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::Duration;

use serde_json::json;

use super::arguments::DoctorArguments;
use super::run::refuse;
use super::{exit, latency_text, show};
use crate::config;
use crate::doctor::{Finding, Latency, Level, Wishes, examine, judge_latency, measure, quote, sort, worst};
use crate::topology::Topology;

pub(super) fn run(arguments: &DoctorArguments) -> anyhow::Result<u8> {
    let wishes = match arguments.file.as_deref().map(config::load) {
        Some(Err(error)) => return Ok(refuse(&error)),
        Some(Ok(config)) => Some(Wishes::of(&config.graph)),
        None => None,
    };
    let mut findings = examine(wishes.as_ref(), &program());
    let latency = arguments.latency.map(wake_ups).transpose()?;
    if let Some(latency) = &latency {
        findings.push(judge_latency(latency, &findings));
        sort(&mut findings);
    }
    let screen = std::io::stdout().is_terminal();
    let text = if arguments.json {
        machine_readable(&findings, latency.as_ref())
    } else {
        let colour = screen && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let chart =
            latency.map_or_else(String::new, |latency| format!("\n{}", latency_text::readable(&latency, screen)));
        readable(&findings, colour) + &chart
    };
    show(|out| Ok(out.write_all(text.as_bytes())?))?;
    Ok(code(worst(&findings)))
}

fn code(worst: Level) -> u8 {
    match worst {
        Level::Ok | Level::Unknown | Level::Note => exit::OK,
        Level::Warning => exit::WARNINGS,
        Level::Fault => exit::FAULTS,
    }
}

/// How a shell calls this program's file: by its name if that leads here, else by its path.
fn program() -> String {
    let Ok(own) = std::env::current_exe() else { return "\"$(command -v pinring)\"".into() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let by_name = std::env::split_paths(&path).map(|folder| folder.join("pinring")).find(|file| file.is_file());
    if by_name.and_then(|file| file.canonicalize().ok()) == own.canonicalize().ok() {
        // setcap follows no links.
        return "\"$(readlink -f \"$(command -v pinring)\")\"".into();
    }
    quote(&own.to_string_lossy())
}

/// Measures, with a line on the terminal that says how far it is.
fn wake_ups(duration: Duration) -> anyhow::Result<Latency> {
    let cores: Vec<usize> = Topology::detect()?.allowed().map(|core| core.id).collect();
    let mut screen = std::io::stderr();
    let is_seen = screen.is_terminal();
    let latency = measure(&cores, duration, |passed| {
        if is_seen {
            let (now, all) = (passed.as_secs_f64(), duration.as_secs_f64());
            // A screen that has gone is no reason to stop measuring.
            let _ = write!(screen, "\rmeasuring {} cores: {now:.0} of {all:.0} s ", cores.len());
        }
    });
    if is_seen {
        // Clears the line for what comes.
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    Ok(latency)
}

fn colour_of(level: Level) -> &'static str {
    match level {
        Level::Ok => "32",
        Level::Unknown => "35",
        Level::Note => "36",
        Level::Warning => "33",
        Level::Fault => "1;31",
    }
}

/// Two columns wide enough for the levels and the checks, the findings behind them, reasons and commands below.
fn readable(findings: &[Finding], colour: bool) -> String {
    let paint = |code: &str, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        // Padded first: what paints takes no place on the screen.
        let level = paint(colour_of(finding.level), &format!("{:<7}", finding.level.word()));
        // Writing to a String cannot fail; so throughout.
        let _ = writeln!(text, "{level}  {:<width$}  {}", finding.check, finding.found);
        if finding.level == Level::Ok {
            continue;
        }
        let _ = writeln!(text, "{:7}  why   {}", "", finding.why);
        for (number, line) in finding.mend.lines().enumerate() {
            let title = if number == 0 { "mend" } else { "" };
            let code = if line.starts_with('#') { "2" } else { "1" };
            let _ = writeln!(text, "{:7}  {title:<4}  {}", "", paint(code, line));
        }
    }
    let count = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let many = |level: Level, count: usize| count > 1 && level > Level::Unknown;
    let counts = Level::ALL.iter().rev().map(|level| (*level, count(*level))).filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(level, count)| format!("{count} {}{}", level.word(), if many(level, count) { "s" } else { "" }))
        .collect();
    let _ = writeln!(text, "\n{}", counts.join(", "));
    text
}

fn machine_readable(findings: &[Finding], latency: Option<&Latency>) -> String {
    let list = findings.iter().map(|finding| {
        json!({
            "check": finding.check, "level": finding.level.word(), "found": finding.found, "why": finding.why,
            "mend": finding.mend,
        })
    });
    let mut all = json!({ "findings": list.collect::<Vec<_>>(), "worst": worst(findings).word() });
    if let Some(latency) = latency {
        all["latency"] = latency_text::machine_readable(latency);
    }
    format!("{all:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        let finding = |check, level, mend: &str| Finding {
            check,
            level,
            found: "found it".into(),
            why: "it matters",
            mend: mend.into(),
        };
        vec![finding("clock", Level::Warning, "sudo a\n# then\nb"), finding("shared memory", Level::Ok, "")]
    }

    #[test]
    fn people_see_the_worst_first_with_reason_and_command() {
        let expected = "warning  clock          found it
         why   it matters
         mend  sudo a
               # then
               b
ok       shared memory  found it

1 warning, 1 ok
";
        assert_eq!(readable(&findings(), false), expected);
        assert!(readable(&findings(), true).starts_with("\x1b[33mwarning\x1b[0m  clock"));
    }

    #[test]
    fn programs_get_the_same_and_the_exit_code_is_that_of_the_worst() {
        let value: serde_json::Value = serde_json::from_str(&machine_readable(&findings(), None)).unwrap();
        assert_eq!((&value["worst"], &value["findings"][1]["level"]), (&json!("warning"), &json!("ok")));
        assert_eq!(value["findings"][0]["mend"], "sudo a\n# then\nb");
        assert_eq!(Level::ALL.map(code), [0, 0, 0, 1, 3]);
    }
}
