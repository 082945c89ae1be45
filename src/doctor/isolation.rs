//! Whether a core is kept free for workers, as `pinring topology` advises.

use super::boot::Boot;
use super::finding::{Finding, Level};
use crate::topology::{Advice, Topology};

const CHECK: &str = "isolated cores";
const WHY: &str = "on a core that the scheduler shares out, other programs and the timer tick delay a worker";

/// What is known of the command line and of what came of it.
#[derive(Clone, Debug)]
pub(super) struct IsolationFacts {
    pub(super) advice: Advice,
    /// Physical cores.
    pub(super) cores: usize,
    /// Hardware threads that are isolated.
    pub(super) isolated: Vec<usize>,
    pub(super) knows_tickless: bool,
}

impl IsolationFacts {
    pub(super) fn new(topology: &Topology, advice: Advice) -> Self {
        let isolated = topology.cores.iter().filter(|core| core.isolated).map(|core| core.id).collect();
        Self { advice, cores: topology.cores.len(), isolated, knows_tickless: topology.knows_tickless }
    }
}

/// `Err`: why the cores or the command line are not known.
pub(super) fn judge(facts: &Result<IsolationFacts, String>, boot: Boot) -> Finding {
    let finding = |level, found: String| Finding::new(CHECK, level, found, WHY);
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => return finding(Level::Unknown, error.clone()),
    };
    let isolates = facts.advice.wanted.contains("isolcpus");
    if isolates && facts.cores < 2 {
        return finding(Level::Ok, "there is one core only, nothing to keep free".into());
    }
    // A kernel without nohz_full would take the words and ignore them.
    let missing = facts.advice.missing.iter().filter(|word| facts.knows_tickless || !word.starts_with("nohz_full"));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    let other = &facts.advice.other;
    if missing.is_empty() {
        let set = if other.is_empty() { "as advised".to_owned() } else { format!("set by hand: {}", other.join(" ")) };
        return finding(Level::Ok, format!("the kernel's command line is {set}"));
    }
    let lack = missing.join(" ");
    let found = if isolates && facts.isolated.is_empty() {
        format!("no core is kept free; the kernel's command line lacks {lack}")
    } else {
        format!("the kernel's command line lacks {lack}")
    };
    finding(Level::Note, found).mend(boot.add(&lack))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(missing: &[&str], other: &[&str], cores: usize) -> IsolationFacts {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        let advice = Advice { wanted: "isolcpus=3 nohz_full=3".into(), missing: words(missing), other: words(other) };
        IsolationFacts { advice, cores, isolated: Vec::new(), knows_tickless: true }
    }

    fn known(missing: &[&str], other: &[&str], cores: usize) -> Result<IsolationFacts, String> {
        Ok(facts(missing, other, cores))
    }

    #[test]
    fn what_is_missing_is_added_where_this_machine_keeps_it() {
        let finding = judge(&known(&["isolcpus=3", "nohz_full=3"], &[], 4), Boot::CommandLine("/boot/cmdline.txt"));
        assert_eq!(finding.level, Level::Note);
        assert_eq!(finding.mend, "sudo sed -i '1s/$/ isolcpus=3 nohz_full=3/' /boot/cmdline.txt && sudo reboot");
    }

    #[test]
    fn what_is_set_and_what_cannot_be_set_is_fine() {
        assert_eq!(judge(&known(&[], &[], 4), Boot::Grub).level, Level::Ok);
        assert!(judge(&known(&[], &["isolcpus=2"], 4), Boot::Grub).found.contains("set by hand: isolcpus=2"));
        assert_eq!(judge(&known(&["isolcpus=3"], &[], 1), Boot::Grub).level, Level::Ok);
        assert_eq!(judge(&Err("no /sys".into()), Boot::Grub).level, Level::Unknown);
        let old = IsolationFacts { knows_tickless: false, ..facts(&["nohz_full=3"], &[], 4) };
        assert_eq!(judge(&Ok(old), Boot::Grub).level, Level::Ok);
    }
}
