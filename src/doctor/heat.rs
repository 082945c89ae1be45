//! Whether heat or a setting keeps the cores below their full clock.

use std::path::Path;

use super::finding::{Finding, Level};
use super::read;
use crate::topology::format_cpulist;

const HEAT: &str = "temperature";
const HEAT_WHY: &str = "a board that gets too hot lowers its clock until it is cooler, or switches off";
const CLOCK: &str = "cpu clock limit";
const CLOCK_WHY: &str = "cores below their full clock take longer for each message";

/// A place where the machine measures its temperature, in millidegrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    name: String,
    now: i64,
    /// The lowest temperature from which on it does something about it.
    limit: Option<i64>,
}

/// The zones that say something.
pub(super) fn look_heat(root: &Path) -> Vec<Zone> {
    let zones = read::entries(root, "sys/class/thermal");
    let zones = zones.iter().filter(|path| read::name(path).starts_with("thermal_zone"));
    let mut zones: Vec<Zone> = zones.filter_map(|path| zone(path)).collect();
    if read::is_raspberry(root) {
        zones.iter_mut().for_each(|zone| zone.limit = Some(zone.limit.map_or(FIRMWARE, |limit| limit.min(FIRMWARE))));
    }
    zones
}

/// From here on a Raspberry's firmware lowers the clock by itself; its device tree tells when it switches off only.
const FIRMWARE: i64 = 80_000;

fn zone(path: &Path) -> Option<Zone> {
    let trip = |number: usize| {
        let kind = read::text(path, format!("trip_point_{number}_type"))?;
        let at: i64 = read::number(path, format!("trip_point_{number}_temp"))?;
        // `active` starts a fan, which is no harm; 0 and less is a trip that is switched off.
        (matches!(kind.as_str(), "passive" | "hot" | "critical") && at > 0).then_some(at)
    };
    let limit = (0..12).filter_map(trip).min();
    let name = read::text(path, "type").unwrap_or_else(|| read::name(path));
    Some(Zone { name, now: read::number(path, "temp")?, limit })
}

/// Closer to its limit than this a zone is nearly there.
const MARGIN: i64 = 5000;

pub(super) fn judge_heat(zones: &[Zone]) -> Finding {
    let degrees = |thousandths: i64| thousandths / 1000;
    let limited = zones.iter().filter_map(|zone| Some((zone, zone.limit?)));
    let Some((zone, limit)) = limited.min_by_key(|(zone, limit)| limit - zone.now) else {
        let found = "this machine does not say how hot it is, or how hot it may become";
        return Finding::new(HEAT, Level::Unknown, found, HEAT_WHY);
    };
    let found = format!("{} is at {} \u{b0}C, its limit is {} \u{b0}C", zone.name, degrees(zone.now), degrees(limit));
    let level = match limit - zone.now {
        room if room <= 0 => Level::Warning,
        room if room <= MARGIN => Level::Note,
        _ => return Finding::new(HEAT, Level::Ok, found, HEAT_WHY),
    };
    Finding::new(HEAT, level, found, HEAT_WHY).mend(
        "# a heat sink or a fan, or more room for air; afterwards watch:\ncat /sys/class/thermal/thermal_zone*/temp",
    )
}

/// A hardware thread, the clock it may have now and the one its hardware can, in kHz.
pub(super) fn look_clock(root: &Path) -> Vec<(usize, u64, u64)> {
    let limit = |path: &Path| {
        let cpu = read::index(&read::name(path), "cpu")?;
        let now = read::number(path, "cpufreq/scaling_max_freq")?;
        Some((cpu, now, read::number(path, "cpufreq/cpuinfo_max_freq")?))
    };
    let mut limits: Vec<_> =
        read::entries(root, "sys/devices/system/cpu").iter().filter_map(|path| limit(path)).collect();
    limits.sort_unstable();
    limits
}

