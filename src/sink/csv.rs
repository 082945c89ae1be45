//! CSV files: one row per message, RFC 4180.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::csv_lane::Lane;
use super::csv_row::Row;
use super::naming::Naming;
use super::part::Ledger;
use crate::message::Record;
use crate::pipeline::{Input, PlanError, Sink};
use crate::sys::clock::realtime_ns;

/// Where and how CSV files are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    /// Path with placeholders: `{input}` (the node), `{date}` (UTC, `2026-01-31`) and `{time}` (UTC, `235959`), both of
    /// the file's first message. With `{input}` each input has its own file; without it all inputs need the same fields,
    /// and where there are several, a first column `input` names the one each row stems from. A name that exists
    /// gets `-2`, `-3` ... before its extension: no file of an earlier run is touched. Directories are made.
    pub path: String,
    /// A new file once this one has that many bytes; it exceeds them by at most one row.
    pub rotate_size: Option<u64>,
    /// A new file at each multiple of this in UTC. A `{date}` in the path makes one each day besides.
    pub rotate_every: Option<Duration>,
    /// How long rows may gather before they are written.
    pub flush: Duration,
    /// How long after a write it is made durable (fdatasync): what a power cut can take at most.
    pub sync: Duration,
}

impl CsvOptions {
    /// No rotation besides that of `{date}`; rows gather for 20 ms and are durable after a second.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            rotate_size: None,
            rotate_every: None,
            flush: Duration::from_millis(20),
            sync: Duration::from_secs(1),
        }
    }
}

/// Writes each message once, into files that a spreadsheet opens.
///
/// Columns are `seq`, `time_utc` (RFC 3339 with nanoseconds), `time_mono_s` (seconds since boot, nine decimals), then the
/// fields with their units: `lat [deg]`. A field that is called like one of the first is prefixed with `data_`. A
/// missing value is empty, bytes are hexadecimal, a float is the shortest text that reads back as itself, a time is RFC 3339.
/// Lines end with LF.
///
/// Rows are exactly once over any crash of the worker. A file that is removed, replaced or shortened while it
/// is written is reported, counted in the remarks, and a new one begun. When the disk is full the messages wait in the
/// rings and are written once there is space.
#[derive(Debug)]
pub struct Csv {
    options: CsvOptions,
    naming: Option<Naming>,
    lanes: Vec<Lane>,
}

impl Csv {
    /// A sink that writes as `options` say.
    pub fn new(options: CsvOptions) -> Self {
        Self { options, naming: None, lanes: Vec::new() }
    }

    /// The files an input's rows go to, and its place among those that share them.
    fn route(&self, input: usize) -> (usize, usize) {
        if self.lanes.len() > 1 { (input, 0) } else { (0, input) }
    }

    fn ledgers<'s>(&self, state: &'s mut [u8]) -> &'s mut [Ledger] {
        bytemuck::cast_slice_mut(&mut state[..self.lanes.len() * size_of::<Ledger>()])
    }

    /// By value: a copy of the state may lie at any address.
    fn read_ledgers(&self, state: &[u8]) -> Vec<Ledger> {
        let size = size_of::<Ledger>();
        state.chunks_exact(size).take(self.lanes.len()).map(bytemuck::pod_read_unaligned).collect()
    }
}

/// The last folder of a path template whose name is known before anything is written.
fn folder_of(template: &str) -> &Path {
    let known = template.split('{').next().unwrap_or_default();
    match known.rsplit_once('/') {
        Some(("", _)) => Path::new("/"),
        Some((folder, _)) => Path::new(folder),
        None => Path::new("."),
    }
}

