//! The CSV sink against real files, driven as the worker's loop does, and killed where it hurts.

use std::fs;
use std::path::Path;

use super::*;
use crate::message::{Field, FieldType, Header, RecordMut, Schema};

const HOUR: i64 = 3_600_000_000_000;
/// 2026-01-31T23:00:00Z.
const START: i64 = 1_769_900_400_000_000_000;

fn schema() -> Schema {
    Schema::new(vec![Field::new("x", "m", FieldType::F64)]).unwrap()
}

/// A message: its input, number and hour after [`START`].
type Message = (usize, u64, i64);

/// Where a step is killed.
#[derive(Clone, Copy, PartialEq)]
enum Death {
    BeforeFlush,
    BeforeCommit,
}

/// The committed state and the sink of the present incarnation.
struct Run {
    options: CsvOptions,
    inputs: Vec<&'static str>,
    sink: Csv,
    committed: Vec<u64>,
}

impl Run {
    fn new(options: CsvOptions, inputs: &[&'static str]) -> Self {
        let (sink, size) = planned(&options, inputs);
        let mut run = Self { options, inputs: inputs.to_vec(), sink, committed: vec![0; size / 8] };
        run.resume().unwrap();
        run
    }

    fn resume(&mut self) -> io::Result<()> {
        let mut state = self.committed.clone();
        self.sink.resume(bytemuck::cast_slice_mut(&mut state))?;
        self.committed = state;
        Ok(())
    }

    /// A new incarnation.
    fn restart(&mut self) {
        self.sink = planned(&self.options, &self.inputs).0;
        self.resume().unwrap();
    }

    /// One step over the messages at hand; returns how many it took. A killed one takes none.
    fn step(&mut self, messages: &[Message], death: Option<Death>) -> io::Result<usize> {
        let (schema, mut state) = (schema(), self.committed.clone());
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut state);
        let mut taken = 0;
        for (input, seq, hour) in messages {
            let mut header = Header { seq: *seq, utc_ns: START + hour * HOUR, arrived_ns: *seq, ..Header::default() };
            let mut payload = vec![0; schema.payload_size()];
            RecordMut::new(&schema, &mut header, &mut payload).set_f64(0, 0.5);
            let record = Record::new(&schema, &header, &payload);
            if !self.sink.admit(*input, &record, bytes)? {
                break;
            }
            self.sink.write(*input, &record, bytes)?;
            taken += 1;
        }
        if death == Some(Death::BeforeFlush) {
            return Ok(0);
        }
        self.sink.flush(bytes)?;
        if death == Some(Death::BeforeCommit) {
            return Ok(0);
        }
        self.committed = state;
        Ok(taken)
    }

    /// Steps until all messages are taken.
    fn feed(&mut self, messages: &[Message]) {
        let mut rest = messages;
        for _ in 0..=2 * messages.len() {
            let taken = self.step(rest, None).unwrap();
            rest = &rest[taken..];
        }
        assert!(rest.is_empty(), "the sink makes no progress: {rest:?}");
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sink.sync(bytemuck::cast_slice_mut(&mut self.committed), false)
    }

    fn remarks(&self) -> Vec<String> {
        self.sink.remarks(bytemuck::cast_slice(&self.committed))
    }
}

fn planned(options: &CsvOptions, inputs: &[&'static str]) -> (Csv, usize) {
    let (mut sink, schema) = (Csv::new(options.clone()), schema());
    let inputs: Vec<_> = inputs.iter().map(|name| Input { name, schema: &schema, rate: 1.0 }).collect();
    let size = sink.plan(&inputs).unwrap();
    (sink, size)
}

fn options(dir: &Path, name: &str) -> CsvOptions {
    CsvOptions::new(dir.join(name).to_str().unwrap())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Sequence numbers in a file, whose header and rows must be whole.
fn seqs(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("seq,time_utc,time_mono_s,x [m]"));
    assert!(text.ends_with('\n'));
    let seq = |line: &str| {
        assert!(line.ends_with(",0.5") && line.split(',').count() == 4, "{line}");
        line.split(',').next().unwrap().parse().unwrap()
    };
    lines.map(seq).collect()
}

fn range(numbers: std::ops::RangeInclusive<u64>) -> Vec<Message> {
    numbers.map(|seq| (0, seq, 0)).collect()
}

#[test]
fn each_input_has_its_file_under_directories_that_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::new(options(dir.path(), "a/{date}/{input}.csv"), &["gps", "imu"]);
    run.sink.prepare().unwrap();
    run.feed(&[(0, 1, 0), (1, 1, 0), (0, 2, 0)]);
    let day = dir.path().join("a/2026-01-31");
    assert_eq!(seqs(&day.join("gps.csv")), [1, 2]);
    assert_eq!(seqs(&day.join("imu.csv")), [1]);
    let files = run.sink.files(bytemuck::cast_slice(&run.committed));
    assert_eq!(files, [day.join("gps.csv"), day.join("imu.csv")]);
}

