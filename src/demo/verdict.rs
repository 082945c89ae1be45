//! What became of every frame: the instruments' books against what was recorded.

use std::path::PathBuf;

use super::files::{Rows, check_rows};
use super::ledger::{Count, Instrument, Ledger};
use crate::pipeline::{EdgeStatus, Plan, Report, Status};

/// One instrument's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Which.
    pub instrument: Instrument,
    /// Frames it sent.
    pub sent: u64,
    /// Frames the port's source received whole.
    pub received: u64,
    /// Frames refused, at the port or by the decoder, because their checksum was wrong.
    pub rejected: u64,
    /// Of the frames sent, those in the cable when it was pulled.
    pub in_cable: u64,
    /// Frames that arrived in a recorded file (for the GPS, whose sentences make one fix together: the sentences).
    pub recorded: u64,
    /// Frames dropped by an overflow policy, or not taken by a line that was full for seconds.
    pub dropped: u64,
    /// Frames still under way at the end: the sink could not take them (a full disk).
    pub left: u64,
    /// Frames that nothing explains.
    pub unexplained: u64,
}

/// Names in the demo's configuration: the port's source, the decoder, and the node whose file holds every frame.
fn nodes(instrument: Instrument) -> [&'static str; 3] {
    match instrument {
        Instrument::Gps => ["gps-port", "gps", "gps-port"],
        Instrument::Imu => ["imu-port", "motion", "imu"],
        Instrument::Weather => ["weather-port", "weather", "weather"],
    }
}

/// The account of each instrument.
pub fn accounts(plan: &Plan, status: &Status, ledger: &Ledger) -> Vec<Account> {
    let place = |name: &str| plan.nodes.iter().position(|node| node.name == name);
    let account = |instrument: Instrument| {
        let [port, decoder, recorded] = nodes(instrument).map(place);
        let (port, decoder, recorded) = (port?, decoder?, recorded?);
        let sink = status.edges.iter().find(|edge| edge.from == recorded && plan.nodes[edge.to].schema.is_none())?;
        let (at_port, decoded) = (&status.nodes[port].counters, &status.nodes[decoder].counters);
        let sent = ledger.get(instrument, Count::Sent);
        let in_cable = ledger.get(instrument, Count::LostInCable);
        let path = [port, decoder, recorded];
        // The GPS's sentences are recorded before they are decoded; the others after.
        let leads_on = |edge: &&EdgeStatus| recorded != port && path.contains(&edge.from) && path.contains(&edge.to);
        let way: Vec<&EdgeStatus> = status.edges.iter().filter(leads_on).chain([sink]).collect();
        let dropped: u64 = way.iter().map(|edge| edge.dropped).sum();
        let left: u64 = way.iter().map(|edge| edge.waiting).sum();
        // A raw recording holds the damaged frames as well.
        let refused_before_file = at_port.rejected + if recorded == port { 0 } else { decoded.rejected };
        Some(Account {
            instrument,
            sent,
            received: at_port.emitted,
            rejected: at_port.rejected + decoded.rejected,
            in_cable,
            recorded: sink.consumed,
            dropped: dropped + ledger.get(instrument, Count::NotAccepted),
            left,
            unexplained: sent.abs_diff(in_cable + refused_before_file + sink.consumed + dropped + left),
        })
    };
    Instrument::ALL.into_iter().filter_map(account).collect()
}

/// A recorded file, looked into.
#[derive(Debug)]
pub struct Checked {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its rows, or why it could not be read.
    pub rows: std::io::Result<Rows>,
}

impl Checked {
    /// Looks into every file.
    pub fn all(files: Vec<(PathBuf, u64)>) -> Vec<Self> {
        files.into_iter().map(|(path, bytes)| Self { rows: check_rows(&path), path, bytes }).collect()
    }

    /// Whether the rows count up without a gap or a repeat.
    pub fn is_whole(&self) -> bool {
        self.rows.as_ref().is_ok_and(|rows| rows.broken.is_none())
    }

    /// `1 200 rows, complete`, or what is wrong.
    pub fn remark(&self) -> String {
        match &self.rows {
            Ok(Rows { broken: Some((line, found, expected)), .. }) => {
                format!("BROKEN at line {line}: number {found}, expected {expected}")
            }
            Ok(rows) => format!("{} rows, none missing, none twice", crate::dash::count(rows.count())),
            Err(error) => format!("cannot be read: {error}"),
        }
    }
}

/// Losses that nothing explains, of frames, of messages between nodes, and of rows.
pub fn unexplained(accounts: &[Account], report: &Report, files: &[Checked]) -> u64 {
    let frames: u64 = accounts.iter().map(|account| account.unexplained).sum();
    let broken = files.iter().filter(|file| !file.is_whole()).count() as u64;
    frames + report.unexplained_loss() + broken
}
