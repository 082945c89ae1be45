//! The mini-UART of Raspberry Pis 3, 4 and Zero 2 W, whose clock follows the processor's.

use std::path::{Path, PathBuf};

use super::finding::{Finding, Level};
use super::read;
use crate::serial::PortInfo;

const CHECK: &str = "mini-uart";
const WHY: &str = "its baud rate drifts with the core clock, it has 8 bytes of buffer and no parity: bytes get lost";
const DRIVER: &str = "bcm2835-aux-uart";

/// The ports among `wanted` that are such a UART; /dev/serial0 is what the header's is called.
pub(super) fn look(root: &Path, wanted: &[PathBuf], found: &[PortInfo]) -> Vec<PathBuf> {
    let is_raspberry = read::is_raspberry(root);
    let header = std::fs::read_link(root.join("dev/serial0")).ok().map(|target| read::name(&target));
    let is_mini = |device: &Path| {
        let info = found.iter().find(|info| info.device == device);
        let driver = info.and_then(|info| info.driver.as_deref());
        // Some kernels show no driver; on these boards the header's ttyS0 is nothing else.
        let is_header = is_raspberry && read::name(device) == "ttyS0" && header.as_deref() == Some("ttyS0");
        driver == Some(DRIVER) || is_header
    };
    wanted.iter().filter(|device| is_mini(device)).cloned().collect()
}

/// `settings`: the file that the firmware reads, on a Raspberry Pi.
pub(super) fn judge(minis: &[PathBuf], settings: Option<&str>) -> Finding {
    let Some(first) = minis.first() else { return Finding::new(CHECK, Level::Ok, "no port is one", WHY) };
    let file = settings.unwrap_or("/boot/firmware/config.txt");
    let mend = format!(
        "echo 'dtoverlay=disable-bt' | sudo tee -a {file} && sudo systemctl disable --now hciuart; sudo reboot\n\
         # or, to keep Bluetooth, at a slower core:\n\
         printf 'dtoverlay=miniuart-bt\\ncore_freq=250\\n' | sudo tee -a {file} && sudo reboot"
    );
    let found = format!("{} is one; the good UART serves Bluetooth", first.display());
    Finding::new(CHECK, Level::Warning, found, WHY).mend(mend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::read::fake::machine;

    fn port(device: &str, driver: Option<&str>) -> PortInfo {
        PortInfo { device: device.into(), driver: driver.map(str::to_owned), ..PortInfo::default() }
    }

    #[test]
    fn a_mini_uart_is_known_by_its_driver() {
        let root = machine(&[("etc/x", "")]);
        let found = [port("/dev/ttyS0", Some(DRIVER)), port("/dev/ttyAMA0", Some("uart-pl011"))];
        let wanted = ["/dev/ttyAMA0".into(), "/dev/ttyS0".into()];
        let minis = look(root.path(), &wanted, &found);
        assert_eq!(minis, [PathBuf::from("/dev/ttyS0")]);
        let finding = judge(&minis, Some("/boot/config.txt"));
        assert_eq!(finding.level, Level::Warning);
        assert!(finding.mend.starts_with("echo 'dtoverlay=disable-bt' | sudo tee -a /boot/config.txt"));
        assert_eq!(judge(&[], None).level, Level::Ok);
    }

    #[test]
    fn on_a_raspberry_the_headers_name_tells_as_well() {
        let root =
            machine(&[("sys/firmware/devicetree/base/compatible", "raspberrypi,4-model-b\0"), ("dev/ttyS0", "")]);
        std::os::unix::fs::symlink("ttyS0", root.path().join("dev/serial0")).unwrap();
        let wanted = ["/dev/ttyS0".into()];
        assert_eq!(look(root.path(), &wanted, &[port("/dev/ttyS0", None)]).len(), 1);
        let pc = machine(&[("dev/ttyS0", "")]);
        assert!(look(pc.path(), &wanted, &[port("/dev/ttyS0", Some("serial"))]).is_empty());
    }
}