#[test]
fn inputs_that_share_a_file_are_told_apart_by_a_column() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::new(options(dir.path(), "all.csv"), &["gps", "imu"]);
    run.feed(&[(0, 1, 0), (1, 1, 0)]);
    let text = fs::read_to_string(dir.path().join("all.csv")).unwrap();
    let expected = "input,seq,time_utc,time_mono_s,x [m]\n\
                    gps,1,2026-01-31T23:00:00.000000000Z,0.000000001,0.5\n\
                    imu,1,2026-01-31T23:00:00.000000000Z,0.000000001,0.5\n";
    assert_eq!(text, expected);
}

#[test]
fn inputs_of_different_fields_cannot_share_a_file() {
    let other = Schema::new(vec![Field::new("y", "", FieldType::F64)]).unwrap();
    let schema = schema();
    let inputs = [Input { name: "gps", schema: &schema, rate: 1.0 }, Input { name: "imu", schema: &other, rate: 1.0 }];
    let error = Csv::new(CsvOptions::new("all.csv")).plan(&inputs).unwrap_err();
    assert_eq!(error.key, Some("input"));
    assert!(error.message.contains("`gps` (x [m] f64) and `imu` (y f64)"), "{error}");
}

#[test]
fn a_step_killed_anywhere_leaves_each_row_once() {
    for death in [Death::BeforeFlush, Death::BeforeCommit] {
        // The number of steps done before the one that is killed: claim, create, go on.
        for before in 0..4 {
            let dir = tempfile::tempdir().unwrap();
            let mut run = Run::new(options(dir.path(), "x.csv"), &["gps"]);
            let messages = range(1..=9);
            let mut rest = &messages[..];
            for step in 0..12 {
                if step == before {
                    run.step(&rest[..rest.len().min(3)], Some(death)).unwrap();
                    run.restart();
                }
                let taken = run.step(&rest[..rest.len().min(2)], None).unwrap();
                rest = &rest[taken..];
            }
            assert_eq!(names(dir.path()), ["x.csv"], "no stale file");
            assert_eq!(seqs(&dir.path().join("x.csv")), (1..=9).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_kill_at_a_rotation_leaves_no_stale_part() {
    for (death, before) in
        [Death::BeforeFlush, Death::BeforeCommit].into_iter().flat_map(|d| (0..12).map(move |n| (d, n)))
    {
        let dir = tempfile::tempdir().unwrap();
        let rotating = CsvOptions { rotate_size: Some(120), ..options(dir.path(), "x.csv") };
        let mut run = Run::new(rotating, &["gps"]);
        let messages = range(1..=6);
        let mut rest = &messages[..];
        for step in 0..20 {
            if step == before {
                run.step(rest, Some(death)).unwrap();
                run.restart();
            }
            let taken = run.step(&rest[..rest.len().min(1)], None).unwrap();
            rest = &rest[taken..];
        }
        assert_eq!(names(dir.path()), ["x-2.csv", "x-3.csv", "x.csv"]);
        let all = ["x.csv", "x-2.csv", "x-3.csv"].map(|name| seqs(&dir.path().join(name)));
        assert_eq!(all, [[1, 2], [3, 4], [5, 6]]);
    }
}

#[test]
fn a_torn_tail_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::new(options(dir.path(), "x.csv"), &["gps"]);
    run.feed(&range(1..=2));
    let path = dir.path().join("x.csv");
    let mut torn = fs::read(&path).unwrap();
    torn.extend_from_slice(b"3,2026-01-3");
    fs::write(&path, torn).unwrap();
    run.restart();
    run.feed(&range(3..=3));
    assert_eq!(seqs(&path), [1, 2, 3]);
    assert_eq!(run.remarks(), [""; 0]);
}

#[test]
fn files_of_earlier_runs_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let mut run = Run::new(options(dir.path(), "x.csv"), &["gps"]);
        run.feed(&range(1..=2));
    }
    assert_eq!(names(dir.path()), ["x-2.csv", "x-3.csv", "x.csv"]);
    for name in names(dir.path()) {
        assert_eq!(seqs(&dir.path().join(name)), [1, 2]);
    }
}

#[test]
fn a_name_taken_between_claim_and_creation_is_left_to_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    for crash in [false, true] {
        let mut run = Run::new(options(dir.path(), "x.csv"), &["gps"]);
        assert_eq!(run.step(&range(1..=1), None).unwrap(), 0, "the first step claims the name");
        let path = dir.path().join("x.csv");
        fs::write(&path, "seq,time_utc,time_mono_s,x [m]\n9,of another program\n").unwrap();
        if crash {
            run.restart();
        }
        run.feed(&range(1..=1));
        assert_eq!(seqs(&dir.path().join("x-2.csv")), [1]);
        assert!(fs::read_to_string(&path).unwrap().ends_with("of another program\n"));
        fs::remove_file(path).unwrap();
        fs::remove_file(dir.path().join("x-2.csv")).unwrap();
    }
}

