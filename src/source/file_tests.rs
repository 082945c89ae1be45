//! A recording played: complete, at its pace, and exactly once over every restart.

use std::io::Write;
use std::path::Path;

use super::test_clock::Clock;
use super::{FileSettings, FileSource, Pace};
use crate::codec::{FrameKind, FrameSettings, Framer};
use crate::pipeline::{Counters, Emitter, Output, Poll, Source};

fn recording(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn lines(path: &Path, pace: Pace) -> FileSettings {
    let frame = FrameSettings { kind: FrameKind::Line { max: 80 }, crc: None };
    FileSettings { path: path.into(), frame, pace, skip_comments: false, repeat: false }
}

/// What a worker does: state and counters count only once a step is committed.
struct Worker {
    settings: FileSettings,
    source: FileSource,
    output: Output,
    state: Vec<u64>,
    counters: Counters,
    clock: Clock,
    seen: Vec<(u64, Vec<u8>)>,
}

impl Worker {
    fn start(settings: FileSettings) -> Self {
        let mut source = FileSource::new(settings.clone());
        let output = source.plan().unwrap();
        let state = vec![0; output.state_size.div_ceil(8)];
        let clock = Clock { now_ns: 1_000, draining: false };
        source.prepare().unwrap();
        let mut worker =
            Self { settings, source, output, state, counters: Counters::default(), clock, seen: Vec::new() };
        worker.resume();
        worker
    }

    fn resume(&mut self) {
        self.source.resume(bytemuck::cast_slice_mut(&mut self.state), &mut self.clock).unwrap();
    }

    /// `kill -9` and the next incarnation: nothing but the committed state is left.
    fn restart(&mut self) {
        self.source = FileSource::new(self.settings.clone());
        self.source.plan().unwrap();
        self.resume();
    }

    fn step(&mut self, room: usize, commit: bool) -> Poll {
        let (mut state, mut counters) = (self.state.clone(), self.counters);
        let mut slots = vec![0u64; room * Emitter::stride(&self.output.schema) / 8];
        let mut out = Emitter::new(&self.output.schema, bytemuck::cast_slice_mut(&mut slots), &mut counters);
        let poll = self.source.poll(bytemuck::cast_slice_mut(&mut state), &mut out, &mut self.clock).unwrap();
        if commit {
            let given = out.records().map(|record| (record.header().arrived_ns, record.bytes(0).to_vec()));
            self.seen.extend(given);
            (self.state, self.counters) = (state, counters);
        }
        poll
    }

    /// Runs to the end, or until `limit` messages, letting the clock jump to what is waited for.
    fn run(&mut self, limit: usize) {
        while self.seen.len() < limit {
            match self.step(self.output.max_per_step, true) {
                Poll::Until(due) => {
                    assert!(due > self.clock.now_ns, "waiting for the past never ends");
                    self.clock.now_ns = due;
                }
                Poll::Finished => break,
                Poll::Ready | Poll::Waiting => {}
            }
        }
    }

    fn texts(&self) -> Vec<String> {
        self.seen.iter().map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap()).collect()
    }

    /// When each message came, in ms after the first poll.
    fn times_ms(&self) -> Vec<u64> {
        self.seen.iter().map(|(at, _)| (at - 1_000) / 1_000_000).collect()
    }
}

#[test]
fn every_line_is_given_once_whatever_is_killed_when() {
    let text: String = (0..20_000).map(|number| format!("line {number}\r\n")).collect();
    let file = recording(text.as_bytes());
    let mut worker = Worker::start(lines(file.path(), Pace::AtOnce));
    let mut poll = Poll::Ready;
    for turn in 1usize.. {
        if poll == Poll::Finished {
            break;
        }
        if turn % 5 == 0 {
            worker.step(1 + turn % 200, false);
            worker.restart();
        }
        poll = worker.step(1 + turn % 200, true);
    }
    let expected: Vec<_> = (0..20_000).map(|number| format!("line {number}")).collect();
    assert_eq!(worker.texts(), expected);
    assert_eq!((worker.counters.taken, worker.counters.emitted), (text.len() as u64, 20_000));
    assert_eq!(worker.step(1, true), Poll::Finished);
}

#[test]
fn a_frame_broken_off_by_the_end_counts_as_cut() {
    let file = recording(b"one\ntwo\nthr");
    let mut worker = Worker::start(lines(file.path(), Pace::AtOnce));
    worker.run(usize::MAX);
    assert_eq!(worker.texts(), ["one", "two"]);
    assert_eq!(worker.counters.cut, 1);
}

#[test]
fn comments_are_passed_over_however_long() {
    let long = format!("#{}\nthree\n#end", "x".repeat(100_000));
    let file = recording(format!("# Name: GPS\n#\none\n\n# a\ntwo # kept\n{long}").as_bytes());
    let mut worker = Worker::start(FileSettings { skip_comments: true, ..lines(file.path(), Pace::AtOnce) });
    worker.run(usize::MAX);
    assert_eq!(worker.texts(), ["one", "two # kept", "three"]);
    assert_eq!((worker.counters.rejected, worker.counters.cut), (0, 0));
    assert_eq!(worker.counters.taken, file.as_file().metadata().unwrap().len());
}

