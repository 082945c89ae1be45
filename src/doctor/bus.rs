//! The buses sensors hang on: GPIO, I2C, SPI.

use std::path::{Path, PathBuf};

use super::device::{Access, pattern};
use super::finding::{Finding, Level};
use super::read;
use crate::sys::user;

const WHY: &str = "sensors on this bus can only be read by those who may open it";

/// Checks, which are the groups on Debian and Raspberry Pi OS as well, and how their devices' names begin.
const KINDS: [(&str, &str); 3] = [("gpio", "gpiochip"), ("i2c", "i2c-"), ("spi", "spidev")];

/// The devices of each kind that there are, and who may open them.
pub(super) fn look(root: &Path) -> Vec<(&'static str, Vec<(PathBuf, Access)>)> {
    let devices = read::entries(root, "dev");
    let of_kind = |prefix: &str| {
        let own = devices.iter().filter(|path| read::name(path).starts_with(prefix));
        own.map(|path| (path.clone(), Access::look(path))).collect()
    };
    KINDS.map(|(kind, prefix)| (kind, of_kind(prefix))).into()
}

/// One finding for each kind that this machine has.
pub(super) fn judge(kinds: &[(&'static str, Vec<(PathBuf, Access)>)]) -> Vec<Finding> {
    let present = kinds.iter().filter(|(_, devices)| !devices.is_empty());
    present.map(|(kind, devices)| one(kind, devices, &user::name())).collect()
}

fn one(kind: &'static str, devices: &[(PathBuf, Access)], user: &str) -> Finding {
    for (path, access) in devices {
        if let Access::Denied(rights) = access {
            let found = format!("{}: `{user}` may not open it; {}", path.display(), rights.describe());
            let mend = rights.mend(user, kind, &pattern(&read::name(path)));
            // No more than a note: nothing says that this pipeline reads such sensors.
            return Finding::new(kind, Level::Note, found, WHY).mend(mend);
        }
    }
    if let Some((path, Access::Unseen(error))) = devices.iter().find(|(_, access)| matches!(access, Access::Unseen(_)))
    {
        return Finding::new(kind, Level::Unknown, format!("{} cannot be looked at: {error}", path.display()), WHY);
    }
    let names: Vec<String> = devices.iter().map(|(path, _)| path.display().to_string()).collect();
    Finding::new(kind, Level::Ok, format!("{} can be opened", names.join(", ")), WHY)
}

#[cfg(test)]
mod tests {
    use super::super::device::Rights;
    use super::*;

    fn rights(mode: u32, group: &str) -> Access {
        let group = Some(group.to_owned());
        Access::Denied(Rights { mode, owner: "root".into(), group, is_member: false, is_listed: false })
    }

    #[test]
    fn a_bus_for_others_is_a_note_with_the_group_to_join() {
        let devices = [("/dev/i2c-0".into(), Access::Allowed), ("/dev/i2c-1".into(), rights(0o660, "i2c"))];
        let finding = one("i2c", &devices, "pi");
        assert_eq!(
            (finding.level, finding.mend.as_str()),
            (Level::Note, "sudo usermod -aG i2c pi   # then log in again")
        );
        assert_eq!(one("i2c", &devices[..1], "pi").found, "/dev/i2c-0 can be opened");
    }

    #[test]
    fn what_the_machine_does_not_have_is_not_mentioned() {
        let root = read::fake::machine(&[("dev/spidev0.0", ""), ("dev/null", "")]);
        let kinds = look(root.path());
        let counts: Vec<_> = kinds.iter().map(|(kind, devices)| (*kind, devices.len())).collect();
        assert_eq!(counts, [("gpio", 0), ("i2c", 0), ("spi", 1)]);
        assert_eq!(judge(&kinds).len(), 1);
    }
}
