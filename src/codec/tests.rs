//! What must hold for every framing: any cut of the stream into reads gives the same frames, garbage harms nothing but
//! itself.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Frame(Vec<u8>),
    Rejected(RejectReason),
    Stray(usize),
    Cut,
}

/// Notes an event; neighbouring stray bytes count as one, since a read may end between them.
fn note(events: &mut Vec<Event>, event: FrameEvent<'_>) {
    match (event, events.last_mut()) {
        (FrameEvent::Stray(more), Some(Event::Stray(count))) => *count += more,
        (FrameEvent::Stray(count), _) => events.push(Event::Stray(count)),
        (FrameEvent::Frame(frame), _) => events.push(Event::Frame(frame.to_vec())),
        (FrameEvent::Rejected { reason }, _) => events.push(Event::Rejected(reason)),
        (FrameEvent::Cut, _) => events.push(Event::Cut),
    }
}

/// Feeds `bytes` in the pieces and with the rooms given, over and over; as a caller must who can keep what is not used.
fn run(framer: &Framer, bytes: &[u8], pieces: &[(usize, usize)]) -> Vec<Event> {
    let mut state = vec![0; framer.state_size()];
    let (mut events, mut at) = (Vec::new(), 0);
    for &(len, room) in pieces.iter().cycle() {
        let piece = &bytes[at..bytes.len().min(at + len)];
        let mut frames = 0;
        at += framer.feed(&mut state, piece, room, &mut |event| {
            frames += usize::from(matches!(event, FrameEvent::Frame(_)));
            note(&mut events, event);
        });
        assert!(frames <= room);
        if at == bytes.len() && frames < room {
            break;
        }
    }
    while !framer.flush(&mut state, 1, &mut |event| note(&mut events, event)) {}
    assert!(state[..8].iter().all(|&byte| byte == 0), "after a flush the state is fresh");
    events
}

fn frames(events: &[Event]) -> Vec<Vec<u8>> {
    let frame = |event: &Event| match event {
        Event::Frame(frame) => Some(frame.clone()),
        _ => None,
    };
    events.iter().filter_map(frame).collect()
}

fn at_once(framer: &Framer, bytes: &[u8]) -> Vec<Event> {
    run(framer, bytes, &[(usize::MAX / 2, usize::MAX)])
}

fn crc(name: &str, covers: CrcCoverage) -> Option<CrcSettings> {
    Some(CrcSettings { algorithm: CrcAlgorithm::Named(name.into()), endian: Endian::Big, covers })
}

fn fixed(size: u16, sync: &[u8], crc: Option<CrcSettings>) -> FrameSettings {
    FrameSettings { kind: FrameKind::Fixed { size, sync: sync.into() }, crc }
}

fn prefixed(max: u16, sync: &[u8], length_size: u8, counts: LengthCounts, crc: Option<CrcSettings>) -> FrameSettings {
    let kind = FrameKind::LengthPrefixed { max, sync: sync.into(), length_size, endian: Endian::Little, counts };
    FrameSettings { kind, crc }
}

fn cobs(max: u16) -> FrameSettings {
    FrameSettings { kind: FrameKind::Cobs { max }, crc: crc("CRC-16/IBM-3740", CrcCoverage::AfterSync) }
}

