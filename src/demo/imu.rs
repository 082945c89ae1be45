//! An inertial measurement unit: 1,000 binary frames a second.
//!
//! A frame on the wire is COBS-encoded and ended by a zero byte. Inside, little endian:
//!
//! | offset | type | field | unit of a step |
//! |---|---|---|---|
//! | 0 | u32 | counter, up by one from frame to frame | |
//! | 4 | u32 | the device's clock | us |
//! | 8, 10, 12 | i16 | acceleration x y z | 0.01 m/s2 |
//! | 14, 16, 18 | i16 | turn rate x y z | 0.1 deg/s |
//! | 20 | i16 | temperature | 0.01 degC |
//! | 22 | u16 | CRC-16/IBM-3740 of all before | |

use crate::codec::{Crc, CrcAlgorithm, CrcCoverage, CrcSettings, Endian, cobs_encode};

/// Time from frame to frame.
const PERIOD_NS: u64 = 1_000_000;

/// Makes frames on an absolute schedule.
pub(super) struct Imu {
    /// Frames made; the counter in a frame is its low 32 bits, which last for seven weeks.
    count: u64,
    began_ns: u64,
    crc: Crc,
    frame: Vec<u8>,
    wire: Vec<u8>,
}

impl Imu {
    pub(super) fn start(now_ns: u64) -> Self {
        let algorithm = CrcAlgorithm::Named("CRC-16/IBM-3740".into());
        let settings = CrcSettings { algorithm, endian: Endian::Little, covers: CrcCoverage::Payload };
        let crc = Crc::new(&settings).expect("the catalogue has it");
        Self { count: 0, began_ns: now_ns, crc, frame: Vec::with_capacity(32), wire: Vec::with_capacity(32) }
    }

    /// When the next frame is due.
    pub(super) fn due_ns(&self) -> u64 {
        self.began_ns + self.count * PERIOD_NS
    }

    /// The next frame as it goes over the wire.
    pub(super) fn frame(&mut self) -> &[u8] {
        let counter = u32::try_from(self.count & u64::from(u32::MAX)).expect("the low 32 bits");
        let seconds = f64::from(counter) / 1000.0;
        let wave = |hertz: f64, phase: f64| (std::f64::consts::TAU * hertz * seconds + phase).sin();
        // A vehicle: slow turns, vibration, a little heat.
        let acceleration = [0.8 * wave(0.3, 0.0), 0.5 * wave(0.2, 1.0), 9.81 + 0.15 * wave(37.0, 0.0)];
        let turn = [4.0 * wave(0.25, 0.5), 2.5 * wave(0.4, 0.0), 12.0 * wave(0.1, 0.0)];
        self.frame.clear();
        self.frame.extend(counter.to_le_bytes());
        self.frame.extend(counter.wrapping_mul(1000).to_le_bytes());
        acceleration.map(|value| step(value, 0.01)).iter().for_each(|step| self.frame.extend(step.to_le_bytes()));
        turn.map(|value| step(value, 0.1)).iter().for_each(|step| self.frame.extend(step.to_le_bytes()));
        self.frame.extend(step(31.0 + wave(0.01, 0.0), 0.01).to_le_bytes());
        self.crc.append(&mut self.frame);
        self.count += 1;
        self.wire.clear();
        cobs_encode(&self.frame, &mut self.wire);
        &self.wire
    }
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and the signals are far smaller")]
fn step(value: f64, size: f64) -> i16 {
    (value / size).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{FrameEvent, FrameKind, FrameSettings, Framer};

    #[test]
    fn frames_pass_the_framer_and_count_up() {
        let algorithm = CrcAlgorithm::Named("CRC-16/IBM-3740".into());
        let crc = CrcSettings { algorithm, endian: Endian::Little, covers: CrcCoverage::AfterSync };
        let framer = Framer::new(&FrameSettings { kind: FrameKind::Cobs { max: 32 }, crc: Some(crc) }).unwrap();
        let mut state = vec![0; framer.state_size()];
        let (mut imu, mut counters) = (Imu::start(7), Vec::new());
        for number in 0..300u64 {
            assert_eq!(imu.due_ns(), 7 + number * PERIOD_NS);
            framer.feed(&mut state, imu.frame(), 9, &mut |event| match event {
                FrameEvent::Frame(frame) => counters.push(u32::from_le_bytes(frame[..4].try_into().unwrap())),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(counters, (0..300).collect::<Vec<u32>>());
    }

    #[test]
    fn the_schedule_goes_on_when_the_counter_wraps() {
        let mut imu = Imu::start(0);
        imu.count = u64::from(u32::MAX);
        let before = imu.due_ns();
        imu.frame();
        assert_eq!(imu.due_ns(), before + PERIOD_NS);
        imu.frame();
        assert_eq!(imu.frame[..4], [0; 4]);
    }

    #[test]
    fn the_signals_are_a_vehicles() {
        let mut imu = Imu::start(0);
        let word = |frame: &[u8], at: usize| i16::from_le_bytes([frame[at], frame[at + 1]]);
        let mut last: Option<Vec<u8>> = None;
        for _ in 0..20_000 {
            imu.frame();
            let frame = imu.frame.clone();
            assert!((960..=1000).contains(&word(&frame, 12)), "gravity, in cm/s2: {}", word(&frame, 12));
            assert!((3000..=3200).contains(&word(&frame, 20)), "a warm device: {}", word(&frame, 20));
            let smooth = |before: &Vec<u8>| {
                [8, 10, 14, 16, 18].iter().all(|at| word(before, *at).abs_diff(word(&frame, *at)) <= 2)
            };
            assert!(last.as_ref().is_none_or(smooth), "slow signals do not jump");
            last = Some(frame);
        }
    }
}