#[test]
fn parts_begin_with_the_period_and_the_day() {
    let dir = tempfile::tempdir().unwrap();
    let hourly = CsvOptions { rotate_every: Some(Duration::from_secs(2 * 3600)), ..options(dir.path(), "{date}.csv") };
    let mut run = Run::new(hourly, &["gps"]);
    run.feed(&[(0, 1, 0), (0, 2, 1), (0, 3, 2), (0, 4, 0), (0, 5, 3), (0, 6, 25)]);
    let rows = |name| seqs(&dir.path().join(name));
    assert_eq!(names(dir.path()), ["2026-01-31.csv", "2026-02-01-2.csv", "2026-02-01.csv", "2026-02-02.csv"]);
    assert_eq!(rows("2026-01-31.csv"), [1]);
    assert_eq!(rows("2026-02-01.csv"), [2, 3, 4], "a late message does not turn the page back");
    assert_eq!(rows("2026-02-01-2.csv"), [5]);
    assert_eq!(rows("2026-02-02.csv"), [6]);
}

#[test]
fn a_file_removed_replaced_or_shortened_is_told_and_followed_by_a_new_one() {
    let gone: fn(&Path) = |path| fs::remove_file(path).unwrap();
    let replaced: fn(&Path) = |path| {
        fs::rename(path, path.with_extension("old")).unwrap();
        fs::write(path, "mine").unwrap();
    };
    let shortened: fn(&Path) = |path| fs::write(path, "seq").unwrap();
    for (harm, restart) in [(gone, true), (gone, false), (replaced, true), (shortened, true)] {
        let dir = tempfile::tempdir().unwrap();
        let mut run = Run::new(options(dir.path(), "x.csv"), &["gps"]);
        run.feed(&range(1..=2));
        harm(&dir.path().join("x.csv"));
        if restart {
            run.restart();
        } else {
            run.sync().unwrap();
        }
        run.feed(&range(3..=4));
        let files = run.sink.files(bytemuck::cast_slice(&run.committed));
        assert_eq!(seqs(&files[0]), [3, 4]);
        let remarks = run.remarks();
        assert!(remarks[0].contains("1 of 2 files") && remarks[0].contains("2 rows"), "{remarks:?}");
    }
}

#[test]
fn a_full_disk_is_told_with_path_and_advice() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::new(options(dir.path(), "x.csv"), &["gps"]);
    run.feed(&range(1..=1));
    // The ledger says that the row goes to a device that is always full.
    let full = fs::OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
    run.sink.lanes[0].replace_file(full);
    let error = run.step(&range(2..=2), None).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    let text = error.to_string();
    assert!(text.contains("x.csv") && text.contains("free some space"), "{text}");
    run.resume().unwrap();
    run.feed(&range(2..=2));
    assert_eq!(seqs(&dir.path().join("x.csv")), [1, 2]);
}

#[test]
fn a_failed_fsync_is_an_error_once_and_its_rows_stay_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::new(options(dir.path(), "x.csv"), &["gps"]);
    run.feed(&range(1..=2));
    assert!(run.sink.deadline_ns().is_some());
    run.sync().unwrap();
    assert_eq!(run.sink.deadline_ns(), None, "nothing to make durable");
    run.feed(&range(3..=3));
    // fdatasync of /dev/full says EINVAL.
    let unsyncable = fs::OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
    run.sink.lanes[0].replace_file(unsyncable);
    let error = run.sync().unwrap_err();
    assert!(error.to_string().contains("its last 1 rows may not survive"), "{error}");
    run.resume().unwrap();
    assert_eq!(run.sink.deadline_ns(), None, "a second fsync would prove nothing");
    run.feed(&range(4..=4));
    run.sync().unwrap();
    assert!(run.remarks()[0].contains("1 rows were written but the medium failed"), "{:?}", run.remarks());
}

#[test]
fn a_directory_that_cannot_be_made_is_told_before_the_start() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let (mut sink, _) = planned(&options(dir.path(), "file/x.csv"), &["gps"]);
    let error = sink.prepare().unwrap_err().to_string();
    assert!(error.contains("cannot create the directory"), "{error}");
}

#[test]
fn a_step_in_the_steady_state_allocates_no_buffer_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::new(options(dir.path(), "x.csv"), &["gps"]);
    run.feed(&range(1..=100));
    let before = run.sink.lanes[0].buffer_address();
    run.feed(&range(101..=200));
    assert_eq!(run.sink.lanes[0].buffer_address(), before);
}

#[test]
fn the_folder_is_what_is_known_of_the_path_beforehand() {
    let cases =
        [("a.csv", "."), ("/a.csv", "/"), ("data/{input}-{date}.csv", "data"), ("/d/{date}/x/{input}.csv", "/d")];
    for (path, folder) in cases {
        assert_eq!(Csv::new(CsvOptions::new(path)).folder().as_deref(), Some(Path::new(folder)), "{path}");
    }
}