fn settings() -> Vec<FrameSettings> {
    use CrcCoverage::{AfterSync, Frame, Payload};
    vec![
        FrameSettings { kind: FrameKind::Line { max: 12 }, crc: None },
        cobs(20),
        FrameSettings { kind: FrameKind::Cobs { max: 300 }, crc: None },
        FrameSettings { kind: FrameKind::Slip { max: 9 }, crc: None },
        FrameSettings { kind: FrameKind::Slip { max: 20 }, crc: crc("CRC-24/OPENPGP", Payload) },
        fixed(12, &[0xAA, 0x55], crc("CRC-32", Frame)),
        fixed(9, &[0xAA], crc("CRC-8/SMBUS", AfterSync)),
        fixed(6, &[0xAA, 0xAA], None),
        fixed(7, &[], crc("CRC-16/MODBUS", AfterSync)),
        fixed(3, &[], None),
        prefixed(10, &[0xAA, 0x55], 1, LengthCounts::Payload, crc("CRC-16/MODBUS", AfterSync)),
        prefixed(40, &[0x55], 2, LengthCounts::PayloadAndCrc, crc("CRC-16/MODBUS", Payload)),
        prefixed(40, &[0x02, 0x02], 4, LengthCounts::Frame, crc("CRC-3/GSM", Frame)),
        prefixed(4, &[], 1, LengthCounts::Payload, None),
        prefixed(30, &[], 2, LengthCounts::Frame, crc("CRC-64/XZ", Frame)),
    ]
}

fn framer() -> impl Strategy<Value = Framer> {
    prop::sample::select(settings()).prop_map(|settings| Framer::new(&settings).unwrap())
}

/// Bytes that look like beginnings and ends of frames more often than chance would have it.
fn wire_byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        any::<u8>(),
        prop::sample::select(vec![0, 1, 2, 3, 5, 8, 0xAA, 0x55, b'\n', b'\r', 0xC0, 0xDB, 0xDC, 0xDD])
    ]
}

fn garbage() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(wire_byte(), 0..200)
}

/// A payload that the framing can carry, made of arbitrary bytes.
fn fit(framer: &Framer, raw: &[u8]) -> Vec<u8> {
    let is_line = framer.schema().fields()[0].name == "line";
    let len = match framer.min_wire_size() == framer.state_size() - 8 {
        true => framer.max_frame(), // fixed size
        false => 1 + raw.len() % framer.max_frame(),
    };
    let byte = |index: usize| raw.get(index).copied().unwrap_or(7);
    let clean = |byte: u8| if is_line && matches!(byte, b'\n' | b'\r') { b'.' } else { byte };
    (0..len).map(|index| clean(byte(index))).collect()
}

