//! Reading the cores from sysfs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::core::{Core, Topology};
use super::cpulist::{CpuListError, parse_cpulist};
use crate::sys::affinity;

/// Why the machine could not be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// A file of sysfs could not be read.
    #[error("cannot read {path}: {source}; is /sys mounted?", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A file of sysfs holds something else than expected.
    #[error("{path}: {source}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CpuListError,
    },
    /// The affinity mask could not be read.
    #[error("cannot read this process's affinity mask: {0}")]
    Affinity(io::Error),
    /// No core is left to run on.
    #[error("this process may not use any core of this machine")]
    NoCore,
}

/// The capacity of the fastest core, as the kernel scales it.
const FULL: u32 = 1024;

impl Topology {
    /// Looks at the machine this process runs on.
    ///
    /// # Errors
    /// If sysfs is not there.
    pub fn detect() -> Result<Self, TopologyError> {
        let allowed = affinity::allowed().map_err(TopologyError::Affinity)?;
        Self::from_root(Path::new("/"), &allowed)
    }

    /// Looks at the tree below `root` (`sys/devices/system/cpu`, `sys/fs/cgroup`, `proc/self/cgroup`), for a process that may
    /// use the hardware threads `affinity`.
    ///
    /// # Errors
    /// If the tree lacks what every kernel shows, or no core is allowed.
    pub fn from_root(root: &Path, affinity: &[usize]) -> Result<Self, TopologyError> {
        let cpus = root.join("sys/devices/system/cpu");
        let online = list(&cpus.join("online"))?;
        let isolated = optional_list(&cpus.join("isolated"));
        let tickless = optional_list(&cpus.join("nohz_full"));
        let cpuset = cgroup_file(root, "cpuset.cpus.effective").and_then(|text| parse_cpulist(&text).ok());
        let cpuset = cpuset.filter(|cpus| !cpus.is_empty());
        let usable = |cpu: &usize| affinity.contains(cpu) && cpuset.as_ref().is_none_or(|set| set.contains(cpu));
        let mut cores: Vec<Core> = Vec::new();
        for cpu in &online {
            if cores.iter().any(|core| core.siblings.contains(cpu)) {
                continue;
            }
            cores.push(core(&cpus, *cpu, &online, &isolated, usable));
        }
        scale(&mut cores);
        if !cores.iter().any(|core| core.allowed) {
            return Err(TopologyError::NoCore);
        }
        Ok(Self { cores, affinity: affinity.to_vec(), cpuset, quota: quota(root), tickless })
    }
}

fn core(cpus: &Path, cpu: usize, online: &[usize], isolated: &[usize], usable: impl Fn(&usize) -> bool) -> Core {
    let own = cpus.join(format!("cpu{cpu}"));
    let number = |file: &str| -> Option<i64> { fs::read_to_string(own.join(file)).ok()?.trim().parse().ok() };
    let siblings = optional_list(&own.join("topology/thread_siblings_list"));
    let siblings: Vec<usize> = siblings.into_iter().filter(|sibling| online.contains(sibling)).collect();
    let siblings = if siblings.contains(&cpu) { siblings } else { vec![cpu] };
    let id = siblings.iter().copied().find(|sibling| usable(sibling));
    // Without cpu_capacity (x86) the highest clock tells fast cores from slow ones.
    let capacity = number("cpu_capacity").or_else(|| number("cpufreq/cpuinfo_max_freq")).unwrap_or(i64::from(FULL));
    // The kernel says -1 where it knows no cluster.
    let cluster = number("topology/cluster_id").filter(|id| *id >= 0);
    let package = number("topology/physical_package_id").filter(|id| *id >= 0).unwrap_or(0);
    Core {
        id: id.unwrap_or(cpu),
        isolated: id.is_some_and(|id| isolated.contains(&id)),
        allowed: id.is_some(),
        siblings,
        cluster: cluster.and_then(|id| usize::try_from(id).ok()).unwrap_or(0),
        package: usize::try_from(package).unwrap_or(0),
        capacity: u32::try_from(capacity).unwrap_or(FULL),
    }
}

/// Scales capacities so that the fastest core has 1024, whatever they were read from.
fn scale(cores: &mut [Core]) {
    let most = cores.iter().map(|core| core.capacity).max().unwrap_or(FULL).max(1);
    for core in cores {
        let scaled = u64::from(core.capacity) * u64::from(FULL) / u64::from(most);
        core.capacity = u32::try_from(scaled).unwrap_or(FULL);
    }
}

fn list(path: &Path) -> Result<Vec<usize>, TopologyError> {
    let text = fs::read_to_string(path).map_err(|source| TopologyError::Read { path: path.to_owned(), source })?;
    parse_cpulist(&text).map_err(|source| TopologyError::Content { path: path.to_owned(), source })
}

