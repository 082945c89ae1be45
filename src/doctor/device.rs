//! Who may open a device.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::sys::user;

/// What is known of a device's rights. Found without opening it: that would raise DTR, which resets many an instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// There is no such file.
    Absent,
    /// It is no character device.
    NoDevice,
    /// It could not be looked at.
    Unseen(String),
    /// This process may read and write it.
    Allowed,
    /// It may not.
    Denied(Rights),
}

/// The rights of a device that this process may not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    /// Permission bits.
    pub(super) mode: u32,
    /// Who owns it.
    pub(super) owner: String,
    /// Its group, where that has a name.
    pub(super) group: Option<String>,
    /// Whether this process is in the group.
    pub(super) is_member: bool,
    /// Whether the user is in the group as soon as he logs in again.
    pub(super) is_listed: bool,
}

impl Access {
    /// Looks at `path`; a link is followed.
    pub(super) fn look(path: &Path) -> Self {
        let found = match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::Absent,
            Err(error) => return Self::Unseen(error.to_string()),
            Ok(found) => found,
        };
        if !found.file_type().is_char_device() {
            return Self::NoDevice;
        }
        if user::may_read_and_write(path) {
            return Self::Allowed;
        }
        Self::Denied(Rights {
            mode: found.mode() & 0o777,
            owner: user::name_of(found.uid()),
            group: user::group_name(found.gid()),
            is_member: user::is_in_group(found.gid()),
            is_listed: user::is_listed_in_group(&user::name(), found.gid()),
        })
    }
}

impl Rights {
    /// In words.
    pub(super) fn describe(&self) -> String {
        let group = self.group.as_deref().unwrap_or("a group without a name");
        format!("it belongs to {} and {group}, mode {:03o}", self.owner, self.mode)
    }

    /// What lets `user` open it; `usual` is the group that such devices have on Debian, `kernel_name` the name that udev's
    /// rules know it by (`ttyUSB*`).
    pub(super) fn mend(&self, user: &str, usual: &str, kernel_name: &str) -> String {
        let group = self.group.as_deref().filter(|group| *group != "root");
        let lets_group_in = self.mode & 0o060 == 0o060;
        match group {
            Some(group) if lets_group_in && self.is_listed && !self.is_member => {
                format!("newgrp {group}   # {user} is in the group already: this, or logging in again, makes it count")
            }
            Some(group) if lets_group_in && !self.is_member => {
                format!("sudo usermod -aG {group} {user}   # then log in again")
            }
            // The device is for root alone: udev must give it to a group first.
            _ => {
                let rule = format!("KERNEL==\"{kernel_name}\", GROUP=\"{usual}\", MODE=\"0660\"");
                format!(
                    "sudo groupadd -f -r {usual} && sudo usermod -aG {usual} {user}   # then log in again\n\
                     echo '{rule}' | sudo tee /etc/udev/rules.d/60-pinring-{usual}.rules\n\
                     sudo udevadm control --reload && sudo udevadm trigger"
                )
            }
        }
    }
}

/// The name with its number as a star: `ttyUSB*`.
pub(super) fn pattern(name: &str) -> String {
    format!("{}*", name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(mode: u32, group: &str) -> Rights {
        Rights { mode, owner: "root".into(), group: Some(group.into()), is_member: false, is_listed: false }
    }

    #[test]
    fn whoever_is_not_in_the_group_is_told_how_to_get_in() {
        let rights = rights(0o660, "dialout");
        assert_eq!(rights.mend("pi", "dialout", "ttyUSB*"), "sudo usermod -aG dialout pi   # then log in again");
        assert_eq!(rights.describe(), "it belongs to root and dialout, mode 660");
    }

    #[test]
    fn whoever_is_in_it_since_he_logged_in_is_told_so() {
        let rights = Rights { is_listed: true, ..rights(0o660, "dialout") };
        assert!(rights.mend("pi", "dialout", "ttyUSB*").starts_with("newgrp dialout"));
    }

    #[test]
    fn a_device_for_root_alone_needs_a_rule() {
        for rights in [rights(0o600, "root"), rights(0o600, "gpio"), Rights { group: None, ..rights(0o660, "x") }] {
            let mend = rights.mend("pi", "gpio", &pattern("gpiochip0"));
            assert!(mend.contains("echo 'KERNEL==\"gpiochip*\", GROUP=\"gpio\", MODE=\"0660\"'"), "{mend}");
        }
    }

    #[test]
    fn a_look_tells_devices_from_files_and_from_nothing() {
        assert_eq!(Access::look(Path::new("/dev/null")), Access::Allowed);
        assert_eq!(Access::look(Path::new("/proc/self/status")), Access::NoDevice);
        assert_eq!(Access::look(Path::new("/dev/there-is-no-such-device")), Access::Absent);
    }
}
