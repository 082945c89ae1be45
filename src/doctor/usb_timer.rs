//! How long an FTDI adapter gathers bytes before it sends them over USB.

use std::path::{Path, PathBuf};

use super::finding::{Finding, Level};
use super::read;

const CHECK: &str = "usb latency timer";
const WHY: &str = "an FTDI adapter keeps up to 62 bytes back for so long, so messages come late and in heaps";

/// Those of `devices` that have such a timer, and what it is set to, in ms.
pub(super) fn look(root: &Path, devices: &[PathBuf]) -> Vec<(PathBuf, u32)> {
    let timer = |device: &PathBuf| {
        let file = format!("sys/bus/usb-serial/devices/{}/latency_timer", read::name(device));
        Some((device.clone(), read::number(root, file)?))
    };
    devices.iter().filter_map(timer).collect()
}

/// `None` where there is no such adapter.
pub(super) fn judge(timers: &[(PathBuf, u32)]) -> Option<Finding> {
    let (device, slowest) = timers.iter().max_by_key(|(_, milliseconds)| milliseconds)?;
    let found = format!("{} ms on {}", slowest, device.display());
    if *slowest <= 1 {
        return Some(Finding::new(CHECK, Level::Ok, found, WHY));
    }
    let slow = timers.iter().filter(|(_, milliseconds)| *milliseconds > 1).map(|(device, _)| read::name(device));
    let now = slow.map(|name| format!("echo 1 | sudo tee /sys/bus/usb-serial/devices/{name}/latency_timer"));
    let rule = "ACTION==\"add\", SUBSYSTEM==\"usb-serial\", DRIVER==\"ftdi_sio\", ATTR{latency_timer}=\"1\"";
    let always = format!(
        "# from now on whenever one is plugged in:\necho '{rule}' | sudo tee /etc/udev/rules.d/60-pinring-ftdi.rules"
    );
    let mend = now.chain([always]).collect::<Vec<_>>().join("\n");
    Some(Finding::new(CHECK, Level::Note, found, WHY).mend(mend))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::read::fake::machine;

    #[test]
    fn the_usual_16_ms_are_a_note_with_the_commands_for_now_and_for_ever() {
        let root = machine(&[
            ("sys/bus/usb-serial/devices/ttyUSB0/latency_timer", "16\n"),
            ("sys/bus/usb-serial/devices/ttyUSB1/latency_timer", "1\n"),
        ]);
        let devices = ["/dev/ttyUSB0", "/dev/ttyUSB1", "/dev/ttyS0"].map(PathBuf::from);
        let finding = judge(&look(root.path(), &devices)).unwrap();
        assert_eq!((finding.level, finding.found.as_str()), (Level::Note, "16 ms on /dev/ttyUSB0"));
        assert!(finding.mend.starts_with("echo 1 | sudo tee /sys/bus/usb-serial/devices/ttyUSB0/latency_timer\n#"));
        assert_eq!(judge(&look(root.path(), &devices[1..])).unwrap().level, Level::Ok);
        assert_eq!(judge(&look(root.path(), &devices[2..])), None);
    }
}
