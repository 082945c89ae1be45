//! Facts that must hold for sentences and epochs; recorded logs are in `tests/nmea_reference.rs`.

use proptest::prelude::*;

use super::*;

/// A sentence with its checksum.
fn line(body: &str) -> Vec<u8> {
    let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${body}*{sum:02X}\r\n").into_bytes()
}

fn read(body: &str) -> Sentence {
    parse(&line(body), Checksum::Required).unwrap()
}

/// All positions that the sentences make.
fn positions(settings: Settings, bodies: &[&str]) -> Vec<Position> {
    let mut assembler = Assembler::default();
    bodies.iter().flat_map(|body| assembler.push(&read(body), settings)).flatten().collect()
}

fn seconds(position: &Position) -> f64 {
    position.time_ns.map_or(f64::NAN, |ns| ns as f64 / 1e9)
}

#[test]
fn a_wrong_checksum_is_refused_with_both_values() {
    let error = parse(b"$GPGLL,4916.45,N,12311.12,W,225444,A*32", Checksum::Optional).unwrap_err();
    assert_eq!(error, NmeaError::Checksum { stated: 0x32, computed: 0x31 });
    assert!(error.to_string().contains("*32") && error.to_string().contains("*31"));
}

#[test]
fn a_sentence_without_checksum_is_taken_only_if_asked() {
    let bare = b"$GPGLL,4916.45,N,12311.12,W,225444,A\r\n";
    assert_eq!(parse(bare, Checksum::Required), Err(NmeaError::NoChecksum));
    assert!(matches!(parse(bare, Checksum::Optional), Ok(Sentence::Gll(_))));
    assert_eq!(parse(b"$GPGLL,4916.45,N,12311.12,W,225444,A*3", Checksum::Optional), Err(NmeaError::NoChecksum));
}

#[test]
fn text_is_no_sentence_and_ais_is_another_one() {
    assert_eq!(parse(b"u-blox ready", Checksum::Required), Err(NmeaError::NotNmea));
    assert_eq!(parse(b"", Checksum::Required), Err(NmeaError::NotNmea));
    assert_eq!(parse(b"!AIVDM,1,1,,A,14eG;o@034o8sd<L9i:a;WF>062D,0*7D", Checksum::Required), Ok(Sentence::Other));
    assert_eq!(parse(b"$*00", Checksum::Required), Err(NmeaError::Tag));
}

#[test]
fn a_sentence_behind_a_torn_one_is_read() {
    let torn = [b"$GPRMC,0812".to_vec(), line("GPZDA,081412.000,26,05,2014,,")].concat();
    assert!(matches!(parse(&torn, Checksum::Required), Ok(Sentence::Zda(_))));
}

#[test]
fn any_talker_is_read_but_proprietary_tags_are_not_mistaken() {
    for talker in ["GP", "GN", "GL", "GA", "GB", "BD", "QZ", "II"] {
        let Sentence::Zda(zda) = read(&format!("{talker}ZDA,081412.5,26,05,2014,,")) else { panic!("{talker}") };
        assert_eq!(zda.header.talker, talker.as_bytes());
        assert_eq!(zda.time, Some(TimeOfDay { ns: 29_652_500_000_000 }));
    }
    assert_eq!(read("PGRMC,A,1,2,3,4,5,6,7,8,9"), Sentence::Other);
}

