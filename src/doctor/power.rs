//! Power and heat: a board that is throttled computes slower, one with too little voltage loses USB devices.

use super::{Finding, Level, Patient};

pub(super) fn examine(patient: &Patient) -> Vec<Finding> {
    vec![throttled(patient), heat(patient)]
}

/// Bits of the Raspberry Pi firmware's `get_throttled`
/// (<https://www.raspberrypi.com/documentation/computers/os.html#get_throttled>): now, and since the start.
const BITS: [(u32, &str); 8] = [
    (0, "under-voltage now"),
    (1, "clock capped now"),
    (2, "throttled now"),
    (3, "soft temperature limit now"),
    (16, "under-voltage since the start"),
    (17, "clock capped since the start"),
    (18, "throttled since the start"),
    (19, "soft temperature limit since the start"),
];

fn throttled(patient: &Patient) -> Finding {
    const CHECK: &str = "power";
    let path = "sys/devices/platform/soc/soc:firmware/get_throttled";
    if let Some(bits) = patient.read(path).and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok())
    {
        return by_bits(CHECK, bits);
    }
    for hwmon in patient.list("sys/class/hwmon") {
        if std::fs::read_to_string(hwmon.join("name")).is_ok_and(|name| name.trim() == "rpi_volt") {
            let alarm = std::fs::read_to_string(hwmon.join("in0_lcrit_alarm"));
            return by_bits(CHECK, u32::from(alarm.is_ok_and(|text| text.trim() == "1")));
        }
    }
    Finding::unknown(CHECK, "this machine does not tell about its supply")
}

fn by_bits(check: &'static str, bits: u32) -> Finding {
    let found: Vec<&str> = BITS.iter().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, text)| *text).collect();
    if found.is_empty() {
        return Finding::ok(check, "never throttled, voltage well");
    }
    let level = if bits & 0xF != 0 { Level::Fault } else { Level::Warning };
    let mend = if bits & 0x1_0001 != 0 {
        "use the board's own supply and a short, thick cable; give USB devices a powered hub"
    } else {
        "give the board a heat sink or a fan"
    };
    Finding::new(
        check,
        level,
        found.join(", "),
        "USB serial adapters drop out when the voltage does; a throttled core comes late",
        mend,
    )
}

fn heat(patient: &Patient) -> Finding {
    const CHECK: &str = "temperature";
    let zones = patient.list("sys/class/thermal").into_iter().filter_map(|zone| {
        let millidegrees: i64 = std::fs::read_to_string(zone.join("temp")).ok()?.trim().parse().ok()?;
        Some(millidegrees / 1000)
    });
    match zones.max() {
        None => Finding::unknown(CHECK, "this machine has no thermal zone"),
        Some(degrees) if degrees >= 80 => Finding::new(
            CHECK,
            Level::Warning,
            format!("{degrees} degC"),
            "from 80 degC on boards slow their cores down",
            "give the board a heat sink or a fan",
        ),
        Some(degrees) => Finding::ok(CHECK, format!("{degrees} degC")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::tests::Tree;

    #[test]
    fn the_firmware_says_what_is_and_what_was() {
        let at =
            |text| throttled(&Tree::new(&[("sys/devices/platform/soc/soc:firmware/get_throttled", text)]).patient());
        assert_eq!(at("0\n").level, Level::Ok);
        assert_eq!((at("50000").level, at("50005").level), (Level::Warning, Level::Fault));
        assert!(at("50005").found.contains("under-voltage now"));
        let alarm = Tree::new(&[
            ("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
            ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"),
        ]);
        assert_eq!(throttled(&alarm.patient()).level, Level::Fault);
    }

    #[test]
    fn the_hottest_zone_counts() {
        let tree = Tree::new(&[
            ("sys/class/thermal/thermal_zone0/temp", "41000"),
            ("sys/class/thermal/thermal_zone1/temp", "81500"),
        ]);
        assert_eq!(heat(&tree.patient()).found, "81 degC");
    }
}
