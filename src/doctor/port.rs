//! Serial ports: are they there, may they be opened, does somebody else have them.

use std::path::{Path, PathBuf};

use super::device::{Access, pattern};
use super::finding::{Finding, Level};
use super::read;
use crate::serial::PortInfo;
use crate::sys::user;

const CHECK: &str = "serial port";
const WHY: &str = "a port that cannot be opened gives no data";

/// A process that has a port open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pid: i32,
    name: String,
    /// The systemd service it is part of.
    service: Option<String>,
}

/// What is known of one port.
#[derive(Clone, Debug)]
pub(super) struct PortFacts {
    /// As the configuration or the machine calls it.
    name: PathBuf,
    /// Its device, after all links.
    device: PathBuf,
    /// Whether the configuration names it.
    is_named: bool,
    access: Access,
    holders: Vec<Holder>,
}

/// Looks at the ports that the configuration names, or at those the machine has.
pub(super) fn look(root: &Path, named: Option<&[PathBuf]>, found: &[PortInfo]) -> Vec<PortFacts> {
    let facts = |name: PathBuf, is_named: bool| {
        let device = name.canonicalize().unwrap_or_else(|_| name.clone());
        let info = found.iter().find(|info| info.device == device);
        let holders = info.into_iter().flat_map(|info| &info.holders);
        let holder = |(pid, name): &(i32, String)| Holder {
            pid: *pid,
            name: name.clone(),
            service: read::text(root, format!("proc/{pid}/cgroup")).and_then(|text| service(&text)),
        };
        PortFacts { access: Access::look(&name), holders: holders.map(holder).collect(), name, device, is_named }
    };
    match named {
        Some(named) => named.iter().map(|name| facts(name.clone(), true)).collect(),
        None => found.iter().map(|info| facts(info.device.clone(), false)).collect(),
    }
}

/// The system's service in /proc/PID/cgroup; a session of a user is none.
fn service(cgroup: &str) -> Option<String> {
    let path = cgroup.lines().next_back()?;
    let is_service = path.contains("/system.slice/") && path.ends_with(".service");
    is_service.then(|| path.rsplit('/').next().map(str::to_owned))?
}

pub(super) fn judge(ports: &[PortFacts]) -> Vec<Finding> {
    if ports.is_empty() {
        let found = "no serial port is here; `pinring demo` brings its own";
        return vec![Finding::new(CHECK, Level::Note, found, WHY)];
    }
    ports.iter().map(|port| one(port, &user::name())).collect()
}

fn one(port: &PortFacts, user: &str) -> Finding {
    let name = port.name.display();
    let bad = if port.is_named { Level::Fault } else { Level::Warning };
    let finding = |level, found: String| Finding::new(CHECK, level, found, WHY);
    match &port.access {
        Access::Absent => finding(bad, format!("{name} is not there"))
            .mend("pinring ports   # lists what is there; plug it in, or put its name into the configuration"),
        Access::NoDevice => finding(bad, format!("{name} is no serial port"))
            .mend("pinring ports   # lists those there are; put the right name into the configuration"),
        Access::Unseen(error) => finding(Level::Unknown, format!("{name} cannot be looked at: {error}")),
        Access::Denied(rights) => {
            let device = read::name(&port.device);
            finding(bad, format!("{name}: `{user}` may not open it; {}", rights.describe())).mend(rights.mend(
                user,
                "dialout",
                &pattern(&device),
            ))
        }
        Access::Allowed => held(port, finding),
    }
}

/// A port that may be opened, unless another program has it.
fn held(port: &PortFacts, finding: impl Fn(Level, String) -> Finding) -> Finding {
    let name = port.name.display();
    // pinring itself has it while it runs.
    let Some(holder) = port.holders.iter().find(|holder| !holder.name.starts_with("pinring")) else {
        return finding(Level::Ok, format!("{name} can be opened"));
    };
    let level = if port.is_named { Level::Fault } else { Level::Note };
    let mend = match &holder.service {
        Some(service) => format!("sudo systemctl disable --now {service}"),
        None => format!("sudo kill {}   # {}", holder.pid, holder.name),
    };
    finding(level, format!("{name} is held by {} (pid {})", holder.name, holder.pid)).mend(mend)
}

#[cfg(test)]
mod tests {
    use super::super::device::Rights;
    use super::*;

    fn port(access: Access, is_named: bool) -> PortFacts {
        let name = PathBuf::from("/dev/ttyUSB0");
        PortFacts { device: name.clone(), name, is_named, access, holders: Vec::new() }
    }

    #[test]
    fn a_port_one_may_not_open_is_worse_if_it_is_wanted() {
        let group = Some("dialout".to_owned());
        let rights = Rights { mode: 0o660, owner: "root".into(), group, is_member: false, is_listed: false };
        let denied = Access::Denied(rights);
        let finding = one(&port(denied.clone(), true), "pi");
        assert_eq!(finding.level, Level::Fault);
        assert_eq!(finding.mend, "sudo usermod -aG dialout pi   # then log in again");
        assert_eq!(one(&port(denied, false), "pi").level, Level::Warning);
    }

    #[test]
    fn what_is_away_and_what_is_no_port_is_said() {
        assert!(one(&port(Access::Absent, true), "pi").found.ends_with("is not there"));
        assert!(one(&port(Access::NoDevice, true), "pi").found.ends_with("is no serial port"));
        assert_eq!(one(&port(Access::Unseen("no".into()), true), "pi").level, Level::Unknown);
        assert_eq!(one(&port(Access::Allowed, true), "pi").level, Level::Ok);
        assert_eq!(judge(&[])[0].level, Level::Note);
    }

    #[test]
    fn a_port_that_another_program_has_is_named_with_its_service() {
        let holder = |name: &str, service: Option<&str>| Holder {
            pid: 77,
            name: name.into(),
            service: service.map(str::to_owned),
        };
        let mut held = port(Access::Allowed, true);
        held.holders = vec![holder("pinring", None)];
        assert_eq!(one(&held, "pi").level, Level::Ok);
        held.holders.push(holder("gpsd", Some("gpsd.service")));
        assert_eq!(one(&held, "pi").mend, "sudo systemctl disable --now gpsd.service");
        held.holders = vec![holder("minicom", None)];
        assert_eq!(one(&held, "pi").mend, "sudo kill 77   # minicom");
    }

    #[test]
    fn only_services_of_the_system_are_services() {
        assert_eq!(service("0::/system.slice/gpsd.service\n").as_deref(), Some("gpsd.service"));
        assert_eq!(service("0::/user.slice/user-1000.slice/user@1000.service"), None);
        assert_eq!(service("0::/user.slice/user-1000.slice/session-2.scope"), None);
    }
}
