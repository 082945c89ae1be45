//! Recorded output of real receivers, decoded, against what gpsd made of it.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a test fails by panicking; its numbers are small")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use pinring::codec::nmea::{Assembler, Checksum, Position, Settings, parse};

#[path = "support/nmea_compare.rs"]
mod nmea_compare;

use nmea_compare::{Decoded, compare, explanation, not_before};

/// The recordings, in the order of their names.
fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/nmea");
    let mut logs: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    assert!(!logs.is_empty(), "no recordings in {}", folder.display());
    logs
}

fn decode(log: &[u8]) -> Vec<Decoded> {
    let settings = Settings { not_before: not_before(log), ..Settings::default() };
    let mut assembler = Assembler::default();
    let sentences = log.split(|&byte| byte == b'\n').filter_map(|line| parse(line, Checksum::Required).ok());
    let mut positions: Vec<Position> =
        sentences.flat_map(|sentence| assembler.push(&sentence, settings)).flatten().collect();
    positions.extend(assembler.finish(settings));
    positions.iter().map(decoded).collect()
}

fn decoded(position: &Position) -> Decoded {
    Decoded {
        time_ns: position.time_ns,
        fix: (position.mode > 0).then_some(position.mode > 1),
        lat: position.latitude_deg,
        lon: position.longitude_deg,
        alt: position.altitude_m,
        speed: position.speed_mps,
        track: position.track_deg,
    }
}

#[test]
fn every_report_of_the_reference_is_confirmed_or_explained() {
    let (mut agree, mut compared, mut unexplained) = (0, 0, 0);
    for path in recordings() {
        let log = path.file_name().unwrap().to_string_lossy().into_owned();
        let report = compare(&decode(&std::fs::read(&path).unwrap()), &path.with_extension("log.chk"));
        println!("{log}: {} of {} TPV agree", report.agree, report.compared);
        for one in &report.disagreements {
            let reason = explanation(&log, one.line);
            unexplained += usize::from(reason.is_none());
            println!("  line {}, {}: {reason:?}", one.line, one.what);
            if reason.is_none() {
                println!("    gpsd   {}\n    after  {}\n    we     {:?}", one.tpv, one.after, one.nearest);
            }
        }
        (agree, compared) = (agree + report.agree, compared + report.compared);
    }
    println!("TPV: {agree} of {compared} agree, {unexplained} unexplained");
    assert_eq!(unexplained, 0, "reports that nothing explains are listed above");
    assert!(agree >= 647, "only {agree} of {compared} reports agree; 647 did");
}

#[test]
fn a_sentence_is_refused_exactly_where_the_reference_refused_it() {
    let lines = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        let lines: Vec<_> = bytes.split(|&byte| byte == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect();
        lines.into_iter().filter(|line| line.starts_with(b"$"))
    };
    let (mut taken, mut refused) = (0, 0);
    for path in recordings() {
        // gpsd repeats in the .chk what it took.
        let known: HashSet<_> = lines(&path.with_extension("log.chk")).collect();
        for line in lines(&path) {
            let read = parse(&line, Checksum::Required);
            let text = String::from_utf8_lossy(&line);
            assert_eq!(read.is_ok(), known.contains(&line), "{}: {text}: {read:?}", path.display());
            *if read.is_ok() { &mut taken } else { &mut refused } += 1;
        }
    }
    println!("{taken} sentences taken, {refused} refused");
    assert!(taken > 2000 && refused > 0);
}

#[test]
fn a_flipped_bit_never_makes_a_wrong_position() {
    let path = recordings().into_iter().find(|path| path.ends_with("navika-100-fix.log")).unwrap();
    let log = std::fs::read(path).unwrap();
    let whole = decode(&log);
    for at in (0..log.len()).step_by(7) {
        let mut damaged = log.clone();
        damaged[at] ^= 1 << (at % 8);
        for one in decode(&damaged).iter().filter(|one| one.lat.is_some()) {
            assert!(
                whole.iter().any(|true_one| one.lat == true_one.lat && one.lon == true_one.lon),
                "byte {at}: {one:?}"
            );
        }
    }
}