/// A list that not every kernel shows; ` (null)` is what some show for none.
fn optional_list(path: &Path) -> Vec<usize> {
    list(path).unwrap_or_default()
}

/// A file of the cgroup (v2) this process is in, or of the nearest ancestor that has it.
fn cgroup_file(root: &Path, file: &str) -> Option<String> {
    let own = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
    let mount = root.join("sys/fs/cgroup");
    Path::new(&path).ancestors().find_map(|ancestor| fs::read_to_string(mount.join(ancestor).join(file)).ok())
}

/// `cpu.max`: quota and period in microseconds, or `max`.
fn quota(root: &Path) -> Option<f64> {
    let text = cgroup_file(root, "cpu.max")?;
    let (quota, period) = text.trim().split_once(' ')?;
    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree as a kernel shows it: for each thread its siblings, capacity and cluster.
    fn tree(threads: &[(&str, Option<u32>, i64)], isolated: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let cpus = root.path().join("sys/devices/system/cpu");
        for (cpu, (siblings, capacity, cluster)) in threads.iter().enumerate() {
            let topology = cpus.join(format!("cpu{cpu}/topology"));
            fs::create_dir_all(&topology).unwrap();
            fs::write(topology.join("thread_siblings_list"), format!("{siblings}\n")).unwrap();
            fs::write(topology.join("cluster_id"), format!("{cluster}\n")).unwrap();
            if let Some(capacity) = capacity {
                fs::write(cpus.join(format!("cpu{cpu}/cpu_capacity")), format!("{capacity}\n")).unwrap();
            }
        }
        fs::write(cpus.join("online"), format!("0-{}\n", threads.len() - 1)).unwrap();
        fs::write(cpus.join("isolated"), isolated).unwrap();
        root
    }

    #[test]
    fn smt_siblings_are_one_core() {
        let root = tree(&[("0,2", None, -1), ("1,3", None, -1), ("0,2", None, -1), ("1,3", None, -1)], "\n");
        let topology = Topology::from_root(root.path(), &[0, 1, 2, 3]).unwrap();
        let ids: Vec<_> = topology.cores.iter().map(|core| (core.id, core.siblings.clone())).collect();
        assert_eq!(ids, [(0, vec![0, 2]), (1, vec![1, 3])]);
    }

    #[test]
    fn a_core_is_used_through_its_first_allowed_thread() {
        let root = tree(&[("0,2", None, -1), ("1,3", None, -1), ("0,2", None, -1), ("1,3", None, -1)], "\n");
        let topology = Topology::from_root(root.path(), &[2]).unwrap();
        let cores: Vec<_> = topology.cores.iter().map(|core| (core.id, core.allowed)).collect();
        assert_eq!(cores, [(2, true), (1, false)]);
        assert!(matches!(Topology::from_root(root.path(), &[9]), Err(TopologyError::NoCore)));
    }

    #[test]
    fn big_and_little_cores_are_told_apart() {
        let threads: Vec<String> = (0..8).map(|cpu| cpu.to_string()).collect();
        let rows = threads.iter().enumerate();
        let rows: Vec<_> = rows
            .map(|(cpu, own)| (own.as_str(), Some(if cpu < 4 { 414 } else { 1024 }), i64::from(cpu >= 4)))
            .collect();
        let root = tree(&rows, "4-5\n");
        let topology = Topology::from_root(root.path(), &(0..8).collect::<Vec<_>>()).unwrap();
        assert_eq!((topology.cores[0].capacity, topology.cores[0].cluster), (414, 0));
        assert_eq!((topology.cores[7].capacity, topology.cores[7].cluster), (1024, 1));
        let isolated: Vec<_> = topology.cores.iter().filter(|core| core.isolated).map(|core| core.id).collect();
        assert_eq!(isolated, [4, 5]);
    }

    #[test]
    fn the_cgroup_bounds_what_is_allowed() {
        let root = tree(&[("0", None, -1), ("1", None, -1)], "\n");
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::write(root.path().join("proc/self/cgroup"), "0::/system.slice/x.service\n").unwrap();
        let cgroup = root.path().join("sys/fs/cgroup/system.slice");
        fs::create_dir_all(&cgroup).unwrap();
        fs::write(cgroup.join("cpuset.cpus.effective"), "1\n").unwrap();
        fs::write(cgroup.join("cpu.max"), "150000 100000\n").unwrap();
        let topology = Topology::from_root(root.path(), &[0, 1]).unwrap();
        assert_eq!(topology.cores.iter().map(|core| core.allowed).collect::<Vec<_>>(), [false, true]);
        assert_eq!(topology.quota, Some(1.5));
    }

    #[test]
    fn this_machine_has_a_core() {
        assert!(Topology::detect().unwrap().allowed().count() >= 1);
    }
}
