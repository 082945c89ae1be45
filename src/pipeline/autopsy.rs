//! What is known of a worker's last death: the cause, what it was doing, and what it said last.

use std::fmt;

use super::system::System;
use crate::message::{Header, Record};
use crate::process::ExitCause;
use crate::ring::Slots;
use crate::supervisor::Hang;
use crate::sys::clock::{monotonic_ns, realtime_ns};
use crate::trace::Flight;

/// How a worker died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastDeath {
    /// Its name.
    pub worker: String,
    /// Its pid.
    pub pid: i32,
    /// UTC in ns since 1970.
    pub utc_ns: i64,
    /// Which incarnation it was.
    pub incarnation: u64,
    /// How it ended.
    pub cause: String,
    /// Why it was told to abort.
    pub hang: Option<Hang>,
    /// The node whose step was under way.
    pub node: Option<String>,
    /// The message that step had in hand: whose it was, and what it said.
    pub message: Option<String>,
    /// What it said last.
    pub last_words: String,
    /// Its last events, oldest first: seconds before its death, and what.
    pub events: Vec<String>,
}

impl fmt::Display for LastDeath {
    /// One sentence, without the events.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        if let Some(hang) = self.hang {
            write!(f, " after it hung: {hang}")?;
        }
        if let Some(node) = &self.node {
            write!(f, "; in a step of node `{node}`")?;
        }
        if let Some(message) = &self.message {
            write!(f, " at message {message}")?;
        }
        if !self.last_words.is_empty() {
            write!(f, "; last words: {}", self.last_words.replace('\n', " "))?;
        }
        Ok(())
    }
}

/// What is kept of a dead worker: taken before its successor writes there, put into words when somebody asks.
#[derive(Debug)]
pub(super) struct Remains {
    pid: i32,
    utc_ns: i64,
    /// CLOCK_MONOTONIC.
    at_ns: u64,
    incarnation: u64,
    cause: ExitCause,
    hang: Option<Hang>,
    flight: Flight,
    node: Option<usize>,
    /// The message in hand: the node it came from, and its slot.
    message: Option<(usize, Vec<u64>)>,
}

impl System {
    /// How a worker died last.
    pub fn last_death(&self, worker: usize) -> Option<LastDeath> {
        let remains = self.deaths[worker].as_ref()?;
        Some(LastDeath {
            worker: self.plan.workers[worker].name.clone(),
            pid: remains.pid,
            utc_ns: remains.utc_ns,
            incarnation: remains.incarnation,
            cause: remains.cause.to_string(),
            hang: remains.hang,
            node: remains.node.map(|node| self.plan.nodes[node].name.clone()),
            message: remains.message.as_ref().and_then(|(from, slot)| self.in_words(*from, slot)),
            events: self.events(remains),
            last_words: remains.flight.last_words.clone(),
        })
    }

    /// Takes what the dead left in the segment, before its successor writes there.
    pub(super) fn look_at_the_dead(&self, worker: usize, pid: i32, cause: ExitCause, hang: Option<Hang>) -> Remains {
        let flight = self.flights[worker].read();
        let node = flight.node.filter(|node| self.plan.nodes.get(*node).is_some_and(|node| node.worker == worker));
        Remains {
            pid,
            utc_ns: realtime_ns(),
            at_ns: monotonic_ns(),
            incarnation: self.words[worker].incarnation(),
            cause,
            hang,
            node,
            message: node.and_then(|node| self.in_hand(node, &flight)),
            flight,
        }
    }

    fn events(&self, remains: &Remains) -> Vec<String> {
        let line = |event: &crate::trace::Flown| {
            #[expect(clippy::cast_precision_loss, reason = "shown to the millisecond")]
            let ago = remains.at_ns.saturating_sub(event.at_ns) as f64 / 1e9;
            let node = event.node.and_then(|node| self.plan.nodes.get(node));
            let node = node.map_or_else(String::new, |node| format!("{} ", node.name));
            let value = if event.value == 0 { String::new() } else { format!(" {}", event.value) };
            format!("-{ago:.3}s {node}{}{value}", event.event.word())
        };
        remains.flight.events.iter().map(line).collect()
    }

    /// The message that the step of `node` was handling: it was not committed, so it is still in its ring.
    fn in_hand(&self, node: usize, flight: &Flight) -> Option<(usize, Vec<u64>)> {
        let (input, position) = flight.message?;
        let edge = *self.plan.nodes[node].inputs.get(input)?;
        let (planned, lane) = (&self.plan.edges[edge], self.regions.lanes[edge]);
        let status = self.edge_status(edge);
        let head = status.published.wrapping_sub(status.waiting);
        if position.wrapping_sub(head) >= status.waiting {
            return None;
        }
        let mut slot = vec![0u64; planned.slot_size / 8];
        let slots = Slots::new(&self.segment, lane.slots, planned.depth, planned.slot_size);
        slots.copy_racing(position, bytemuck::cast_slice_mut(&mut slot));
        Some((planned.from, slot))
    }

    fn in_words(&self, from: usize, slot: &[u64]) -> Option<String> {
        let (header, payload) = bytemuck::cast_slice(slot).split_at(Header::SIZE);
        let from = &self.plan.nodes[from];
        let record = Record::new(from.schema.as_ref()?, bytemuck::from_bytes(header), payload).to_string();
        let shown: String = record.chars().take(200).collect();
        Some(format!("of `{}`: {shown}", from.name))
    }
}
