//! Which serial ports there are: stable names, drivers, who holds them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A serial port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortInfo {
    /// Its device: `/dev/ttyUSB0`.
    pub device: PathBuf,
    /// Driver of the hardware, `ftdi_sio`.
    pub driver: Option<String>,
    /// Name by what the adapter calls itself: the same whichever socket it is in. Adapters without a serial number share one.
    pub by_id: Option<PathBuf>,
    /// Name by the socket it is plugged into.
    pub by_path: Option<PathBuf>,
    /// USB vendor and product, `0403:6001`.
    pub usb_id: Option<String>,
    /// USB serial number.
    pub usb_serial: Option<String>,
    /// Which of the adapter's interfaces it is, `00` for the first; tells the ports of one adapter apart.
    pub usb_interface: Option<String>,
    /// Whether another adapter that is plugged in claims the same product and serial number (cheap clones all say `0001`).
    pub has_twin: bool,
    /// What the adapter says it is.
    pub description: Option<String>,
    /// Processes that have it open: pid and name. Only those this user may look at, see [`PortList::unseen`].
    pub holders: Vec<(i32, String)>,
}

impl PortInfo {
    /// The name to put into a configuration: by-id if the adapter has a serial number of its own, else by-path, else the device.
    pub fn stable_name(&self) -> &Path {
        let is_own = self.usb_serial.is_some() && !self.has_twin;
        let by_id = self.by_id.as_deref().filter(|_| is_own);
        by_id.or(self.by_path.as_deref()).or(self.by_id.as_deref()).unwrap_or(&self.device)
    }
}

/// What a look at the machine found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortList {
    /// The ports, by name.
    pub ports: Vec<PortInfo>,
    /// Processes whose descriptors this user may not see; any of them may hold a port. 0 for root.
    pub unseen: usize,
}

/// All serial ports below `root` (`/` on a real machine). Opens none of them.
pub fn ports(root: &Path) -> PortList {
    let class = root.join("sys/class/tty");
    let mut names: Vec<String> = entries(&class).iter().filter_map(|path| file_name(path)).collect();
    names
        .sort_by_key(|name| (name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(), name.len(), name.clone()));
    let (by_id, by_path) = (links(root, "by-id"), links(root, "by-path"));
    let (holders, unseen) = holders(root);
    let mut adapters: Vec<Option<PathBuf>> = Vec::new();
    let mut ports: Vec<PortInfo> = Vec::new();
    for name in names {
        let Some((mut port, adapter)) = hardware(&class.join(&name), &name) else { continue };
        let named = |links: &[(PathBuf, String)]| {
            links.iter().find(|(_, target)| *target == name).map(|(link, _)| link.clone())
        };
        (port.by_id, port.by_path) = (named(&by_id), named(&by_path));
        let holds = holders.iter().filter(|(held, _, _)| *held == port.device);
        port.holders = holds.map(|(_, pid, name)| (*pid, name.clone())).collect();
        ports.push(port);
        adapters.push(adapter);
    }
    for index in 0..ports.len() {
        let own = (&ports[index].usb_id, &ports[index].usb_serial);
        let is_twin = |other: usize| {
            adapters[other] != adapters[index] && (&ports[other].usb_id, &ports[other].usb_serial) == own
        };
        ports[index].has_twin = own.1.is_some() && (0..ports.len()).any(is_twin);
    }
    PortList { ports, unseen }
}

/// What sysfs says of the hardware behind a tty, and the folder of its USB adapter. `None`: there is none.
fn hardware(tty: &Path, name: &str) -> Option<(PortInfo, Option<PathBuf>)> {
    // Virtual terminals have no device behind them; of the four ttyS that a kernel always shows, absent ones have type 0.
    let behind = tty.join("device").canonicalize().ok()?;
    if line(&tty.join("type")).as_deref() == Some("0") {
        return None;
    }
    let adapter = behind.ancestors().find(|folder| folder.join("idVendor").exists());
    let attribute = |file: &str| adapter.and_then(|folder| line(&folder.join(file)));
    let usb_id =
        attribute("idVendor").zip(attribute("idProduct")).map(|(vendor, product)| format!("{vendor}:{product}"));
    let description = match (attribute("manufacturer"), attribute("product")) {
        (Some(maker), Some(product)) => Some(format!("{maker} {product}")),
        (maker, product) => product.or(maker),
    };
    let port = PortInfo {
        device: PathBuf::from("/dev").join(name),
        driver: driver(&behind),
        usb_id,
        usb_serial: attribute("serial"),
        usb_interface: behind.ancestors().find_map(|folder| line(&folder.join("bInterfaceNumber"))),
        description,
        ..PortInfo::default()
    };
    Some((port, adapter.map(Path::to_owned)))
}

/// Since Linux 6.5 two devices of the serial core (bus `serial-base`, drivers `ctrl` and `port`) lie between a tty and its UART.
fn driver(device: &Path) -> Option<String> {
    let is_core = |folder: &&Path| linked_name(&folder.join("subsystem")).as_deref() == Some("serial-base");
    linked_name(&device.ancestors().find(|folder| !is_core(folder))?.join("driver"))
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

/// Last part of where a link leads.
fn linked_name(link: &Path) -> Option<String> {
    file_name(&fs::read_link(link).ok()?)
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
        let target = linked_name(&link)?;
        Some((Path::new("/dev/serial").join(kind).join(link.file_name()?), target))
    });
    let mut found: Vec<_> = found.collect();
    found.sort();
    found
}

