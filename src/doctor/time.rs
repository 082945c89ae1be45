//! Whether the time that goes into the files is right.

use std::path::Path;

use super::boot::firmware_settings;
use super::finding::{Finding, Level};
use super::read;
use crate::sys::adjtime::{self, ClockState};

const CLOCK: &str = "clock";
const CLOCK_WHY: &str = "every row carries the time of day; a clock that is set later jumps in the middle of a file";
const RTC: &str = "battery clock";
const RTC_WHY: &str = "without one the time after a power cut is that of the last shutdown, until the network gives it";

/// What is known of the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeFacts {
    state: Result<ClockState, String>,
    /// systemd-timesyncd has set the clock since the start.
    was_set: bool,
    /// Programs that could keep it right.
    keepers: Vec<&'static str>,
    has_rtc: bool,
    settings: Option<&'static str>,
}

/// Programs that keep the clock right, and their services.
const KEEPERS: [(&str, &str); 4] = [
    ("usr/sbin/chronyd", "chrony"),
    ("usr/sbin/ntpd", "ntpsec"),
    ("usr/lib/systemd/systemd-timesyncd", "systemd-timesyncd"),
    ("lib/systemd/systemd-timesyncd", "systemd-timesyncd"),
];

pub(super) fn look(root: &Path) -> TimeFacts {
    let keepers = KEEPERS.into_iter().filter(|(program, _)| root.join(program).exists()).map(|(_, service)| service);
    TimeFacts {
        state: adjtime::state().map_err(|error| error.to_string()),
        was_set: root.join("run/systemd/timesync/synchronized").exists(),
        keepers: keepers.collect(),
        has_rtc: !read::entries(root, "sys/class/rtc").is_empty(),
        settings: firmware_settings(root),
    }
}

pub(super) fn judge_clock(facts: &TimeFacts) -> Finding {
    let finding = |level, found: String| Finding::new(CLOCK, level, found, CLOCK_WHY);
    let state = match &facts.state {
        Ok(state) => state,
        Err(error) => return finding(Level::Unknown, format!("the kernel does not say: {error}")),
    };
    if !state.is_unsynchronised {
        return finding(Level::Ok, format!("kept right, to within {} ms", state.max_error_us / 1000));
    }
    let mend = match facts.keepers.first() {
        Some(&"systemd-timesyncd") => "sudo timedatectl set-ntp true".to_owned(),
        Some(keeper) => format!("sudo systemctl enable --now {keeper}"),
        None => "sudo apt install chrony".to_owned(),
    };
    let wait = "sudo systemctl enable systemd-time-wait-sync   # services with After=time-sync.target then wait for it";
    let mend = if facts.keepers.first() == Some(&"systemd-timesyncd") { format!("{mend}\n{wait}") } else { mend };
    if facts.was_set {
        return finding(Level::Warning, "it was set since the start, but nobody keeps it right now".into()).mend(mend);
    }
    finding(Level::Warning, "nobody has set it right (NTP, PTP, GPS)".into()).mend(mend)
}

pub(super) fn judge_rtc(facts: &TimeFacts) -> Finding {
    if facts.has_rtc {
        return Finding::new(RTC, Level::Ok, "there is one", RTC_WHY);
    }
    let mend = match facts.settings {
        Some(file) => format!(
            "echo 'dtoverlay=i2c-rtc,ds3231' | sudo tee -a {file} && sudo reboot   # with a DS3231 on the I2C pins\n\
             # or, without one, go on from the last shutdown at least:\nsudo apt install fake-hwclock"
        ),
        None => "sudo apt install fake-hwclock   # goes on from the last shutdown at least".into(),
    };
    Finding::new(RTC, Level::Note, "there is none", RTC_WHY).mend(mend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::read::fake::machine;

    fn facts(is_unsynchronised: bool, keepers: &[&'static str]) -> TimeFacts {
        let state = Ok(ClockState { is_unsynchronised, max_error_us: 12_000 });
        TimeFacts { state, was_set: false, keepers: keepers.to_vec(), has_rtc: true, settings: None }
    }

    #[test]
    fn a_clock_that_nobody_keeps_right_is_a_warning_with_the_service_at_hand() {
        assert_eq!(judge_clock(&facts(false, &[])).found, "kept right, to within 12 ms");
        let mend = |keepers: &[&'static str]| judge_clock(&facts(true, keepers)).mend;
        assert!(mend(&["systemd-timesyncd"]).starts_with("sudo timedatectl set-ntp true\n"));
        assert_eq!(mend(&["chrony", "systemd-timesyncd"]), "sudo systemctl enable --now chrony");
        assert_eq!(mend(&[]), "sudo apt install chrony");
        assert_eq!(judge_clock(&facts(true, &[])).level, Level::Warning);
        let unseen = TimeFacts { state: Err("no".into()), ..facts(true, &[]) };
        assert_eq!(judge_clock(&unseen).level, Level::Unknown);
    }

    #[test]
    fn a_board_without_a_battery_clock_is_told() {
        let none = TimeFacts { has_rtc: false, settings: Some("/boot/config.txt"), ..facts(false, &[]) };
        let finding = judge_rtc(&none);
        assert_eq!(finding.level, Level::Note);
        assert!(finding.mend.contains("dtoverlay=i2c-rtc,ds3231"));
        assert_eq!(judge_rtc(&facts(false, &[])).level, Level::Ok);
    }

    #[test]
    fn what_the_machine_has_is_looked_for_where_it_is() {
        let root = machine(&[
            ("usr/sbin/chronyd", ""),
            ("run/systemd/timesync/synchronized", ""),
            ("sys/class/rtc/rtc0/name", "ds3231"),
        ]);
        let facts = look(root.path());
        assert_eq!((facts.keepers.as_slice(), facts.was_set, facts.has_rtc), (&["chrony"][..], true, true));
    }
}
