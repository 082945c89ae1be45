//! The machine's cores, as far as workers care.

/// A physical core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// Number of its first allowed hardware thread (its first, if none is allowed): what a worker is pinned to.
    pub id: usize,
    /// All its hardware threads, itself included.
    pub siblings: Vec<usize>,
    /// Which cluster it belongs to (cores that share a cache or a clock).
    pub cluster: usize,
    /// Which package it belongs to.
    pub package: usize,
    /// Computing power as the kernel weighs it; 1024 is the fastest core of the machine.
    pub capacity: u32,
    /// Whether the scheduler keeps other work away from it (isolcpus).
    pub isolated: bool,
    /// Whether this process may run there: affinity mask and cgroup.
    pub allowed: bool,
}

/// The cores of the machine, by number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    /// The cores.
    pub cores: Vec<Core>,
    /// Hardware threads that this process may use: its affinity mask, and the isolated ones that `isolcpus` took out of
    /// every process's mask but that a worker can still be pinned to.
    pub affinity: Vec<usize>,
    /// Hardware threads that the cgroup's cpuset allows, where there is one.
    pub cpuset: Option<Vec<usize>>,
    /// CPU time the cgroup allows, in cores, where it is limited.
    pub quota: Option<f64>,
    /// Hardware threads without a timer tick (nohz_full).
    pub tickless: Vec<usize>,
    /// Whether this kernel knows nohz_full at all (CONFIG_NO_HZ_FULL).
    pub knows_tickless: bool,
}

impl Topology {
    /// The cores this process may use.
    pub fn allowed(&self) -> impl Iterator<Item = &Core> {
        self.cores.iter().filter(|core| core.allowed)
    }

    /// The core that hardware thread `cpu` belongs to.
    pub fn core_of(&self, cpu: usize) -> Option<&Core> {
        self.cores.iter().find(|core| core.siblings.contains(&cpu))
    }
}
