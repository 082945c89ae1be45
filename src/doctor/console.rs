//! A console or a login on a port that is to be read.

use std::path::{Path, PathBuf};

use super::boot::Boot;
use super::finding::{Finding, Level};
use super::read;

const CHECK: &str = "console on a port";
const WHY: &str = "a console writes the kernel's messages into the instrument, and a login takes its bytes away";

/// What is known of consoles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ConsoleFacts {
    /// The words `console=` of the kernel's command line with the device each means; `None`: /proc/cmdline cannot be read.
    consoles: Option<Vec<(String, String)>>,
    /// Devices on which a login waits (serial-getty@).
    logins: Vec<String>,
}

pub(super) fn look(root: &Path) -> ConsoleFacts {
    let line = read::text(root, "proc/cmdline");
    ConsoleFacts { consoles: line.map(|line| consoles(&line)), logins: logins(root) }
}

/// `console=ttyS0,115200n8` and the device it means. (A Raspberry's `serial0` has become a device before the kernel sees it.)
fn consoles(line: &str) -> Vec<(String, String)> {
    let words = line.split_whitespace().filter(|word| word.starts_with("console="));
    let device = |word: &str| word["console=".len()..].split(',').next().unwrap_or_default().to_owned();
    words.map(|word| (word.to_owned(), device(word))).collect()
}

/// The services that are running are folders of the cgroup tree; nobody needs rights to see them.
fn logins(root: &Path) -> Vec<String> {
    let slice = "sys/fs/cgroup/system.slice";
    let folders = [slice.to_owned(), format!("{slice}/system-serial\\x2dgetty.slice")];
    let names = folders.iter().flat_map(|folder| read::entries(root, folder)).map(|path| read::name(&path));
    names.filter_map(|name| Some(name.strip_prefix("serial-getty@")?.strip_suffix(".service")?.to_owned())).collect()
}

/// `ports`: the devices to look at; `is_named`: the configuration names them.
pub(super) fn judge(facts: &ConsoleFacts, ports: &[PathBuf], is_named: bool, boot: Boot) -> Vec<Finding> {
    let Some(consoles) = &facts.consoles else {
        return vec![Finding::new(CHECK, Level::Unknown, "/proc/cmdline cannot be read", WHY)];
    };
    let bad = if is_named { Level::Fault } else { Level::Warning };
    let mut findings = Vec::new();
    for port in ports {
        let device = read::name(port);
        let words: Vec<&str> =
            consoles.iter().filter(|(_, console)| *console == device).map(|(word, _)| word.as_str()).collect();
        let has_login = facts.logins.contains(&device);
        let mut mends = Vec::new();
        if has_login {
            mends.push(format!("sudo systemctl disable --now serial-getty@{device}.service"));
        }
        mends.extend(words.iter().map(|word| boot.remove(word)));
        let what = match (words.is_empty(), has_login) {
            (true, false) => continue,
            (false, false) => format!("the kernel's console ({})", words.join(" ")),
            (true, true) => "a login (serial-getty)".to_owned(),
            (false, true) => format!("the kernel's console ({}) and a login (serial-getty)", words.join(" ")),
        };
        let found = format!("{} has {what}", port.display());
        findings.push(Finding::new(CHECK, bad, found, WHY).mend(mends.join("\n")));
    }
    if findings.is_empty() {
        findings.push(Finding::new(CHECK, Level::Ok, "none", WHY));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::read::fake::machine;

    const LINE: &str = "console=ttyS0,115200 console=tty1 root=PARTUUID=3b-02 rootwait";

    fn judged(facts: &ConsoleFacts, port: &str, is_named: bool) -> Finding {
        judge(facts, &[port.into()], is_named, Boot::CommandLine("/boot/firmware/cmdline.txt")).remove(0)
    }

    #[test]
    fn a_console_with_a_login_is_removed_with_it() {
        let root = machine(&[
            ("proc/cmdline", LINE),
            ("dev/ttyS0", ""),
            (r"sys/fs/cgroup/system.slice/system-serial\x2dgetty.slice/serial-getty@ttyS0.service/cgroup.procs", "9"),
        ]);
        let facts = look(root.path());
        let finding = judged(&facts, "/dev/ttyS0", true);
        assert_eq!(finding.level, Level::Fault);
        assert_eq!(
            finding.mend,
            "sudo systemctl disable --now serial-getty@ttyS0.service\n\
             sudo sed -i -E 's/console=(serial0|ttyS0)(,[^ ]*)? *//' /boot/firmware/cmdline.txt && sudo reboot"
        );
        assert_eq!(judged(&facts, "/dev/ttyS0", false).level, Level::Warning);
        assert_eq!(judged(&facts, "/dev/ttyUSB0", true).level, Level::Ok);
    }

    #[test]
    fn a_console_without_a_login_is_one_too_and_silence_is_unknown() {
        let facts = ConsoleFacts { consoles: Some(consoles("console=ttyS0 quiet")), logins: Vec::new() };
        assert_eq!(judged(&facts, "/dev/ttyS0", false).found, "/dev/ttyS0 has the kernel's console (console=ttyS0)");
        assert_eq!(judged(&ConsoleFacts::default(), "/dev/ttyS0", true).level, Level::Unknown);
    }
}