#[test]
fn every_field_of_every_type_is_where_the_standard_puts_it() {
    let Sentence::Rmc(rmc) = read("GPRMC,125106,A,3854.5087,N,07726.4523,W,1.5,84.4,241011,10.5,W,S") else { panic!() };
    assert_eq!((rmc.speed_knots, rmc.track_deg, rmc.mode), (Some(1.5), Some(84.4), Some(b'S')));
    assert_eq!(rmc.date, Date::new(2011, 10, 24));
    assert!(rmc.valid && (rmc.latitude_deg.unwrap() - 38.908_478_333).abs() < 1e-9);
    let Sentence::Gga(gga) = read("GPGGA,125106,3854.5087,S,07726.4523,W,2,10,2.0,268.8,M,-33.9,M,3,0138") else {
        panic!()
    };
    assert_eq!((gga.quality, gga.satellites, gga.hdop), (Some(2), Some(10), Some(2.0)));
    assert_eq!((gga.altitude_m, gga.geoid_separation_m), (Some(268.8), Some(-33.9)));
    assert_eq!((gga.correction_age_s, gga.station), (Some(3.0), Some(138)));
    assert!(gga.latitude_deg.unwrap() < 0.0 && gga.longitude_deg.unwrap() < 0.0);
    let Sentence::Gsa(gsa) = read("GNGSA,A,3,13,16,21,,,,,,,,,,1.05,0.64,0.83,1") else { panic!() };
    assert_eq!((gsa.automatic, gsa.mode, gsa.used, gsa.system), (true, Some(3), 3, Some(1)));
    assert_eq!((gsa.pdop, gsa.hdop, gsa.vdop), (Some(1.05), Some(0.64), Some(0.83)));
    assert_eq!(gsa.satellites[..4], [13, 16, 21, 0]);
    let Sentence::Gsa(wide) = read("GPGSA,A,3,27,23,13,07,25,,,,,,,,,,,,,,,,,,,,07.9,06.0,05.2") else { panic!() };
    assert_eq!((wide.used, wide.hdop), (5, Some(6.0)));
    let Sentence::Gsv(gsv) = read("GAGSV,3,3,09,02,00,179,,04,09,321,33,7") else { panic!() };
    assert_eq!((gsv.parts, gsv.part, gsv.in_view, gsv.signal), (3, 3, Some(9), Some(7)));
    let (elevation_deg, azimuth_deg, snr_db) = (Some(9), Some(321), Some(33));
    assert_eq!(gsv.satellites[1], Some(SatelliteInView { number: 4, elevation_deg, azimuth_deg, snr_db }));
    assert_eq!((gsv.satellites[0].unwrap().snr_db, gsv.satellites[2]), (None, None));
    let Sentence::Vtg(vtg) = read("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,A") else { panic!() };
    assert_eq!((vtg.track_deg, vtg.magnetic_track_deg), (Some(54.7), Some(34.4)));
    assert_eq!((vtg.speed_knots, vtg.speed_kmh, vtg.mode), (Some(5.5), Some(10.2), Some(b'A')));
    let Sentence::Vtg(old) = read("GPVTG,054.7,034.4,005.5,010.2") else { panic!() };
    assert_eq!((old.speed_knots, old.speed_kmh), (Some(5.5), Some(10.2)));
    let Sentence::Gll(oldest) = read("GPGLL,4916.45,N,12311.12,W") else { panic!() };
    assert!(oldest.valid && oldest.time.is_none());
    let Sentence::Gns(gns) = read("GNGNS,170600.0,4111.59880,N,11156.56667,W,NAN,21,0.53,01443.9,-016.5,,") else {
        panic!()
    };
    assert_eq!((gns.mode, gns.satellites, gns.altitude_m), (Some(b'A'), Some(21), Some(1443.9)));
    let Sentence::Pgrmz(garmin) = read("PGRMZ,246,f,3") else { panic!() };
    assert_eq!((garmin.altitude_feet, garmin.mode), (Some(246.0), Some(3)));
}

#[test]
fn what_cannot_be_true_is_missing() {
    let Sentence::Rmc(rmc) = read("GPRMC,256106,A,9100.0,N,07726.4523,W,-1,361,3102-1,,,") else { panic!() };
    assert_eq!((rmc.time, rmc.latitude_deg, rmc.longitude_deg, rmc.date), (None, None, None, None));
    assert_eq!((rmc.speed_knots, rmc.track_deg, rmc.mode), (None, None, None));
    let Sentence::Gga(gga) = read("GPGGA,,3860.1,N,07726.4523,W,1,1e3,99.99,inf,M,nan,M,,") else { panic!() };
    assert_eq!((gga.latitude_deg, gga.satellites, gga.hdop), (None, None, None));
    assert_eq!((gga.altitude_m, gga.geoid_separation_m), (None, None));
    let short = parse(&line("GPGSA,A,1,,,,"), Checksum::Required);
    assert_eq!(short, Err(NmeaError::TooFewFields { found: 6, needed: 17 }));
}

#[test]
fn days_are_counted_as_the_calendar_has_them() {
    assert_eq!(Date::new(1970, 1, 1).unwrap().days_since_1970(), 0);
    assert_eq!(Date::new(2000, 3, 1).unwrap().days_since_1970(), 11_017);
    assert_eq!(Date::new(2026, 2, 8).unwrap().days_since_1970(), 20_492);
    assert_eq!((Date::new(2023, 2, 29), Date::new(2000, 2, 29).is_some()), (None, true));
}

