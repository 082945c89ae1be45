//! The cores there are.

use std::num::NonZeroUsize;

use crate::topology::Topology;

/// A physical core, by the hardware thread that one would use of it.
///
/// ```
/// use pinring::multi::{Process, available_cores};
///
/// let core = available_cores()[0];
/// Process::builder().core(core).spawn(|| ())?.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Core {
    /// Number of the hardware thread, as in `/sys/devices/system/cpu`.
    pub cpu: usize,
}

impl Core {
    /// As a number, in what tells a process how it is to start: 0 is none.
    pub(super) fn pack(core: Option<Self>) -> u64 {
        core.map_or(0, |core| core.cpu as u64 + 1)
    }

    /// The other way round; a number has 32 bits.
    pub(super) fn unpack(number: u64) -> Option<Self> {
        let cpu = usize::try_from(number & u64::from(u32::MAX)).ok()?.checked_sub(1)?;
        Some(Self { cpu })
    }
}

/// How many hardware threads the machine has, whoever may use them: Python's meaning. See [`available_cores`] for what is useful.
#[doc(alias = "os.cpu_count")]
pub fn cpu_count() -> NonZeroUsize {
    NonZeroUsize::new(crate::sys::affinity::online()).unwrap_or(NonZeroUsize::MIN)
}

/// The physical cores that this process may use, one hardware thread of each: of what the affinity mask and the cgroup's cpuset allow, as
/// many as the cgroup's quota is worth. Never empty.
#[doc(alias = "process_cpu_count")]
pub fn available_cores() -> Vec<Core> {
    let Ok(topology) = Topology::detect() else { return vec![Core::default()] };
    let quota = topology.quota.map_or(usize::MAX, |quota| {
        (1..).find(|cores| f64::from(*cores) >= quota).map_or(1, |cores: u32| cores as usize)
    });
    let cores: Vec<Core> = topology.allowed().map(|core| Core { cpu: core.id }).take(quota).collect();
    if cores.is_empty() { vec![Core::default()] } else { cores }
}
