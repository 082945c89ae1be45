//! `pinring ports`: what can be read from, under which name, and who has it.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use serde_json::json;

use crate::serial::{PortInfo, ports};

pub(super) fn print(as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let ports = ports(Path::new("/"));
    let text = if as_json { machine_readable(&ports) } else { readable(&ports) };
    Ok(out.write_all(text.as_bytes())?)
}

fn readable(ports: &[PortInfo]) -> String {
    if ports.is_empty() {
        return "no serial ports here; `pinring demo` brings its own\n".into();
    }
    let mut text = String::new();
    for port in ports {
        let what = [port.description.as_deref(), port.usb_id.as_deref(), port.driver.as_deref()];
        let what: Vec<&str> = what.into_iter().flatten().collect();
        // Writing to a String cannot fail; so throughout.
        let _ = writeln!(text, "{:<14} {}", port.device.display(), what.join(", "));
        for (kind, name) in [("by id", &port.by_id), ("by path", &port.by_path)] {
            if let Some(name) = name {
                let _ = writeln!(text, "    {kind:<8} {}", name.display());
            }
        }
        if port.by_id.is_some() && port.usb_serial.is_none() {
            text += "    note     it has no serial number: by-id names whichever adapter of its kind came last\n";
        }
        for (pid, name) in &port.holders {
            let _ = writeln!(text, "    held by  {name} (pid {pid})");
        }
        let _ = writeln!(text, "    use      port = \"{}\"", port.stable_name().display());
    }
    text
}

fn machine_readable(ports: &[PortInfo]) -> String {
    let ports = ports.iter().map(|port| {
        let holders = port.holders.iter().map(|(pid, name)| json!({ "pid": pid, "name": name }));
        json!({
            "device": port.device, "driver": port.driver, "by_id": port.by_id, "by_path": port.by_path,
            "usb_id": port.usb_id, "usb_serial": port.usb_serial, "description": port.description,
            "stable_name": port.stable_name(), "held_by": holders.collect::<Vec<_>>(),
        })
    });
    format!("{:#}\n", json!(ports.collect::<Vec<_>>()))
}
