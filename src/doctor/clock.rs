//! The clock: what the times in the files are worth.

use super::{Finding, Level, Patient};
use crate::sys::adjtime;

pub(super) fn examine(patient: &Patient) -> Vec<Finding> {
    vec![synchronised(adjtime::is_synchronised()), battery(patient)]
}

fn synchronised(known: Option<bool>) -> Finding {
    const CHECK: &str = "clock";
    match known {
        Some(true) => Finding::ok(CHECK, "synchronised"),
        None => Finding::unknown(CHECK, "the kernel does not say whether its clock is synchronised"),
        Some(false) => Finding::new(
            CHECK,
            Level::Warning,
            "not synchronised",
            "times in the files are as wrong as the clock; intervals (time_mono_s) stay right",
            "sudo timedatectl set-ntp true   (offline: feed chrony from a GPS)",
        ),
    }
}

fn battery(patient: &Patient) -> Finding {
    const CHECK: &str = "real-time clock";
    if !patient.list("sys/class/rtc").is_empty() {
        return Finding::ok(CHECK, "there is one");
    }
    Finding::new(
        CHECK,
        Level::Note,
        "none",
        "after a start without network the time is that of the last shutdown until it is set; pinring goes on, files sort by sequence",
        "add a DS3231 on I2C and `dtoverlay=i2c-rtc,ds3231` to config.txt (Raspberry Pi)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::tests::Tree;

    #[test]
    fn only_a_clock_known_to_be_right_is_well() {
        let levels = [Some(true), Some(false), None].map(|known| synchronised(known).level);
        assert_eq!(levels, [Level::Ok, Level::Warning, Level::Unknown]);
        assert_eq!(battery(&Tree::new(&[("sys/class/rtc/rtc0/name", "x")]).patient()).level, Level::Ok);
    }
}
