//! How the kernel's command line is changed: each kind of machine keeps it somewhere else.

use std::path::Path;

use super::read;

/// Where the command line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boot {
    /// Raspberry Pi: a file of one line.
    CommandLine(&'static str),
    /// Armbian: `extraargs=` in a file of settings; whether it has such a line yet.
    Armbian(bool),
    /// BeagleBone: `cmdline=` in /boot/uEnv.txt.
    Uenv,
    /// U-Boot's menu.
    Extlinux,
    /// Fedora and its relatives.
    Grubby,
    /// Debian and its relatives.
    Grub,
    /// Nothing known.
    Unknown,
}

const ARMBIAN: &str = "boot/armbianEnv.txt";

impl Boot {
    pub(super) fn look(root: &Path) -> Self {
        let has = |path: &str| root.join(path).exists();
        // Since Debian 12 the first is the file and the second only says so.
        for path in ["/boot/firmware/cmdline.txt", "/boot/cmdline.txt"] {
            if has(&path[1..]) {
                return Self::CommandLine(path);
            }
        }
        if has(ARMBIAN) {
            let settings = read::text(root, ARMBIAN).unwrap_or_default();
            return Self::Armbian(settings.lines().any(|line| line.starts_with("extraargs=")));
        }
        let others = [
            ("boot/uEnv.txt", Self::Uenv),
            ("boot/extlinux/extlinux.conf", Self::Extlinux),
            ("usr/sbin/grubby", Self::Grubby),
            ("etc/default/grub", Self::Grub),
        ];
        others.into_iter().find(|(path, _)| has(path)).map_or(Self::Unknown, |(_, boot)| boot)
    }

    /// The command that adds `words`.
    pub(super) fn add(self, words: &str) -> String {
        let change = match self {
            Self::CommandLine(file) => format!("sudo sed -i '1s/$/ {words}/' {file}"),
            Self::Armbian(true) => format!("sudo sed -i 's/^extraargs=.*/& {words}/' /{ARMBIAN}"),
            Self::Armbian(false) => format!("echo 'extraargs={words}' | sudo tee -a /{ARMBIAN}"),
            Self::Uenv => format!("sudo sed -i 's/^cmdline=.*/& {words}/' /boot/uEnv.txt"),
            Self::Extlinux => {
                format!("sudo sed -i '/^[[:space:]]*append/I s/$/ {words}/' /boot/extlinux/extlinux.conf")
            }
            Self::Grubby => format!("sudo grubby --update-kernel=ALL --args='{words}'"),
            Self::Grub => {
                format!("sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&{words} /' /etc/default/grub && sudo update-grub")
            }
            Self::Unknown => {
                return format!("# in the settings of what starts this kernel, add to its command line: {words}");
            }
        };
        format!("{change} && sudo reboot")
    }

    /// The command that removes `word`, which the kernel was started with.
    pub(super) fn remove(self, word: &str) -> String {
        let delete = format!("sudo sed -i -E 's/{}([ \"]|$)/\\1/'", word.replace('.', "\\."));
        let change = match self {
            Self::CommandLine(file) => match word.strip_prefix("console=").and_then(|value| value.split(',').next()) {
                // The file says `serial0`, of which the firmware makes the name that the kernel knows.
                Some(device) => format!("sudo sed -i -E 's/console=(serial0|{device})(,[^ ]*)? *//' {file}"),
                None => format!("{delete} {file}"),
            },
            // Armbian makes the consoles of a word of its own.
            Self::Armbian(_) if word.starts_with("console=") => {
                format!("sudo sed -i -E 's/^console=.*/console=display/' /{ARMBIAN}")
            }
            Self::Armbian(_) => format!("{delete} /{ARMBIAN}"),
            Self::Uenv => format!("{delete} /boot/uEnv.txt"),
            Self::Extlinux => format!("{delete} /boot/extlinux/extlinux.conf"),
            Self::Grubby => format!("sudo grubby --update-kernel=ALL --remove-args='{word}'"),
            Self::Grub => format!("{delete} /etc/default/grub && sudo update-grub"),
            Self::Unknown => {
                return format!("# in the settings of what starts this kernel, take from its command line: {word}");
            }
        };
        format!("{change} && sudo reboot")
    }
}