proptest! {
    #[test]
    fn any_cut_into_reads_gives_the_same_events(
        framer in framer(),
        parts in prop::collection::vec((garbage(), any::<bool>()), 0..8),
        pieces in prop::collection::vec((0usize..30, 1usize..4), 1..20),
    ) {
        prop_assume!(pieces.iter().any(|&(len, _)| len > 0));
        let mut stream = Vec::new();
        for (bytes, is_frame) in &parts {
            if *is_frame {
                framer.encode(&fit(&framer, bytes), &mut stream);
            } else {
                stream.extend_from_slice(bytes);
            }
        }
        prop_assert_eq!(run(&framer, &stream, &pieces), at_once(&framer, &stream));
    }

    #[test]
    fn what_was_encoded_comes_back(framer in framer(), raws in prop::collection::vec(garbage(), 0..8)) {
        let payloads: Vec<_> = raws.iter().map(|raw| fit(&framer, raw)).collect();
        let mut stream = Vec::new();
        for payload in &payloads {
            let start = stream.len();
            framer.encode(payload, &mut stream);
            prop_assert!(stream.len() - start >= framer.min_wire_size());
        }
        let expected: Vec<_> = payloads.into_iter().map(Event::Frame).collect();
        prop_assert_eq!(at_once(&framer, &stream), expected);
    }

    #[test]
    fn a_device_read_up_to_the_limit_never_gives_bytes_back(
        framer in framer(),
        stream in garbage(),
        rooms in prop::collection::vec(1usize..5, 1..10),
    ) {
        let mut state = vec![0; framer.state_size()];
        let (mut events, mut at) = (Vec::new(), 0);
        for &room in rooms.iter().cycle() {
            let piece = &stream[at..stream.len().min(at + framer.read_limit(&state, room))];
            let before = frames(&events).len();
            let used = framer.feed(&mut state, piece, room, &mut |event| note(&mut events, event));
            prop_assert_eq!(used, piece.len());
            at += used;
            if at == stream.len() && frames(&events).len() - before < room {
                break;
            }
        }
        while !framer.flush(&mut state, 2, &mut |event| note(&mut events, event)) {}
        prop_assert_eq!(events, at_once(&framer, &stream));
    }

    #[test]
    fn any_state_and_any_bytes_are_survived(framer in framer(), fill in any::<u8>(), bytes in garbage()) {
        let mut state = vec![fill; framer.state_size()];
        let mut given = 0;
        let mut on_event = |event: FrameEvent<'_>| {
            if let FrameEvent::Frame(frame) = event {
                assert!((1..=framer.max_frame()).contains(&frame.len()));
                given += 1;
            }
        };
        framer.feed(&mut state, &bytes, 1000, &mut on_event);
        framer.flush(&mut state, 1000, &mut on_event);
        framer.reset(&mut state);
        prop_assert!(given <= 1000);
        prop_assert_eq!(framer.read_limit(&state, 0), 0);
        prop_assert!(framer.read_limit(&state, 1) > 0);
    }

    /// Framings with sync bytes and a CRC of 16 bits or more: garbage in between costs no frame.
    #[test]
    fn scanning_loses_no_frame_to_noise_in_front_of_it(
        which in prop::sample::select(vec![5usize, 10, 11]),
        noise in prop::collection::vec(garbage(), 1..6),
    ) {
        let framer = Framer::new(&settings()[which]).unwrap();
        let (mut stream, mut payloads) = (Vec::new(), Vec::new());
        for bytes in &noise {
            stream.extend_from_slice(bytes);
            payloads.push(fit(&framer, bytes));
            framer.encode(payloads.last().unwrap(), &mut stream);
        }
        let mut seen = frames(&at_once(&framer, &stream)).into_iter();
        for payload in &payloads {
            prop_assert!(seen.any(|frame| frame == *payload), "{payload:?} was lost");
        }
    }

    /// Delimited framings lose at most the frame that the noise runs into.
    #[test]
    fn a_delimited_frame_is_recovered_after_the_next_delimiter(
        which in 0usize..5,
        noise in garbage(),
        raws in prop::collection::vec(garbage(), 2..5),
    ) {
        let framer = Framer::new(&settings()[which]).unwrap();
        let payloads: Vec<_> = raws.iter().map(|raw| fit(&framer, raw)).collect();
        let mut stream = noise;
        for payload in &payloads {
            framer.encode(payload, &mut stream);
        }
        let seen = frames(&at_once(&framer, &stream));
        prop_assert!(seen.ends_with(&payloads[1..]));
    }

    /// One damaged byte costs one frame and is reported as one.
    #[test]
    fn a_flipped_bit_costs_one_frame(
        which in prop::sample::select(vec![5usize, 10]),
        raws in prop::collection::vec(garbage(), 3..8),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let framer = Framer::new(&settings()[which]).unwrap();
        let payloads: Vec<_> = raws.iter().map(|raw| fit(&framer, raw)).collect();
        let mut stream = Vec::new();
        let mut ends = Vec::new();
        for payload in &payloads {
            framer.encode(payload, &mut stream);
            ends.push(stream.len());
        }
        let at = at.index(stream.len());
        stream[at] ^= 1 << bit;
        let hit = ends.iter().position(|&end| at < end).unwrap();
        let mut expected = payloads;
        expected.remove(hit);
        prop_assert_eq!(frames(&at_once(&framer, &stream)), expected);
    }
}

#[test]
fn a_line_too_long_is_refused_once_and_the_next_is_read() {
    let framer = Framer::new(&settings()[0]).unwrap();
    let events = at_once(&framer, b"0123456789abc\r\n\r\n0123456789ab\r\nok\nend");
    let line = |text: &[u8]| Event::Frame(text.to_vec());
    assert_eq!(events, [Event::Rejected(RejectReason::TooLong), line(b"0123456789ab"), line(b"ok"), Event::Cut]);
}

