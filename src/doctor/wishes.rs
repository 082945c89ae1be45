//! What a configuration asks of the machine.

use std::path::PathBuf;

use crate::pipeline::{Graph, NodeKind};
use crate::ring::Wait;

/// What a pipeline needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The ports it reads.
    pub ports: Vec<PathBuf>,
    /// The folders it writes to.
    pub folders: Vec<PathBuf>,
    /// How many nodes it has.
    pub nodes: usize,
    /// The highest real-time priority of its workers, if one has any.
    pub priority: Option<u8>,
    /// Whether its memory shall stay out of swap.
    pub lock_memory: bool,
    /// Whether a worker with such a priority never sleeps.
    pub never_sleeps: bool,
}

impl Wishes {
    /// What `graph` needs. Opens and starts nothing.
    pub fn of(graph: &Graph) -> Self {
        let mut wishes = Self { nodes: graph.nodes.len(), lock_memory: graph.realtime.lock_memory, ..Self::default() };
        for node in &graph.nodes {
            match &node.kind {
                NodeKind::Source(source) => wishes.ports.extend(source.device()),
                NodeKind::Stage(_) => {}
                NodeKind::Sink(sink) => wishes.folders.extend(sink.folder()),
            }
            let priority = node.priority.or(graph.realtime.priority);
            wishes.priority = wishes.priority.max(priority);
            wishes.never_sleeps |= priority.is_some() && node.wait.unwrap_or(graph.wait) == Wait::Busy;
        }
        wishes.folders.sort();
        wishes.folders.dedup();
        wishes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn a_configuration_says_what_it_needs() {
        let text = "[realtime]\npriority = 40\nlock_memory = true\n\
                    [[source]]\nname = \"gps\"\ntype = \"serial\"\nport = \"/dev/ttyS9\"\nbaud = 9600\n\
                    frame = { type = \"line\", max = 120 }\npriority = 60\nwait = \"busy\"\n\
                    [[sink]]\nname = \"log\"\ntype = \"csv\"\ninput = \"gps\"\npath = \"data/{input}.csv\"\n\
                    [[sink]]\nname = \"out\"\ntype = \"stdout\"\ninput = \"gps\"\n";
        let expected = Wishes {
            ports: vec!["/dev/ttyS9".into()],
            folders: vec!["data".into()],
            nodes: 3,
            priority: Some(60),
            lock_memory: true,
            never_sleeps: true,
        };
        let config = parse(text, "test").unwrap_or_else(|error| panic!("{}", error.render(false)));
        assert_eq!(Wishes::of(&config.graph), expected);
    }
}
