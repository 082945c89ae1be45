//! Decoded positions against what gpsd reported of the same recording.
//!
//! A `.chk` file holds the recorded sentences and, between them, gpsd's reports as lines of JSON. A TPV
//! report agrees if one decoded position of the same time says the same in every field the report has.
//! A report without a time (gpsd had no date yet) is compared with the positions that lie between those
//! of the timed reports around it, and never with one before that of an earlier report.

use std::path::Path;

use pinring::codec::nmea::Date;
use serde_json::Value;

/// What is compared of a decoded position.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Decoded {
    /// UTC in ns since 1970.
    pub(crate) time_ns: Option<i64>,
    /// Whether there is a fix, which place and motion need; `None` if nothing is known of it.
    pub(crate) fix: Option<bool>,
    /// Degrees.
    pub(crate) lat: Option<f64>,
    /// Degrees.
    pub(crate) lon: Option<f64>,
    /// Metres above mean sea level.
    pub(crate) alt: Option<f64>,
    /// Metres a second.
    pub(crate) speed: Option<f64>,
    /// Degrees.
    pub(crate) track: Option<f64>,
}

/// Why a report and the decoded positions may differ without either being wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// In its first epochs gpsd reports after every sentence. A later sentence of the same epoch says otherwise: GLL takes
    /// back a simulated position (`V`), or GNS tells another last decimal. A decoded position is the whole epoch.
    EarlyReport,
    /// RMC marked `V` makes gpsd report "no fix" at once, but under the time of the epoch before, which had one.
    OldTime,
    /// The recording ends within an epoch, or before it is known which sentence ends one, so no position came of it.
    EndOfRecording,
    /// gpsd replaces GGA's altitude in decimetres by that of a PGRMZ behind it, in whole feet.
    WholeFeet,
    /// The one sentence by which the decoder learned that an epoch goes on behind what it took for its end.
    Learning,
}

/// Every report of the recordings in `tests/data/nmea` that is known to differ: recording, line of its `.chk`, reason.
const KNOWN: &[(&str, usize, Reason)] = &[
    ("GPSmap-76S.log", 5, Reason::EarlyReport),
    ("GPSmap-76S.log", 8, Reason::EarlyReport),
    ("ericsson-gru04.log", 85, Reason::EarlyReport),
    ("ericsson-gru04.log", 90, Reason::EndOfRecording),
    ("garmin-geko201.log", 5, Reason::EarlyReport),
    ("garmin-geko201.log", 8, Reason::EarlyReport),
    ("haicom-305N.log", 710, Reason::EndOfRecording),
    ("haicom-305N.log", 713, Reason::EndOfRecording),
    ("rst39.log", 63, Reason::Learning),
    ("rst39.log", 238, Reason::EndOfRecording),
    ("rst39.log", 241, Reason::EndOfRecording),
    ("tn204.log", 33, Reason::WholeFeet),
    ("tn204.log", 52, Reason::WholeFeet),
    ("tn204.log", 71, Reason::WholeFeet),
    ("ublox-lea-4h.log", 3, Reason::OldTime),
    ("ublox-lea-4h.log", 103, Reason::OldTime),
];

/// Why the report at `line` of the recording `log` (a file's name) differs, if that is known.
pub(crate) fn explanation(log: &str, line: usize) -> Option<Reason> {
    KNOWN.iter().find(|known| (known.0, known.1) == (log, line)).map(|known| known.2)
}

/// The setting with which gpsd read a recording.
///
/// gpsd takes a date before 2017 for a GPS week rollover and adds 1,024 weeks, because the 18th leap second, which it
/// knows of, came then. For a replay it first sets its clock to the `# Date: yyyy-mm-dd` at the recording's head; without such
/// a line (rst39.log has `# Date = `) the rule of today holds.
pub(crate) fn not_before(log: &[u8]) -> Option<Date> {
    let year = log.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"# Date: ")?.get(..4));
    if year.is_some_and(|year| year < &b"2017"[..]) { None } else { Date::new(2017, 1, 1) }
}

/// One TPV that no position agrees with.
#[derive(Clone, Debug)]
pub(crate) struct Disagreement {
    /// Its line in the `.chk`.
    pub(crate) line: usize,
    /// The fields that differ from the best candidate; `no position of this time` if there is none.
    pub(crate) what: String,
    /// The report.
    pub(crate) tpv: String,
    /// The sentence before it.
    pub(crate) after: String,
    /// The best candidate.
    pub(crate) nearest: Option<Decoded>,
}

/// How a recording fared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// TPVs that say something to compare.
    pub(crate) compared: usize,
    /// Those that agree.
    pub(crate) agree: usize,
    /// TPVs without time, place and motion.
    pub(crate) empty: usize,
    /// The others.
    pub(crate) disagreements: Vec<Disagreement>,
}

struct Tpv {
    line: usize,
    after: String,
    text: String,
    said: Decoded,
}

