//! `pinring ports`: what can be read from, under which name, and who has it.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::columns::columns;
use crate::serial::{PortInfo, PortList, ports};

pub(super) fn print(as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let list = ports(Path::new("/"));
    let text = if as_json { machine_readable(&list) } else { readable(&list) };
    Ok(out.write_all(text.as_bytes())?)
}

fn readable(list: &PortList) -> String {
    if list.ports.is_empty() {
        return "no serial ports here; `pinring demo` brings its own\n".into();
    }
    let head = ["PORT", "DRIVER", "USB", "WHAT IT SAYS IT IS", "HELD BY"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(list.ports.iter().map(row)).collect();
    let mut text = columns(&rows);
    // Writing to a String cannot fail; so throughout.
    if list.unseen > 0 {
        let _ = writeln!(
            text,
            "\n{} processes of other users could not be looked at and may hold ports too; root sees all",
            list.unseen
        );
    }
    text += "\nfor the configuration:\n";
    for port in &list.ports {
        let _ = writeln!(text, "\n  port = \"{}\"", port.stable_name().display());
        let _ = writeln!(text, "      {}{}", port.device.display(), remark(port));
        for (kind, name) in [("by id", &port.by_id), ("by path", &port.by_path)] {
            if let Some(name) = name.as_deref().filter(|name| *name != port.stable_name()) {
                let _ = writeln!(text, "      also {kind}: {}", name.display());
            }
        }
    }
    text
}

fn row(port: &PortInfo) -> [String; 5] {
    let or_dash = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".into());
    // Which interface matters only where an adapter has several.
    let interface = port.usb_interface.as_deref().filter(|number| *number != "00");
    let interface = interface.map_or_else(String::new, |number| format!(" (interface {number})"));
    let holders: Vec<String> = port.holders.iter().map(|(pid, name)| format!("{name} (pid {pid})")).collect();
    [
        port.device.display().to_string(),
        or_dash(port.driver.as_ref()),
        or_dash(port.usb_id.as_ref()),
        or_dash(port.description.as_ref()) + &interface,
        if holders.is_empty() { "-".into() } else { holders.join(", ") },
    ]
}

/// Why the name is the one proposed, where that is no matter of course.
fn remark(port: &PortInfo) -> &'static str {
    if port.usb_id.is_none() {
        ""
    } else if port.stable_name() == port.device {
        ": this system gives it no lasting name (no udev), so its number may change when it is plugged in again"
    } else if port.by_path.is_none() && (port.usb_serial.is_none() || port.has_twin) {
        ": nothing tells it from another of its kind"
    } else if port.usb_serial.is_none() {
        ": the adapter has no serial number, so it is named by its socket; keep it there"
    } else if port.has_twin {
        ": another adapter claims the same serial number, so it is named by its socket; keep it there"
    } else {
        ""
    }
}

fn machine_readable(list: &PortList) -> String {
    let ports = list.ports.iter().map(|port| {
        let holders = port.holders.iter().map(|(pid, name)| json!({ "pid": pid, "name": name }));
        json!({
            "device": port.device, "driver": port.driver, "by_id": port.by_id, "by_path": port.by_path,
            "usb_id": port.usb_id, "usb_serial": port.usb_serial, "usb_interface": port.usb_interface,
            "serial_is_shared": port.has_twin, "description": port.description,
            "stable_name": port.stable_name(), "held_by": holders.collect::<Vec<_>>(),
        })
    });
    format!("{:#}\n", json!({ "ports": ports.collect::<Vec<_>>(), "unseen_processes": list.unseen }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> PortList {
        let gps = PortInfo {
            device: "/dev/ttyUSB0".into(),
            driver: Some("ftdi_sio".into()),
            by_id: Some("/dev/serial/by-id/usb-FTDI_A1-if00".into()),
            by_path: Some("/dev/serial/by-path/pci-1".into()),
            usb_id: Some("0403:6001".into()),
            usb_serial: Some("A1".into()),
            usb_interface: Some("00".into()),
            description: Some("FTDI FT232R".into()),
            holders: vec![(77, "gpsd".into())],
            ..PortInfo::default()
        };
        let clone = PortInfo {
            device: "/dev/ttyUSB1".into(),
            driver: Some("ch341-uart".into()),
            by_path: Some("/dev/serial/by-path/pci-2".into()),
            usb_id: Some("1a86:7523".into()),
            ..PortInfo::default()
        };
        let uart = PortInfo { device: "/dev/ttyS0".into(), ..PortInfo::default() };
        PortList { ports: vec![uart, gps, clone], unseen: 3 }
    }

    #[test]
    fn people_see_a_table_and_lines_to_paste() {
        let expected = r#"  PORT          DRIVER      USB        WHAT IT SAYS IT IS  HELD BY
  /dev/ttyS0    -           -          -                   -
  /dev/ttyUSB0  ftdi_sio    0403:6001  FTDI FT232R         gpsd (pid 77)
  /dev/ttyUSB1  ch341-uart  1a86:7523  -                   -

3 processes of other users could not be looked at and may hold ports too; root sees all

for the configuration:

  port = "/dev/ttyS0"
      /dev/ttyS0

  port = "/dev/serial/by-id/usb-FTDI_A1-if00"
      /dev/ttyUSB0
      also by path: /dev/serial/by-path/pci-1

  port = "/dev/serial/by-path/pci-2"
      /dev/ttyUSB1: the adapter has no serial number, so it is named by its socket; keep it there
"#;
        assert_eq!(readable(&list()), expected);
    }

    #[test]
    fn an_adapter_without_any_lasting_name_is_warned_of() {
        let port = PortInfo { device: "/dev/ttyUSB0".into(), usb_id: Some("1a86:7523".into()), ..PortInfo::default() };
        assert!(remark(&port).contains("no lasting name"));
    }

    #[test]
    fn programs_get_every_field() {
        let value: serde_json::Value = serde_json::from_str(&machine_readable(&list())).unwrap();
        assert_eq!(value["unseen_processes"], 3);
        assert_eq!(value["ports"][1]["stable_name"], "/dev/serial/by-id/usb-FTDI_A1-if00");
        assert_eq!(value["ports"][1]["held_by"][0]["pid"], 77);
    }

    #[test]
    fn without_a_port_the_demo_is_named() {
        assert!(readable(&PortList::default()).contains("pinring demo"));
    }
}