/// `None` where the kernel does not steer the clock: the governor's check has said so.
pub(super) fn judge_clock(limits: &[(usize, u64, u64)]) -> Option<Finding> {
    let (_, _, full) = limits.first()?;
    let low: Vec<_> = limits.iter().filter(|(_, now, full)| now < full).collect();
    let Some((_, now, most)) = low.iter().min_by_key(|(_, now, _)| now) else {
        let found = format!("none; up to {} MHz", full / 1000);
        return Some(Finding::new(CLOCK, Level::Ok, found, CLOCK_WHY));
    };
    let cpus: Vec<usize> = low.iter().map(|(cpu, _, _)| *cpu).collect();
    let found = format!("cores {} may run at {} of {} MHz only", format_cpulist(&cpus), now / 1000, most / 1000);
    let mend = "for cpu in /sys/devices/system/cpu/cpu*/cpufreq; do sudo cp $cpu/cpuinfo_max_freq $cpu/scaling_max_freq; done\n\
                # if it is low again at once, heat lowers it: cool the board";
    Some(Finding::new(CLOCK, Level::Warning, found, CLOCK_WHY).mend(mend))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::read::fake::machine;

    fn heat(now: i64, limit: Option<i64>) -> Level {
        judge_heat(&[Zone { name: "cpu-thermal".into(), now, limit }]).level
    }

    #[test]
    fn a_zone_is_judged_by_how_far_it_is_from_its_limit() {
        assert_eq!(heat(48_000, Some(80_000)), Level::Ok);
        assert_eq!(heat(76_000, Some(80_000)), Level::Note);
        assert_eq!(heat(80_500, Some(80_000)), Level::Warning);
        assert_eq!(heat(80_500, None), Level::Unknown);
        assert_eq!(judge_heat(&[]).level, Level::Unknown);
    }

    #[test]
    fn the_lowest_trip_that_lowers_the_clock_counts() {
        let zone = "sys/class/thermal/thermal_zone0";
        let at = |file: &str| format!("{zone}/{file}");
        let root = machine(&[
            (&at("type"), "cpu-thermal\n"),
            (&at("temp"), "51234\n"),
            (&at("trip_point_0_type"), "active\n"),
            (&at("trip_point_0_temp"), "50000\n"),
            (&at("trip_point_1_type"), "critical\n"),
            (&at("trip_point_1_temp"), "110000\n"),
            (&at("trip_point_2_type"), "passive\n"),
            (&at("trip_point_2_temp"), "85000\n"),
            ("sys/class/thermal/cooling_device0/type", "Processor\n"),
        ]);
        let expected = Zone { name: "cpu-thermal".into(), now: 51_234, limit: Some(85_000) };
        assert_eq!(look_heat(root.path()), [expected]);
    }

    #[test]
    fn a_raspberrys_firmware_has_a_limit_of_its_own() {
        let root = machine(&[
            ("sys/firmware/devicetree/base/compatible", "raspberrypi,5-model-b\0brcm,bcm2712\0"),
            ("sys/class/thermal/thermal_zone0/temp", "81000\n"),
            ("sys/class/thermal/thermal_zone0/trip_point_0_type", "critical\n"),
            ("sys/class/thermal/thermal_zone0/trip_point_0_temp", "110000\n"),
        ]);
        assert_eq!(judge_heat(&look_heat(root.path())).level, Level::Warning);
    }

    #[test]
    fn a_clock_that_is_held_down_is_named_with_its_cores() {
        let finding =
            judge_clock(&[(0, 600_000, 1_500_000), (1, 600_000, 1_500_000), (2, 1_500_000, 1_500_000)]).unwrap();
        assert_eq!(finding.found, "cores 0-1 may run at 600 of 1500 MHz only");
        assert_eq!((finding.level, finding.mend.is_empty()), (Level::Warning, false));
        assert_eq!(judge_clock(&[(0, 1_500_000, 1_500_000)]).unwrap().level, Level::Ok);
        assert_eq!(judge_clock(&[]), None);
    }
}