/// Compares `decoded`, in order, with the TPVs of the `.chk` file.
pub(crate) fn compare(decoded: &[Decoded], chk: &Path) -> Report {
    let tpvs = read_tpvs(chk);
    let mut report = Report::default();
    // First position that the next report without a time may be compared with.
    let mut from = 0;
    for (index, tpv) in tpvs.iter().enumerate() {
        let said = &tpv.said;
        if *said == Decoded::default() {
            report.empty += 1;
            continue;
        }
        report.compared += 1;
        let candidates: Vec<usize> = match said.time_ns {
            Some(ns) => (0..decoded.len()).filter(|&i| is_time(&decoded[i], ns)).collect(),
            None => {
                let next = tpvs[index..].iter().find_map(|later| later.said.time_ns);
                let to = next.and_then(|ns| decoded.iter().rposition(|one| is_time(one, ns)));
                (from..to.map_or(decoded.len(), |to| to + 1)).collect()
            }
        };
        let best = candidates.iter().copied().min_by_key(|&i| differing(said, decoded, i).len());
        let what = best.map_or(vec!["no position of this time"], |i| differing(said, decoded, i));
        if what.is_empty() {
            report.agree += 1;
            from = from.max(best.unwrap_or(0));
        } else {
            let nearest = best.map(|i| decoded[i]);
            let (line, tpv, after) = (tpv.line, tpv.text.clone(), tpv.after.clone());
            report.disagreements.push(Disagreement { line, what: what.join(" "), tpv, after, nearest });
        }
    }
    report
}

fn is_time(decoded: &Decoded, ns: i64) -> bool {
    // gpsd prints milliseconds.
    decoded.time_ns.is_some_and(|time| (time - ns).abs() <= 1_000_000)
}

/// The fields of a report that the position does not confirm, within the rounding of the report's print
/// (nine decimals of a degree, three of m/s, four of track and altitude).
fn differing(said: &Decoded, all: &[Decoded], index: usize) -> Vec<&'static str> {
    let decoded = &all[index];
    let computed = if said.track.is_none() { speed_between(&all[..=index]) } else { None };
    let near =
        |said: f64, decoded: Option<f64>, within: f64| decoded.is_some_and(|value| (value - said).abs() <= within);
    let speed = |said: f64| near(said, decoded.speed, 1e-3) || near(said, computed, 2e-3);
    let checks = [
        ("fix", said.fix.is_none() || said.fix == decoded.fix),
        ("lat", said.lat.is_none_or(|said| near(said, decoded.lat, 2e-9))),
        ("lon", said.lon.is_none_or(|said| near(said, decoded.lon, 2e-9))),
        ("alt", said.alt.is_none_or(|said| near(said, decoded.alt, 2e-4))),
        ("speed", said.speed.is_none_or(speed)),
        ("track", said.track.is_none_or(|said| near(said, decoded.track, 2e-4))),
    ];
    checks.into_iter().filter(|(_, agrees)| !agrees).map(|(name, _)| name).collect()
}

/// Speed from the last two positions, m/s.
fn speed_between(decoded: &[Decoded]) -> Option<f64> {
    let (now, earlier) = decoded.split_last()?;
    let before = earlier.iter().rev().find(|one| one.lat.is_some() && one.time_ns.is_some())?;
    let step_s = (now.time_ns? - before.time_ns?) as f64 / 1e9;
    let north_m = 111_132.954 - 559.822 * (2.0 * now.lat?.to_radians()).cos();
    let latitude = now.lat?.to_radians();
    let east_m = 111_412.84 * latitude.cos() - 93.5 * (3.0 * latitude).cos() + 0.118 * (5.0 * latitude).cos();
    Some((north_m * (now.lat? - before.lat?)).hypot(east_m * (now.lon? - before.lon?)) / step_s)
}

fn read_tpvs(chk: &Path) -> Vec<Tpv> {
    let bytes = std::fs::read(chk).unwrap_or_else(|error| panic!("{}: {error}", chk.display()));
    let mut tpvs = Vec::new();
    let mut after = String::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let text = String::from_utf8_lossy(line).trim().to_owned();
        if !text.starts_with('{') {
            after = text;
            continue;
        }
        let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if json["class"] == "TPV" {
            let said = Decoded {
                time_ns: json["time"].as_str().map(parse_time),
                fix: json["mode"].as_i64().filter(|mode| *mode > 0).map(|mode| mode > 1),
                lat: json["lat"].as_f64(),
                lon: json["lon"].as_f64(),
                alt: json["altMSL"].as_f64().or(json["alt"].as_f64()),
                speed: json["speed"].as_f64(),
                track: json["track"].as_f64(),
            };
            tpvs.push(Tpv { line: index + 1, after: after.clone(), text, said });
        }
    }
    tpvs
}

/// `2014-05-26T08:14:11.000Z` in ns since 1970.
fn parse_time(text: &str) -> i64 {
    let time = humantime::parse_rfc3339(text).unwrap_or_else(|error| panic!("time `{text}`: {error}"));
    let since = time.duration_since(std::time::UNIX_EPOCH).expect("GPS began after 1970");
    i64::try_from(since.as_nanos()).expect("before 2262")
}