#[test]
fn the_ender_is_learned_and_then_the_epoch_comes_with_it() {
    let mut assembler = Assembler::default();
    let mut arrived = Vec::new();
    for second in 0..4 {
        for body in [
            format!("GPRMC,12000{second},A,3854.5,N,07726.4,W,1.0,84.4,241011,,,A"),
            format!("GPGGA,12000{second},3854.5,N,07726.4,W,1,10,2.0,268.8,M,-33.9,M,,"),
            "GPGSA,A,3,03,07,08,11,13,16,19,23,24,28,,,3.6,2.0,3.0".to_owned(),
        ] {
            let given = assembler.push(&read(&body), Settings::default()).into_iter().flatten().count();
            arrived.push(given);
        }
    }
    // The first two come with the next epoch's RMC, from the third on each comes with its own GSA.
    assert_eq!(arrived, [0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1]);
}

#[test]
fn an_ender_that_proves_wrong_is_never_trusted_again() {
    let gga = |tenth: u32| format!("GPGGA,12000{}.{},3854.5,N,07726.4,W,1,10,2.0,268.8,M,,M,,", tenth / 10, tenth % 10);
    let mut assembler = Assembler::default();
    let mut given = Vec::new();
    for tenth in 1..50 {
        given.extend(assembler.push(&read(&gga(tenth)), Settings::default()).into_iter().flatten());
        if tenth % 10 == 0 {
            let rmc = format!("GPRMC,12000{}.0,A,3854.5,N,07726.4,W,5.0,84.4,241011,,,A", tenth / 10);
            given.extend(assembler.push(&read(&rmc), Settings::default()).into_iter().flatten());
        }
    }
    // Each epoch once, and all but the first RMC find their way into theirs.
    assert_eq!(given.len(), 48);
    assert_eq!(given.iter().filter(|position| position.track_deg.is_some()).count(), 3);
}

#[test]
fn midnight_is_the_next_day_even_before_a_sentence_says_so() {
    let given = positions(
        Settings::default(),
        &[
            "GPRMC,235959,A,3854.5,N,07726.4,W,1.0,84.4,311211,,,A",
            "GPGGA,000000,3854.5,N,07726.4,W,1,10,2.0,268.8,M,,M,,",
            "GPGGA,000001,3854.5,N,07726.4,W,1,10,2.0,268.8,M,,M,,",
            "GPZDA,000002,01,01,2012,,",
            "GPGGA,000003,3854.5,N,07726.4,W,1,10,2.0,268.8,M,,M,,",
        ],
    );
    let times: Vec<_> = given.iter().map(seconds).collect();
    assert_eq!(times[..4], [1_325_375_999.0, 1_325_376_000.0, 1_325_376_001.0, 1_325_376_002.0]);
}

#[test]
fn a_week_rollover_is_undone_only_if_asked() {
    let bodies = [
        "GPRMC,204132.00,A,4205.733476,N,08802.041110,W,9.415,21.404,190214,,,D",
        "GPRMC,204133.00,A,4205.733476,N,08802.041110,W,9.415,21.404,190214,,,D",
    ];
    assert_eq!(seconds(&positions(Settings::default(), &bodies)[0]), 1_392_842_492.0);
    let settings = Settings { not_before: Date::new(2017, 1, 1), ..Settings::default() };
    assert_eq!(seconds(&positions(settings, &bodies)[0]), 1_392_842_492.0 + 1024.0 * 7.0 * 86_400.0);
}

#[test]
fn without_a_fix_there_is_no_place() {
    let given = positions(
        Settings::default(),
        &[
            "GPRMC,120000,V,3854.5,N,07726.4,W,1.0,84.4,241011,,,N",
            "GPGGA,120000,3854.5,N,07726.4,W,0,00,,268.8,M,,M,,",
            "GPGGA,120001,3854.5,N,07726.4,W,1,05,2.0,268.8,M,,M,,",
            "GPGGA,120001,3854.5,N,07726.4,W,1,05,2.0,268.8,M,,M,,",
            "GPGGA,120002,3854.5,N,07726.4,W,1,05,2.0,268.8,M,,M,,",
        ],
    );
    let said: Vec<_> = given.iter().map(|position| (position.mode, position.latitude_deg.is_some())).collect();
    // No fix; a fix; the same fix again, so the receiver has lost it. The date of an invalid RMC counts for nothing.
    assert_eq!(said[..3], [(1, false), (3, true), (1, false)]);
    assert!(given.iter().all(|position| position.time_ns.is_none()));
}

