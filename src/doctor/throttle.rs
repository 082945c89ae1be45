//! Too little voltage on a Raspberry Pi: its firmware lowers the clock, and USB devices fall off.

use std::path::Path;

use super::finding::{Finding, Level};
use super::read;

const CHECK: &str = "supply voltage";
const WHY: &str = "with too little voltage the firmware halves the clock, and USB adapters drop off the bus";
const MEND: &str = "# another power supply (5.1 V: 3 A for a Pi 4, 5 A for a Pi 5) and a short, thick cable; afterwards this says 0x0:\n\
                    vcgencmd get_throttled";

/// Bits of `get_throttled` (Raspberry Pi documentation, vcgencmd): what is now, and 16 higher what has been since the start.
const UNDERVOLTAGE: u32 = 1;
const CAPPED: u32 = 1 << 1;
const THROTTLED: u32 = 1 << 2;
const HOT: u32 = 1 << 3;

/// What the firmware and its driver say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SupplyFacts {
    is_raspberry: bool,
    /// `get_throttled`, hexadecimal.
    throttled: Option<u32>,
    /// Alarm of the driver raspberrypi-hwmon: too little voltage within its last two seconds.
    alarm: Option<bool>,
}

pub(super) fn look(root: &Path) -> SupplyFacts {
    let throttled = read::text(root, "sys/devices/platform/soc/soc:firmware/get_throttled");
    let monitors = read::entries(root, "sys/class/hwmon");
    let monitor = monitors.iter().find(|path| read::text(path, "name").as_deref() == Some("rpi_volt"));
    SupplyFacts {
        is_raspberry: read::is_raspberry(root),
        throttled: throttled.and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()),
        alarm: monitor.and_then(|path| read::number::<u8>(path, "in0_lcrit_alarm")).map(|alarm| alarm != 0),
    }
}

/// `None` where there is nothing to say: other machines do not watch their voltage.
pub(super) fn judge(facts: &SupplyFacts) -> Option<Finding> {
    let finding = |level, found: &str| Finding::new(CHECK, level, found, WHY);
    let bits = facts.throttled.unwrap_or(0);
    Some(if bits & UNDERVOLTAGE != 0 || facts.alarm == Some(true) {
        finding(Level::Fault, "the voltage is too low now").mend(MEND)
    } else if bits & (UNDERVOLTAGE << 16) != 0 {
        finding(Level::Warning, "the voltage has been too low since the start").mend(MEND)
    } else if bits & (CAPPED | THROTTLED | HOT) != 0 {
        finding(Level::Warning, "the firmware holds the clock down now, because the board is too hot").mend(COOL)
    } else if bits & ((CAPPED | THROTTLED | HOT) << 16) != 0 {
        finding(Level::Note, "the firmware has held the clock down since the start, because the board was too hot")
            .mend(COOL)
    } else if facts.throttled.is_some() || facts.alarm.is_some() {
        finding(Level::Ok, "neither too little voltage nor a clock that the firmware holds down")
    } else if facts.is_raspberry {
        finding(Level::Unknown, "this kernel passes nothing on of what the firmware knows")
            .mend("vcgencmd get_throttled")
    } else {
        return None;
    })
}

const COOL: &str = "# a heat sink or a fan, or more room for air; afterwards watch:\nvcgencmd measure_temp";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::read::fake::machine;

    fn level(throttled: Option<u32>, alarm: Option<bool>) -> Option<Level> {
        judge(&SupplyFacts { is_raspberry: true, throttled, alarm }).map(|finding| finding.level)
    }

    #[test]
    fn what_is_now_is_worse_than_what_has_been() {
        assert_eq!(level(Some(0x50005), None), Some(Level::Fault));
        assert_eq!(level(Some(0x50000), None), Some(Level::Warning));
        assert_eq!(level(Some(0xe0008), None), Some(Level::Warning));
        assert_eq!(level(Some(0xe0000), None), Some(Level::Note));
        assert_eq!(level(Some(0), None), Some(Level::Ok));
        assert_eq!(level(None, Some(true)), Some(Level::Fault));
        assert_eq!(level(None, Some(false)), Some(Level::Ok));
        assert_eq!(level(None, None), Some(Level::Unknown));
        assert_eq!(judge(&SupplyFacts::default()), None);
    }

    #[test]
    fn the_firmware_is_read_where_the_kernel_shows_it() {
        let root = machine(&[
            ("sys/firmware/devicetree/base/compatible", "raspberrypi,4-model-b\0brcm,bcm2711\0"),
            ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n"),
            ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
            ("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
            ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"),
        ]);
        let expected = SupplyFacts { is_raspberry: true, throttled: Some(0x50005), alarm: Some(true) };
        assert_eq!(look(root.path()), expected);
        assert_eq!(look(machine(&[("etc/x", "")]).path()), SupplyFacts::default());
    }
}