#[test]
fn a_good_frame_within_a_false_one_is_found_and_the_noise_counts_once() {
    let framer = Framer::new(&settings()[5]).unwrap();
    let mut stream = vec![1, 2, 3, 0xAA, 0x55, 9, 9];
    framer.encode(b"abcdef", &mut stream);
    framer.encode(b"ghijkl", &mut stream);
    let frame = |text: &[u8]| Event::Frame(text.to_vec());
    let expected = [Event::Stray(3), Event::Rejected(RejectReason::Crc), frame(b"abcdef"), frame(b"ghijkl")];
    assert_eq!(at_once(&framer, &stream), expected);
}

#[test]
fn frames_hidden_by_a_damaged_length_are_given_at_the_end() {
    let framer = Framer::new(&settings()[11]).unwrap();
    let mut stream = Vec::new();
    framer.encode(b"lost", &mut stream);
    stream[1] = 42;
    framer.encode(b"kept", &mut stream);
    assert_eq!(at_once(&framer, &stream), [Event::Cut, Event::Frame(b"kept".to_vec())]);
}

#[test]
fn a_wrong_crc_is_refused_as_such() {
    let framer = Framer::new(&cobs(20)).unwrap();
    let mut stream = Vec::new();
    framer.encode(b"12345", &mut stream);
    stream[2] ^= 0x40;
    framer.encode(b"67890", &mut stream);
    stream.extend_from_slice(&[2, 1, 0, 9, 1, 0]);
    let refused = Event::Rejected;
    let expected = [
        refused(RejectReason::Crc),
        Event::Frame(b"67890".to_vec()),
        refused(RejectReason::TooShort),
        refused(RejectReason::Encoding),
    ];
    assert_eq!(at_once(&framer, &stream), expected);
}

#[test]
fn reset_says_whether_a_frame_was_broken_off() {
    for settings in settings() {
        let framer = Framer::new(&settings).unwrap();
        let mut state = vec![0; framer.state_size()];
        let mut wire = Vec::new();
        framer.encode(&fit(&framer, b"abc"), &mut wire);
        assert!(!framer.reset(&mut state));
        framer.feed(&mut state, &wire[..wire.len() - 1], 1, &mut |_| {});
        assert!(framer.reset(&mut state), "{settings:?}");
        framer.feed(&mut state, &wire, 1, &mut |_| {});
        assert!(!framer.reset(&mut state), "{settings:?}");
    }
}

#[test]
fn settings_that_cannot_work_name_the_option() {
    let line_crc = FrameSettings { kind: FrameKind::Line { max: 80 }, crc: crc("CRC-16/MODBUS", CrcCoverage::Frame) };
    for (settings, key) in [
        (line_crc, "crc"),
        (FrameSettings { kind: FrameKind::Slip { max: 0 }, crc: None }, "max"),
        (FrameSettings { kind: FrameKind::Cobs { max: u16::MAX }, crc: None }, "max"),
        (fixed(6, &[1, 2], crc("CRC-32", CrcCoverage::Frame)), "size"),
        (fixed(60, &[0; 17], None), "sync"),
        (prefixed(60, &[], 3, LengthCounts::Payload, None), "length_size"),
        (fixed(60, &[], crc("CRC-16/MODBUSS", CrcCoverage::Frame)), "crc"),
    ] {
        assert_eq!(Framer::new(&settings).unwrap_err().key, key, "{settings:?}");
    }
}

#[test]
fn frames_are_written_as_their_schema_says() {
    use crate::message::{Header, Record, RecordMut};
    for (settings, shown) in [(&settings()[0], "line text[12]"), (&settings()[1], "frame bytes[20]")] {
        let framer = Framer::new(settings).unwrap();
        assert_eq!(framer.schema().to_string(), shown);
        let (mut header, mut payload) = (Header::default(), vec![0; framer.schema().payload_size()]);
        framer.write(b"abc", &mut RecordMut::new(framer.schema(), &mut header, &mut payload));
        assert_eq!(Record::new(framer.schema(), &header, &payload).bytes(0), b"abc");
    }
}