/// Every descriptor that leads to a device: its file, pid, name of the process; and how many processes could not be seen.
fn holders(root: &Path) -> (Vec<(PathBuf, i32, String)>, usize) {
    let (mut holders, mut unseen) = (Vec::new(), 0);
    for process in entries(&root.join("proc")) {
        let Some(pid) = file_name(&process).and_then(|name| name.parse::<i32>().ok()) else { continue };
        let descriptors = match fs::read_dir(process.join("fd")) {
            Ok(descriptors) => descriptors,
            Err(error) => {
                // Others have just ended.
                unseen += usize::from(error.kind() == io::ErrorKind::PermissionDenied);
                continue;
            }
        };
        let mut devices: Vec<PathBuf> =
            descriptors.flatten().filter_map(|descriptor| fs::read_link(descriptor.path()).ok()).collect();
        devices.retain(|device| device.starts_with("/dev"));
        devices.sort();
        devices.dedup();
        let name = line(&process.join("comm")).unwrap_or_default();
        holders.extend(devices.into_iter().map(|device| (device, pid, name.clone())));
    }
    holders.sort_by_key(|(_, pid, _)| *pid);
    (holders, unseen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A machine with an FTDI adapter, two CH340 without and two clones with one serial number, a real and an absent 8250, and a virtual terminal.
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
            ("ttyUSB11", "1-4", "ea60", Some("0001")),
            ("ttyUSB12", "1-5", "ea60", Some("0001")),
        ] {
            let device = format!("sys/devices/usb1/{usb}");
            file(&format!("{device}/idVendor"), "0403\n");
            file(&format!("{device}/idProduct"), &format!("{product}\n"));
            file(&format!("{device}/product"), "USB Serial\n");
            file(&format!("{device}/{usb}:1.0/bInterfaceNumber"), "00\n");
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
        link("dev/serial/by-id/usb-CP2102_0001", Path::new("../../ttyUSB12"));
        for (tty, kind) in [("ttyS0", "4"), ("ttyS1", "0")] {
            // As Linux 6.5 and later lay it out: UART, controller, port.
            let uart = format!("sys/devices/{tty}.serial");
            link(&format!("{uart}/driver"), Path::new("../../bus/platform/drivers/dw-apb-uart"));
            for (device, driver) in [("ctrl", "ctrl"), ("ctrl/port", "port")] {
                link(&format!("{uart}/{device}/subsystem"), Path::new("../../bus/serial-base"));
                link(&format!("{uart}/{device}/driver"), Path::new(&format!("../bus/serial-base/drivers/{driver}")));
            }
            file(&format!("sys/class/tty/{tty}/type"), kind);
            link(&format!("sys/class/tty/{tty}/device"), &at(&format!("{uart}/ctrl/port")));
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
        let list = ports(root.path());
        let names: Vec<_> = list.ports.iter().map(|port| port.device.file_name().unwrap()).collect();
        assert_eq!(names, ["ttyS0", "ttyUSB0", "ttyUSB1", "ttyUSB10", "ttyUSB11", "ttyUSB12"]);
    }

    #[test]
    fn a_port_says_what_it_is_and_who_has_it() {
        let root = machine();
        let list = ports(root.path());
        let port = &list.ports[1];
        assert_eq!(port.usb_id.as_deref(), Some("0403:6001"));
        assert_eq!(port.driver.as_deref(), Some("ftdi_sio"));
        assert_eq!(port.usb_interface.as_deref(), Some("00"));
        assert_eq!(port.holders, [(77, "gpsd".to_owned())]);
        assert_eq!(list.unseen, 0);
    }

    #[test]
    fn the_driver_of_a_uart_is_the_hardwares_not_the_serial_cores() {
        let root = machine();
        assert_eq!(ports(root.path()).ports[0].driver.as_deref(), Some("dw-apb-uart"));
    }

    #[test]
    fn an_adapter_without_a_serial_number_is_named_by_its_socket() {
        let root = machine();
        let ports = ports(root.path()).ports;
        assert_eq!(ports[1].stable_name(), Path::new("/dev/serial/by-id/usb-FTDI_A50285BI"));
        assert_eq!(ports[3].stable_name(), Path::new("/dev/serial/by-path/pci-usb-1-3"));
        assert_eq!(ports[0].stable_name(), Path::new("/dev/ttyS0"));
    }

    #[test]
    fn adapters_that_share_a_serial_number_are_named_by_their_sockets() {
        let root = machine();
        let ports = ports(root.path()).ports;
        let twins: Vec<_> = ports.iter().map(|port| port.has_twin).collect();
        assert_eq!(twins, [false, false, false, false, true, true]);
        assert_eq!(ports[5].stable_name(), Path::new("/dev/serial/by-path/pci-usb-1-5"));
    }
}
