//! What the sinks of a system have written, for its closing report.

use std::path::PathBuf;

use super::emitter::Counters;
use super::regions::cell_size;
use super::system::System;
use crate::prim::Ordering;
use crate::ring::{Cells, IntentWords};
use crate::shm::SharedRef;

/// Files and doubts of all sinks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The files with their sizes in bytes; 0 for one that is no longer there.
    pub files: Vec<(PathBuf, u64)>,
    /// One sentence for each thing that went wrong with what was written, beginning with the sink's name.
    pub remarks: Vec<String>,
}

impl System {
    /// Asks every sink, with its committed state.
    pub fn written(&self) -> Written {
        let mut written = Written::default();
        for node in 0..self.nodes.len() {
            let (name, super::NodeKind::Sink(sink)) = &self.nodes[node] else { continue };
            let state = self.state(node);
            let state = bytemuck::cast_slice(&state);
            let state = &state[size_of::<Counters>()..][..self.plan.nodes[node].state_size];
            let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
            written
                .files
                .extend(sink.files(state).into_iter().map(|path| (size(&path), path)).map(|(size, path)| (path, size)));
            written.remarks.extend(sink.remarks(state).into_iter().map(|remark| format!("{name}: {remark}")));
        }
        written
    }

    /// A node's committed cell: its counters, then its state.
    fn state(&self, node: usize) -> Vec<u64> {
        let size = cell_size(&self.plan.nodes[node]);
        let cells = Cells::new(&self.segment, self.regions.nodes[node].cells, size);
        let intent: SharedRef<IntentWords> = self.segment.shared(self.regions.nodes[node].intent);
        let mut words = vec![0; size / 8];
        // ORDER(step): Acquire; the system has stopped, or is looked at by chance.
        cells.observe(intent.step.load(Ordering::Acquire), &mut words);
        words
    }
}