impl Sink for Csv {
    fn kind(&self) -> &'static str {
        "csv"
    }

    fn folder(&self) -> Option<PathBuf> {
        Some(folder_of(&self.options.path).into())
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<usize, PlanError> {
        let CsvOptions { path, rotate_size, rotate_every, .. } = &self.options;
        let naming = Naming::new(path, *rotate_size, *rotate_every)?;
        let Some(first) = inputs.first() else { return Err(PlanError::input("needs at least one input")) };
        for input in inputs {
            naming.check(input.name)?;
        }
        if naming.is_per_input() {
            let lane = |input: &Input<'_>| Lane::new(input.name, Row::new(input.schema, &[]));
            self.lanes = inputs.iter().map(lane).collect();
        } else {
            if let Some(other) = inputs.iter().find(|input| input.schema != first.schema) {
                return Err(PlanError::input(format!(
                    "`{}` ({}) and `{}` ({}) have different fields and cannot share `{path}`; put {{input}} into the \
                     path for a file each",
                    first.name, first.schema, other.name, other.schema
                )));
            }
            let names: Vec<_> = inputs.iter().map(|input| input.name).collect();
            let shared = if names.len() > 1 { &names[..] } else { &[] };
            self.lanes = vec![Lane::new(&names.join(", "), Row::new(first.schema, shared))];
        }
        self.naming = Some(naming);
        Ok(self.lanes.len() * size_of::<Ledger>())
    }

    fn prepare(&mut self) -> io::Result<()> {
        let Some(naming) = &self.naming else { return Ok(()) };
        let now = realtime_ns();
        self.lanes.iter().try_for_each(|lane| lane.prepare(naming, now))
    }

    fn linger_ns(&self) -> u64 {
        nanoseconds(self.options.flush)
    }

    fn resume(&mut self, state: &mut [u8]) -> io::Result<()> {
        let ledgers = self.ledgers(state);
        self.lanes.iter_mut().zip(ledgers).try_for_each(|(lane, ledger)| lane.resume(ledger))
    }

    fn admit(&mut self, input: usize, record: &Record<'_>, state: &mut [u8]) -> io::Result<bool> {
        let (lane, place) = self.route(input);
        let ledger = &mut self.ledgers(state)[lane];
        let Some(naming) = &self.naming else { return Ok(false) };
        self.lanes[lane].admit(place, record, ledger, naming)
    }

    fn write(&mut self, input: usize, record: &Record<'_>, _: &mut [u8]) -> io::Result<()> {
        let (lane, place) = self.route(input);
        self.lanes[lane].write(place, record)
    }

    fn flush(&mut self, state: &mut [u8]) -> io::Result<()> {
        let ledgers = self.ledgers(state);
        self.lanes.iter_mut().zip(ledgers).try_for_each(|(lane, ledger)| lane.flush(ledger))
    }

    fn sync(&mut self, state: &mut [u8], _last: bool) -> io::Result<()> {
        let ledgers = self.ledgers(state);
        let mut result = Ok(());
        for (lane, ledger) in self.lanes.iter_mut().zip(ledgers) {
            // One bad file does not keep the others from being made durable.
            result = result.and(lane.sync(ledger));
        }
        result
    }

    fn deadline_ns(&self) -> Option<u64> {
        let since = self.lanes.iter().filter_map(|lane| lane.dirty_since).min()?;
        Some(since.saturating_add(nanoseconds(self.options.sync)))
    }

    fn remarks(&self, state: &[u8]) -> Vec<String> {
        let mut remarks = Vec::new();
        for (ledger, lane) in self.read_ledgers(state).iter().zip(&self.lanes) {
            let input = &lane.input;
            if ledger.lost_parts > 0 {
                remarks.push(format!(
                    "{input}: {} of {} files were removed or changed by someone while they were written; {} rows were \
                     in them",
                    ledger.lost_parts, ledger.parts, ledger.lost_rows
                ));
            }
            if ledger.doubtful_rows > 0 {
                remarks.push(format!(
                    "{input}: {} rows were written but the medium failed to confirm them; compare the file after the \
                     next boot",
                    ledger.doubtful_rows
                ));
            }
        }
        remarks
    }

    /// The newest file of each input; older parts are the lower numbers, dates and times beside it.
    fn files(&self, state: &[u8]) -> Vec<PathBuf> {
        self.read_ledgers(state).iter().filter_map(|ledger| ledger.current.path().map(PathBuf::from)).collect()
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
