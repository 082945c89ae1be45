//! A GPS receiver: recorded sentences at their own pace.

use crate::codec::nmea::{Checksum, Sentence, parse};

const RECORDED: &[u8] = include_bytes!("data/gps.log");
/// From the last sentence of the recording to its first.
const LOOP_NS: u64 = 1_000_000_000;

/// Plays the recording over and over.
#[derive(Debug)]
pub(super) struct Gps {
    /// Sentences, each with its moment since the first.
    sentences: Vec<(u64, &'static [u8])>,
    next: usize,
    /// When the recording began this time.
    began_ns: u64,
}

impl Gps {
    pub(super) fn start(now_ns: u64) -> Self {
        let lines = RECORDED.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let (mut first, mut at) = (None, 0);
        let timed = lines.filter_map(|line| {
            let sentence = parse(line, Checksum::Required).ok()?;
            if let Some(time) = time_of(&sentence).and_then(|time| u64::try_from(time).ok()) {
                at = time.saturating_sub(*first.get_or_insert(time));
            }
            Some((at, line))
        });
        Self { sentences: timed.collect(), next: 0, began_ns: now_ns }
    }

    /// When the next sentence is due.
    pub(super) fn due_ns(&self) -> u64 {
        self.began_ns + self.sentences[self.next].0
    }

    /// The next sentence, without the line's end.
    pub(super) fn sentence(&mut self) -> &'static [u8] {
        let (at, line) = self.sentences[self.next];
        self.next += 1;
        if self.next == self.sentences.len() {
            self.next = 0;
            self.began_ns += at + LOOP_NS;
        }
        line
    }
}

/// UTC as ns since midnight, of the sentences that tell it.
fn time_of(sentence: &Sentence) -> Option<i64> {
    let time = match sentence {
        Sentence::Rmc(rmc) => rmc.time,
        Sentence::Gga(gga) => gga.time,
        Sentence::Gll(gll) => gll.time,
        Sentence::Zda(zda) => zda.time,
        _ => None,
    };
    time.map(|time| time.ns)
}

/// Flips one bit of a digit in the sentence: never a delimiter, so that exactly this sentence is spoilt.
pub(super) fn flip(sentence: &mut [u8], choice: usize) -> bool {
    let star = sentence.iter().rposition(|byte| *byte == b'*').unwrap_or(sentence.len());
    let digits: Vec<usize> = (0..star).filter(|index| sentence[*index].is_ascii_digit()).collect();
    let Some(index) = digits.get(choice % digits.len().max(1)) else { return false };
    sentence[*index] ^= 1;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_is_played_at_its_own_pace_and_again() {
        let mut gps = Gps::start(1_000);
        let count = gps.sentences.len();
        assert!(count > 100);
        let mut last = 0;
        for _ in 0..2 * count {
            assert!(gps.due_ns() >= last);
            last = gps.due_ns();
            assert!(parse(gps.sentence(), Checksum::Required).is_ok());
        }
        assert!(last > 30_000_000_000, "twenty seconds, twice");
    }

    #[test]
    fn a_flipped_sentence_fails_its_checksum_and_nothing_else() {
        let mut gps = Gps::start(0);
        for choice in 0..200 {
            let mut sentence = gps.sentence().to_vec();
            assert!(flip(&mut sentence, choice * 7));
            assert!(parse(&sentence, Checksum::Required).is_err());
            assert!(sentence.starts_with(b"$") && !sentence.contains(&b'\n'));
        }
    }

    #[test]
    fn the_recording_shows_somebody_walking_at_one_fix_a_second() {
        let gps = Gps::start(0);
        let fixes: Vec<(u64, f64)> = gps
            .sentences
            .iter()
            .filter_map(|(at, line)| match parse(line, Checksum::Required) {
                Ok(Sentence::Rmc(rmc)) if rmc.valid => Some((*at, rmc.speed_knots?)),
                _ => None,
            })
            .collect();
        assert!(fixes.len() > 30);
        // The receiver skipped two seconds of its own accord.
        assert!(fixes.windows(2).all(|pair| (950..2050).contains(&((pair[1].0 - pair[0].0) / 1_000_000))));
        let walking = fixes.iter().filter(|(_, knots)| (0.5..5.0).contains(knots)).count();
        assert!(walking * 10 > fixes.len() * 9, "{walking} of {}", fixes.len());
    }
}
