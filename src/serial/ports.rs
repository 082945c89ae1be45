//! Which serial ports there are: stable names, drivers, who holds them.

use std::fs;
use std::path::{Path, PathBuf};

/// A serial port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortInfo {
    /// Its device: `/dev/ttyUSB0`.
    pub device: PathBuf,
    /// Kernel driver, `ftdi_sio`.
    pub driver: Option<String>,
    /// Name by what the adapter calls itself: the same whichever socket it is in. Adapters without a serial number share one.
    pub by_id: Option<PathBuf>,
    /// Name by the socket it is plugged into.
    pub by_path: Option<PathBuf>,
    /// USB vendor and product, `0403:6001`.
    pub usb_id: Option<String>,
    /// USB serial number.
    pub usb_serial: Option<String>,
    /// What the adapter says it is.
    pub description: Option<String>,
    /// Processes that have it open: pid and name. Only those this user may look at.
    pub holders: Vec<(i32, String)>,
}

impl PortInfo {
    /// The name to put into a configuration: by-id if the adapter has a serial number of its own, else by-path, else the device.
    pub fn stable_name(&self) -> &Path {
        let by_id = self.by_id.as_deref().filter(|_| self.usb_serial.is_some());
        by_id.or(self.by_path.as_deref()).or(self.by_id.as_deref()).unwrap_or(&self.device)
    }
}