#[test]
fn frames_come_at_the_rate_asked_for() {
    let file = recording(b"a\nb\nc\nd\n");
    let mut worker = Worker::start(lines(file.path(), Pace::FramesPerSecond(4.0)));
    worker.run(usize::MAX);
    assert_eq!(worker.times_ms(), [0, 250, 500, 750]);
    assert_eq!(worker.output.rate, 4.0);
}

#[test]
fn bytes_come_as_fast_as_the_line_would_carry_them() {
    let file = recording(format!("{}\n", "x".repeat(79)).repeat(10).as_bytes());
    let mut worker = Worker::start(lines(file.path(), Pace::Baud(8000)));
    worker.run(usize::MAX);
    // 80 bytes take 100 ms at 800 bytes per second; they are looked at every 16 bytes, 20 ms.
    assert_eq!(worker.times_ms(), (1..=10).map(|line| line * 100).collect::<Vec<_>>());
}

#[test]
fn sentences_wait_for_their_time_of_day() {
    let text = "$GPGSV,1\n$GPRMC,235959.50,A\n$GPGSV,2\n$GPGGA,235959.50,\n\
                $GPZDA,000001,\n$GPGLL,1,N,2,E,000000,A\n$GPRMC,000002,A\n";
    let file = recording(text.as_bytes());
    let mut worker = Worker::start(lines(file.path(), Pace::NmeaTime));
    worker.run(usize::MAX);
    assert_eq!(worker.times_ms(), [0, 0, 0, 0, 1500, 1500, 3500]);
}

#[test]
fn a_recording_repeated_begins_again() {
    let file = recording(b"one\ntwo\nthr");
    let mut worker = Worker::start(FileSettings { repeat: true, ..lines(file.path(), Pace::AtOnce) });
    worker.output.max_per_step = 1;
    worker.run(5);
    assert_eq!(worker.texts(), ["one", "two", "one", "two", "one"]);
    assert_eq!(worker.counters.cut, 2);
    let empty = recording(b"");
    let mut worker = Worker::start(FileSettings { repeat: true, ..lines(empty.path(), Pace::AtOnce) });
    worker.run(1);
    assert_eq!(worker.texts(), [""; 0]);
}

#[test]
fn binary_frames_waiting_in_the_framer_are_all_given() {
    let frame = FrameSettings { kind: FrameKind::Fixed { size: 9, sync: vec![0xAA] }, crc: crc() };
    let framer = Framer::new(&frame).unwrap();
    let mut wire = Vec::new();
    for number in 0..1000u32 {
        if number % 10 == 0 {
            wire.extend_from_slice(&[1, 0xAA, 2]);
        }
        framer.encode(&number.to_be_bytes(), &mut wire);
    }
    let file = recording(&wire);
    let mut worker = Worker::start(FileSettings { frame, ..lines(file.path(), Pace::AtOnce) });
    worker.output.max_per_step = 3;
    worker.run(usize::MAX);
    let expected: Vec<_> = (0..1000u32).map(|number| number.to_be_bytes().to_vec()).collect();
    assert_eq!(worker.seen.iter().map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>(), expected);
    assert!(worker.counters.rejected > 0 && worker.counters.stray_bytes > 0);
}

fn crc() -> Option<crate::codec::CrcSettings> {
    use crate::codec::{CrcAlgorithm, CrcCoverage, CrcSettings, Endian};
    let algorithm = CrcAlgorithm::Named("CRC-32".into());
    Some(CrcSettings { algorithm, endian: Endian::Little, covers: CrcCoverage::AfterSync })
}

#[test]
fn a_drain_ends_it_where_it_is() {
    let file = recording(b"one\ntwo\n");
    let mut worker = Worker::start(lines(file.path(), Pace::AtOnce));
    worker.step(1, true);
    worker.clock.draining = true;
    assert_eq!(worker.step(1, true), Poll::Finished);
    assert_eq!(worker.texts(), ["one"]);
}

#[test]
fn a_missing_recording_is_named() {
    let mut source = FileSource::new(lines(Path::new("/nonexistent/gps.log"), Pace::AtOnce));
    source.plan().unwrap();
    let error = source.prepare().unwrap_err();
    assert!(error.to_string().contains("/nonexistent/gps.log"), "{error}");
}

#[test]
fn settings_that_cannot_work_name_the_option() {
    let path = Path::new("gps.log");
    let cobs = FrameSettings { kind: FrameKind::Cobs { max: 20 }, crc: None };
    let line = lines(path, Pace::AtOnce);
    for (settings, key) in [
        (lines(path, Pace::Baud(0)), "pace"),
        (lines(path, Pace::FramesPerSecond(f64::NAN)), "pace"),
        (FileSettings { frame: cobs.clone(), ..lines(path, Pace::NmeaTime) }, "pace"),
        (FileSettings { frame: cobs, skip_comments: true, ..line.clone() }, "skip_comments"),
        (FileSettings { frame: FrameSettings { kind: FrameKind::Line { max: 0 }, crc: None }, ..line }, "max"),
    ] {
        assert_eq!(FileSource::new(settings).plan().unwrap_err().key, Some(key));
    }
}
