//! What the kernel's command line should say for undisturbed workers, and what it does say.

use std::fmt;

use super::board::Board;
use super::core::Topology;
use super::cpulist::format_cpulist;

/// The words for the kernel's command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// All of them.
    pub wanted: String,
    /// Those that the present command line lacks.
    pub missing: Vec<String>,
    /// Words of the present command line that say something else than the wanted ones of the same name.
    pub other: Vec<String>,
}

impl Advice {
    /// What to add on `board`, beside what `present` says already.
    pub fn new(board: &Board, topology: &Topology, present: &str) -> Self {
        // All threads of the last core: a busy sibling disturbs as much as a busy core.
        let last = topology.cores.last().map_or_else(String::new, |core| format_cpulist(&core.siblings));
        Self::compare(board.command_line.replace("LAST", &last), present)
    }

    fn compare(wanted: String, present: &str) -> Self {
        let key = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
        let (mut missing, mut other) = (Vec::new(), Vec::new());
        for word in wanted.split_whitespace() {
            match present.split_whitespace().find(|own| key(own) == key(word)) {
                None => missing.push(word.to_owned()),
                Some(own) if own != word => other.push(own.to_owned()),
                Some(_) => {}
            }
        }
        Self { wanted, missing, other }
    }
}

/// Of each wanted word: that it is missing, is set, or is set otherwise.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |title: &str, words: &[String]| (!words.is_empty()).then(|| format!("{title}: {}", words.join(" ")));
        let parts: Vec<String> =
            [part("missing", &self.missing), part("set otherwise", &self.other)].into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "set already" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(wanted: &str, present: &str) -> String {
        Advice::compare(wanted.into(), present).to_string()
    }

    #[test]
    fn a_command_line_that_is_set_is_called_set() {
        assert_eq!(shown("isolcpus=3 threadirqs", "threadirqs isolcpus=3"), "set already");
        assert_eq!(shown("threadirqs", ""), "missing: threadirqs");
        assert_eq!(shown("isolcpus=3 threadirqs", "isolcpus=2"), "missing: threadirqs; set otherwise: isolcpus=2");
    }
}
