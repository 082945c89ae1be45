//! The UARTs: who else talks on them.

use super::{Finding, Level, Patient, name_of};

pub(super) fn examine(patient: &Patient) -> Vec<Finding> {
    vec![console(patient), mini_uart(patient)]
}

/// Serial devices that the kernel's command line makes a console: `console=ttyS0,115200`.
fn consoles(command_line: &str) -> Vec<String> {
    let words = command_line.split_whitespace().filter_map(|word| word.strip_prefix("console="));
    let names = words.map(|word| word.split(',').next().unwrap_or_default());
    // tty0, tty1 ... are the screen.
    let is_screen = |name: &str| name.strip_prefix("tty").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
    names
        .filter(|name| (name.starts_with("tty") && !is_screen(name)) || name.starts_with("serial"))
        .map(str::to_owned)
        .collect()
}

fn console(patient: &Patient) -> Finding {
    const CHECK: &str = "console on a UART";
    let Some(command_line) = patient.read("proc/cmdline") else {
        return Finding::unknown(CHECK, "there is no /proc/cmdline");
    };
    let consoles = consoles(&command_line);
    if consoles.is_empty() {
        return Finding::ok(CHECK, "none");
    }
    let wanted =
        |name: &String| patient.ports.iter().any(|port| real_name(patient, port) == real_name(patient, name.as_ref()));
    let level = if consoles.iter().any(wanted) { Level::Fault } else { Level::Note };
    let getty = consoles.iter().map(|name| format!("serial-getty@{name}.service")).collect::<Vec<_>>().join(" ");
    Finding::new(
        CHECK,
        level,
        consoles.join(", "),
        "the kernel writes messages there, and a login program reads: an instrument on it hears and is heard by both",
        format!(
            "remove console={} from the kernel's command line (cmdline.txt); sudo systemctl disable --now {getty}",
            consoles[0]
        ),
    )
}

/// What a name leads to: serial0 is a link on a Raspberry Pi.
fn real_name(patient: &Patient, port: &std::path::Path) -> String {
    let device = patient.root.join("dev").join(port.strip_prefix("/dev").unwrap_or(port));
    name_of(&device.canonicalize().unwrap_or(device))
}

fn mini_uart(patient: &Patient) -> Finding {
    const CHECK: &str = "mini-UART";
    let minis = patient.list("sys/class/tty").into_iter().filter(|tty| {
        let driver = std::fs::read_link(tty.join("device/driver"));
        driver.is_ok_and(|driver| name_of(&driver) == "bcm2835-aux-uart")
    });
    let minis: Vec<String> = minis.map(|tty| name_of(&tty)).collect();
    if minis.is_empty() {
        return Finding::ok(CHECK, "none");
    }
    let config =
        patient.read("boot/firmware/config.txt").or_else(|| patient.read("boot/config.txt")).unwrap_or_default();
    let fixed =
        config.lines().any(|line| ["enable_uart=1", "core_freq="].iter().any(|key| line.trim().starts_with(key)));
    let level = if fixed { Level::Note } else { Level::Warning };
    Finding::new(
        CHECK,
        level,
        format!("{} is the mini-UART", minis.join(", ")),
        "its baud rate follows the core's clock, it has 8 bytes of buffer and no parity: not for fast instruments",
        "add dtoverlay=disable-bt to config.txt (gives the good UART to the header), or at least enable_uart=1; then reboot",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::tests::Tree;

    #[test]
    fn a_console_is_grave_where_an_instrument_is_wanted() {
        assert_eq!(consoles("console=tty1 console=ttyS0,115200 root=/dev/sda console=hvc0"), ["ttyS0"]);
        let tree = Tree::new(&[("proc/cmdline", "console=serial0,115200 console=tty1"), ("dev/ttyAMA0", "")]);
        std::os::unix::fs::symlink("ttyAMA0", tree.patient().root.join("dev/serial0")).unwrap();
        assert_eq!(console(&tree.patient()).level, Level::Note);
        let wanting = Patient { ports: vec!["/dev/ttyAMA0".into()], ..tree.patient() };
        assert_eq!(console(&wanting).level, Level::Fault);
        assert_eq!(console(&Tree::new(&[("proc/cmdline", "quiet")]).patient()).level, Level::Ok);
    }

    #[test]
    fn the_mini_uart_is_known_by_its_driver() {
        let tree = Tree::new(&[("sys/class/tty/ttyS0/device/uevent", "")]);
        let device = tree.patient().root.join("sys/class/tty/ttyS0/device/driver");
        std::os::unix::fs::symlink("../../bus/platform/drivers/bcm2835-aux-uart", device).unwrap();
        assert_eq!(mini_uart(&tree.patient()).level, Level::Warning);
    }
}