#[test]
fn a_missing_speed_is_computed_unless_forbidden() {
    let bodies = [
        "GPZDA,120000,24,10,2011,,",
        "GPGGA,120000,0000.000,N,00000.000,E,1,10,2.0,1.0,M,,M,,",
        "GPGGA,120002,0000.000,N,00000.100,E,1,10,2.0,1.0,M,,M,,",
        "GPGGA,120003,0000.000,N,00000.100,E,1,10,2.0,1.0,M,,M,,",
    ];
    // A tenth of a minute of longitude on the equator, in two seconds.
    let speed = positions(Settings::default(), &bodies)[1].speed_mps.unwrap();
    assert!((speed - 6_378_137.0 * (0.1f64 / 60.0).to_radians() / 2.0).abs() < 1e-6, "{speed}");
    let settings = Settings { derive_speed: false, ..Settings::default() };
    assert_eq!(positions(settings, &bodies)[1].speed_mps, None);
}

const REAL: [&str; 9] = [
    "GPRMC,125106,A,3854.5087,N,07726.4523,W,0.0,0.0,241011,10.5,W,S",
    "GPGGA,125106,3854.5087,N,07726.4523,W,8,10,2.0,268.8,M,-33.9,M,,",
    "GNGSA,A,3,13,16,21,15,10,29,27,20,,,,,1.05,0.64,0.83,1",
    "GPGSV,3,1,10,03,41,050,46,07,60,317,49,08,34,315,45,11,35,148,45",
    "GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,A",
    "GPGLL,3854.5087,N,07726.4523,W,125107,A,A",
    "GPZDA,125108.25,24,10,2011,00,00",
    "GNGNS,125109,3854.5087,N,07726.4523,W,AANN,21,0.53,01443.9,-016.5,,",
    "PGRMZ,246,f,3",
];

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, Checksum::Optional);
        let _ = parse(&[b"$", &bytes[..]].concat(), Checksum::Optional);
    }

    #[test]
    fn one_changed_byte_never_passes_as_another_sentence(which in 0..REAL.len(), at in 1..60usize, to in any::<u8>()) {
        let whole = line(REAL[which]);
        let mut damaged = whole.clone();
        let at = at % (whole.len() - 2);
        prop_assume!(damaged[at] != to);
        damaged[at] = to;
        if let Ok(sentence) = parse(&damaged, Checksum::Required) {
            prop_assert_eq!(sentence, parse(&whole, Checksum::Required).unwrap());
        }
    }

    #[test]
    fn mutated_sentences_never_panic_and_give_only_true_places(
        picks in proptest::collection::vec((0..REAL.len(), 0..80usize, "[0-9,.A-Z-]{0,3}"), 1..60)
    ) {
        let mut assembler = Assembler::default();
        for (which, at, insert) in picks {
            let mut body = REAL[which].to_owned();
            let at = at % body.len();
            body.replace_range(at..(at + insert.len()).min(body.len()), &insert);
            let Ok(sentence) = parse(&line(&body), Checksum::Required) else { continue };
            for position in assembler.push(&sentence, Settings::default()).into_iter().flatten() {
                prop_assert!(position.latitude_deg.is_none_or(|degrees| degrees.abs() <= 90.0));
                prop_assert!(position.longitude_deg.is_none_or(|degrees| degrees.abs() <= 180.0));
                prop_assert!(position.mode >= 2 || position.latitude_deg.is_none());
            }
        }
    }

    #[test]
    fn an_assembler_goes_on_from_any_bytes(bytes in proptest::collection::vec(any::<u8>(), size_of::<Assembler>())) {
        let mut assembler: Assembler = bytemuck::pod_read_unaligned(&bytes);
        for body in REAL {
            let _ = assembler.push(&read(body), Settings { not_before: Date::new(2017, 1, 1), derive_speed: true });
        }
    }
}