/// Where a Raspberry Pi's firmware reads its settings; `None` on other machines.
pub(super) fn firmware_settings(root: &Path) -> Option<&'static str> {
    ["/boot/firmware/config.txt", "/boot/config.txt"].into_iter().find(|path| root.join(&path[1..]).exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::read::fake::machine;

    #[test]
    fn each_machine_keeps_its_command_line_somewhere_else() {
        let cases: [(&[(&str, &str)], Boot); 7] = [
            (
                &[("boot/firmware/cmdline.txt", "x"), ("boot/cmdline.txt", "moved")],
                Boot::CommandLine("/boot/firmware/cmdline.txt"),
            ),
            (&[("boot/armbianEnv.txt", "verbosity=1\nextraargs=quiet\n")], Boot::Armbian(true)),
            (&[("boot/armbianEnv.txt", "verbosity=1\n")], Boot::Armbian(false)),
            (&[("boot/uEnv.txt", "cmdline=quiet\n")], Boot::Uenv),
            (&[("usr/sbin/grubby", ""), ("etc/default/grub", "")], Boot::Grubby),
            (&[("etc/default/grub", "")], Boot::Grub),
            (&[], Boot::Unknown),
        ];
        for (files, boot) in cases {
            assert_eq!(Boot::look(machine(files).path()), boot);
        }
    }

    /// Does to a text what the first part of a command does to its file.
    fn edited(command: &str, text: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let first = command.split(" && ").next().unwrap().strip_prefix("sudo ").unwrap();
        let (sed, _) = first.rsplit_once(' ').unwrap();
        let line = format!("{sed} {}", file.path().display());
        assert!(std::process::Command::new("sh").args(["-c", &line]).status().unwrap().success());
        std::fs::read_to_string(file.path()).unwrap()
    }

    const RASPBERRY: Boot = Boot::CommandLine("/boot/firmware/cmdline.txt");

    #[test]
    fn what_is_added_is_added_to_the_right_line() {
        assert_eq!(
            edited(&RASPBERRY.add("isolcpus=2,3"), "root=/dev/sda1 rootwait\n"),
            "root=/dev/sda1 rootwait isolcpus=2,3\n"
        );
        let grub = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"\"\n";
        let expected = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"isolcpus=3 \"\n";
        assert_eq!(edited(&Boot::Grub.add("isolcpus=3"), grub), expected);
        let extlinux = "label l0\n\tlinux /boot/vmlinuz\n\tappend root=/dev/sda1 quiet\n";
        assert!(edited(&Boot::Extlinux.add("isolcpus=3"), extlinux).ends_with("quiet isolcpus=3\n"));
        assert_eq!(edited(&Boot::Armbian(true).add("isolcpus=3"), "extraargs=quiet\n"), "extraargs=quiet isolcpus=3\n");
        assert_eq!(edited(&Boot::Uenv.add("isolcpus=3"), "x=1\ncmdline=quiet\n"), "x=1\ncmdline=quiet isolcpus=3\n");
    }

    #[test]
    fn a_raspberrys_console_is_removed_under_the_name_its_file_has() {
        let line = "console=serial0,115200 console=tty1 rootwait\n";
        assert_eq!(edited(&RASPBERRY.remove("console=ttyAMA0,115200"), line), "console=tty1 rootwait\n");
    }

    #[test]
    fn what_is_removed_is_that_word_and_no_longer_one() {
        let grub = "GRUB_CMDLINE_LINUX=\"console=ttyS10 console=ttyS1 quiet\"\n";
        assert_eq!(edited(&Boot::Grub.remove("console=ttyS1"), grub), "GRUB_CMDLINE_LINUX=\"console=ttyS10  quiet\"\n");
        assert_eq!(edited(&Boot::Armbian(true).remove("console=ttyS2,1500000"), "console=both\n"), "console=display\n");
    }

    #[test]
    fn only_a_raspberry_has_firmware_settings() {
        let root = machine(&[("boot/config.txt", "")]);
        assert_eq!(firmware_settings(root.path()), Some("/boot/config.txt"));
        assert_eq!(firmware_settings(machine(&[("etc/x", "")]).path()), None);
    }
}
