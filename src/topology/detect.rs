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

const CPUS: &str = "sys/devices/system/cpu";

/// The capacity of the fastest core, as the kernel scales it.
const FULL: u32 = 1024;

impl Topology {
    /// Looks at the machine this process runs on.
    ///
    /// # Errors
    /// If sysfs is not there.
    pub fn detect() -> Result<Self, TopologyError> {
        let root = Path::new("/");
        let cpus = root.join(CPUS);
        let mut usable = affinity::allowed().map_err(TopologyError::Affinity)?;
        let hidden = hidden_by_isolation(&usable, &list(&cpus.join("online"))?, &optional_list(&cpus.join("isolated")));
        // The kernel has the last word: a container's cpuset may stand in the way.
        usable.extend(affinity::reachable(&hidden).map_err(TopologyError::Affinity)?);
        usable.sort_unstable();
        Self::from_root(root, &usable)
    }

    /// Looks at the tree below `root` (`sys/devices/system/cpu`, `sys/fs/cgroup`, `proc/self/cgroup`), for a process that may
    /// use the hardware threads `affinity`.
    ///
    /// # Errors
    /// If the tree lacks what every kernel shows, or no core is allowed.
    pub fn from_root(root: &Path, affinity: &[usize]) -> Result<Self, TopologyError> {
        let cpus = root.join(CPUS);
        let online = list(&cpus.join("online"))?;
        let isolated = optional_list(&cpus.join("isolated"));
        let tickless = optional_list(&cpus.join("nohz_full"));
        let knows_tickless = cpus.join("nohz_full").exists();
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
        Ok(Self { cores, affinity: affinity.to_vec(), cpuset, quota: quota(root), tickless, knows_tickless })
    }
}

/// The isolated threads that a process lacks in its mask only because of `isolcpus`.
///
/// With it the kernel starts init on the other threads (`sched_init_smp`), and every process inherits that mask; pinning to
/// an isolated thread is nevertheless what they are for. A mask that is narrower than that is somebody's wish (taskset,
/// `CPUAffinity=`) and is kept.
fn hidden_by_isolation(mask: &[usize], online: &[usize], isolated: &[usize]) -> Vec<usize> {
    let (kept, open): (Vec<usize>, Vec<usize>) = online.iter().partition(|cpu| isolated.contains(cpu));
    let is_default = mask.iter().filter(|cpu| online.contains(cpu)).eq(open.iter());
    if is_default { kept } else { Vec::new() }
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
    let package = number("topology/physical_package_id").filter(|id| *id >= 0).unwrap_or(0);
    // -1 or 65535: the kernel knows no cluster. Kernels before 5.16 have no such file; on ARM they call a cluster a package.
    let cluster = number("topology/cluster_id").filter(|id| (0..0xFFFF).contains(id)).unwrap_or(package);
    Core {
        id: id.unwrap_or(cpu),
        isolated: id.is_some_and(|id| isolated.contains(&id)),
        allowed: id.is_some(),
        siblings,
        cluster: usize::try_from(cluster).unwrap_or(0),
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

    /// Files of one hardware thread: capacity, highest clock in kHz, cluster and package; what a kernel lacks is `None`.
    type Thread = (Option<u32>, Option<u32>, Option<i64>, i64);

    /// A board whose threads are cores of their own.
    fn board(threads: &[Thread]) -> tempfile::TempDir {
        let siblings: Vec<String> = (0..threads.len()).map(|cpu| cpu.to_string()).collect();
        let rows: Vec<_> = siblings.iter().map(String::as_str).zip(threads).collect();
        let rows: Vec<_> = rows.iter().map(|(own, thread)| (*own, thread.0, thread.2.unwrap_or(-1))).collect();
        let root = tree(&rows, "\n");
        for (cpu, (_, clock, cluster, package)) in threads.iter().enumerate() {
            let own = root.path().join(CPUS).join(format!("cpu{cpu}"));
            fs::write(own.join("topology/physical_package_id"), format!("{package}\n")).unwrap();
            if cluster.is_none() {
                fs::remove_file(own.join("topology/cluster_id")).unwrap();
            }
            if let Some(clock) = clock {
                fs::create_dir_all(own.join("cpufreq")).unwrap();
                fs::write(own.join("cpufreq/cpuinfo_max_freq"), format!("{clock}\n")).unwrap();
            }
        }
        root
    }

    /// A board's name, its threads, and the capacity and cluster that each of its cores must be given.
    type Case = (&'static str, Vec<Thread>, Vec<(u32, usize)>);

    #[test]
    fn boards_are_read_as_their_kernels_show_them() {
        let little = |cluster, package| (Some(414), Some(1_800_000), cluster, package);
        let big = |cluster, package| (Some(1024), Some(2_400_000), cluster, package);
        let cases: [Case; 5] = [
            ("Pi 4, 32-bit kernel", vec![(None, Some(1_500_000), None, 0); 4], vec![(1024, 0); 4]),
            ("Pi 5", vec![(Some(1024), Some(2_400_000), Some(0), 0); 4], vec![(1024, 0); 4]),
            (
                "Orange Pi 5, mainline: three clusters",
                [vec![little(Some(0), 0); 4], vec![big(Some(1), 0); 2], vec![big(Some(2), 0); 2]].concat(),
                [vec![(414, 0); 4], vec![(1024, 1); 2], vec![(1024, 2); 2]].concat(),
            ),
            (
                "Orange Pi 5, 5.10: clusters shown as packages",
                [vec![little(None, 0); 4], vec![big(None, 1); 2], vec![big(None, 2); 2]].concat(),
                [vec![(414, 0); 4], vec![(1024, 1); 2], vec![(1024, 2); 2]].concat(),
            ),
            (
                "x86 with fast and slow cores, told apart by their clocks",
                vec![(None, Some(4_800_000), Some(65_535), 0), (None, Some(3_600_000), Some(65_535), 0)],
                vec![(1024, 0), (768, 0)],
            ),
        ];
        for (name, threads, expected) in cases {
            let root = board(&threads);
            let topology = Topology::from_root(root.path(), &(0..threads.len()).collect::<Vec<_>>()).unwrap();
            let found: Vec<_> = topology.cores.iter().map(|core| (core.capacity, core.cluster)).collect();
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn isolated_cores_are_marked() {
        let root = tree(&[("0", None, 0), ("1", None, 0), ("2", None, 0)], "1-2\n");
        fs::write(root.path().join(CPUS).join("nohz_full"), "2\n").unwrap();
        let topology = Topology::from_root(root.path(), &[0, 1, 2]).unwrap();
        assert_eq!(topology.cores.iter().map(|core| core.isolated).collect::<Vec<_>>(), [false, true, true]);
        assert_eq!((topology.tickless, topology.knows_tickless), (vec![2], true));
    }

    #[test]
    fn isolcpus_does_not_put_its_cores_out_of_reach() {
        let online = [0, 1, 2, 3];
        assert_eq!(hidden_by_isolation(&[0, 1], &online, &[2, 3]), [2, 3], "the mask every process inherits");
        assert!(hidden_by_isolation(&[0], &online, &[2, 3]).is_empty(), "narrowed by somebody");
        assert!(hidden_by_isolation(&[0, 1, 2], &online, &[2, 3]).is_empty(), "chosen by somebody");
        assert!(hidden_by_isolation(&online, &online, &[]).is_empty());
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