/// All serial ports below `root` (`/` on a real machine), by name.
pub fn ports(root: &Path) -> Vec<PortInfo> {
    let class = root.join("sys/class/tty");
    let mut names: Vec<String> =
        entries(&class).iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    names
        .sort_by_key(|name| (name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(), name.len(), name.clone()));
    let (by_id, by_path) = (links(root, "by-id"), links(root, "by-path"));
    let holders = holders(root);
    let port = |name: String| {
        let own = class.join(&name);
        // Virtual terminals have no device behind them; of the four ttyS that a kernel always shows, absent ones have type 0.
        let behind = own.join("device").canonicalize().ok()?;
        if line(&own.join("type")).as_deref() == Some("0") {
            return None;
        }
        let device = PathBuf::from("/dev").join(&name);
        let named = |links: &[(PathBuf, String)]| {
            links.iter().find(|(_, target)| *target == name).map(|(link, _)| link.clone())
        };
        let driver = fs::read_link(behind.join("driver")).ok();
        let driver = driver.and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let usb = behind.ancestors().find(|folder| folder.join("idVendor").exists());
        let attribute = |file: &str| usb.and_then(|folder| line(&folder.join(file)));
        let usb_id =
            attribute("idVendor").zip(attribute("idProduct")).map(|(vendor, product)| format!("{vendor}:{product}"));
        let description = match (attribute("manufacturer"), attribute("product")) {
            (Some(maker), Some(product)) => Some(format!("{maker} {product}")),
            (maker, product) => product.or(maker),
        };
        let holders = holders.iter().filter(|(held, _, _)| *held == device);
        Some(PortInfo {
            by_id: named(&by_id),
            by_path: named(&by_path),
            usb_serial: attribute("serial"),
            holders: holders.map(|(_, pid, name)| (*pid, name.clone())).collect(),
            device,
            driver,
            usb_id,
            description,
        })
    };
    names.into_iter().filter_map(port).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The links of /dev/serial/`kind`, each with the name of the device it leads to.
fn links(root: &Path, kind: &str) -> Vec<(PathBuf, String)> {
    let found = entries(&root.join("dev/serial").join(kind)).into_iter().filter_map(|link| {
        let target = fs::read_link(&link).ok()?.file_name()?.to_str()?.to_owned();
        Some((Path::new("/dev/serial").join(kind).join(link.file_name()?), target))
    });
    let mut found: Vec<_> = found.collect();
    found.sort();
    found
}

/// Every descriptor that leads to a `/dev/tty...`: device, pid, name of the process.
fn holders(root: &Path) -> Vec<(PathBuf, i32, String)> {
    let mut holders = Vec::new();
    for process in entries(&root.join("proc")) {
        let Some(pid) = process.file_name().and_then(|name| name.to_str()?.parse::<i32>().ok()) else { continue };
        let mut devices: Vec<PathBuf> =
            entries(&process.join("fd")).iter().filter_map(|fd| fs::read_link(fd).ok()).collect();
        devices.retain(|device| device.starts_with("/dev") && device.to_string_lossy().contains("tty"));
        devices.sort();
        devices.dedup();
        let name = line(&process.join("comm")).unwrap_or_default();
        holders.extend(devices.into_iter().map(|device| (device, pid, name.clone())));
    }
    holders
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A machine with an FTDI adapter, two CH340 clones, a real and an absent 8250, and a virtual terminal.
    fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        let file = |path: &str, text: &str| {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), text).unwrap();
        };
        let link = |path: &str, target: &Path| {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            symlink(target, at(path)).unwrap();
        };
        for (tty, usb, product, serial) in [
            ("ttyUSB0", "1-1", "6001", Some("A50285BI")),
            ("ttyUSB1", "1-2", "7523", None),
            ("ttyUSB10", "1-3", "7523", None),
        ] {
            let device = format!("sys/devices/usb1/{usb}");
            file(&format!("{device}/idVendor"), "0403\n");
            file(&format!("{device}/idProduct"), &format!("{product}\n"));
            file(&format!("{device}/product"), "USB Serial\n");
            if let Some(serial) = serial {
                file(&format!("{device}/serial"), serial);
            }
            fs::create_dir_all(at(&format!("{device}/{usb}:1.0/{tty}"))).unwrap();
            link(
                &format!("{device}/{usb}:1.0/{tty}/driver"),
                Path::new("../../../../../bus/usb-serial/drivers/ftdi_sio"),
            );
            link(&format!("sys/class/tty/{tty}/device"), &at(&format!("{device}/{usb}:1.0/{tty}")));
            link(&format!("dev/serial/by-path/pci-usb-{usb}"), Path::new(&format!("../../{tty}")));
        }
        link("dev/serial/by-id/usb-FTDI_A50285BI", Path::new("../../ttyUSB0"));
        link("dev/serial/by-id/usb-CH340", Path::new("../../ttyUSB10"));
        fs::create_dir_all(at("sys/devices/serial8250")).unwrap();
        for (tty, kind) in [("ttyS0", "4"), ("ttyS1", "0")] {
            file(&format!("sys/class/tty/{tty}/type"), kind);
            link(&format!("sys/class/tty/{tty}/device"), &at("sys/devices/serial8250"));
        }
        fs::create_dir_all(at("sys/class/tty/tty1")).unwrap();
        file("proc/77/comm", "gpsd\n");
        link("proc/77/fd/5", Path::new("/dev/ttyUSB0"));
        link("proc/77/fd/6", Path::new("/dev/ttyUSB0"));
        root
    }

    #[test]
    fn real_ports_are_listed_and_phantoms_are_not() {
        let root = machine();
        let names: Vec<_> = ports(root.path()).iter().map(|port| port.device.display().to_string()).collect();
        assert_eq!(names, ["/dev/ttyS0", "/dev/ttyUSB0", "/dev/ttyUSB1", "/dev/ttyUSB10"]);
    }

    #[test]
    fn a_port_says_what_it_is_and_who_has_it() {
        let root = machine();
        let port = &ports(root.path())[1];
        assert_eq!(port.usb_id.as_deref(), Some("0403:6001"));
        assert_eq!(port.driver.as_deref(), Some("ftdi_sio"));
        assert_eq!(port.holders, [(77, "gpsd".to_owned())]);
    }

    #[test]
    fn an_adapter_without_a_serial_number_is_named_by_its_socket() {
        let root = machine();
        let ports = ports(root.path());
        assert_eq!(ports[1].stable_name(), Path::new("/dev/serial/by-id/usb-FTDI_A50285BI"));
        assert_eq!(ports[3].stable_name(), Path::new("/dev/serial/by-path/pci-usb-1-3"));
        assert_eq!(ports[0].stable_name(), Path::new("/dev/ttyS0"));
    }
}
