//! Plays the instruments: one thread that sleeps until the next frame is due.

use std::io;
use std::os::fd::RawFd;
use std::path::Path;
use std::time::Duration;

use super::gps::{Gps, flip};
use super::imu::Imu;
use super::ledger::{Count, Fault, FaultEvent, Instrument, Ledger};
use super::line::Line;
use super::script::{Act, Script};
use super::weather::Weather;
use crate::sys::clock::monotonic_ns;
use crate::sys::signal;
use crate::sys::termination::Termination;

/// What an instrument keeps while nobody reads: four seconds of the fastest one.
const MEMORY: usize = 128 * 1024;
/// Sentences damaged by one fault.
const FLIPS: u32 = 3;
/// How long the end of reading is waited for before a cable is pulled, and at the end.
const PATIENCE_NS: u64 = 1_000_000_000;
/// From half a line to the pulling of its cable.
const GRACE_NS: u64 = 20_000_000;

/// The weather station's cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cable {
    Plugged,
    /// Nothing is sent any more; once all is read (or at this time), half a line goes out.
    Emptying(u64),
    /// Half a line is out; the cable is pulled at this time.
    Cut(u64),
    /// Unplugged until this time.
    Unplugged(u64),
}

/// The three instruments on their lines.
pub struct Player {
    gps_line: Line,
    imu_line: Line,
    weather_line: Line,
    gps: Gps,
    imu: Imu,
    weather: Weather,
    cable: Cable,
    flips_left: u32,
    flipped: usize,
}

impl Player {
    /// Plugs the instruments in, behind links in `folder`; they send nothing yet.
    ///
    /// # Errors
    /// If there are no pseudo terminals, or the folder cannot be written to.
    pub fn plug(folder: &Path) -> io::Result<Self> {
        let line = |instrument| Line::plug(instrument, folder, MEMORY);
        Ok(Self {
            gps_line: line(Instrument::Gps)?,
            imu_line: line(Instrument::Imu)?,
            weather_line: line(Instrument::Weather)?,
            gps: Gps::start(0),
            imu: Imu::start(0),
            weather: Weather::start(0),
            cable: Cable::Plugged,
            flips_left: 0,
            flipped: 0,
        })
    }

    /// The descriptors that the instruments' process must keep.
    pub fn descriptors(&self) -> Vec<RawFd> {
        [&self.gps_line, &self.imu_line, &self.weather_line].into_iter().flat_map(Line::descriptors).collect()
    }

    /// The instruments begin to send now.
    pub fn start(&mut self, now_ns: u64) {
        (self.gps, self.imu, self.weather) = (Gps::start(now_ns), Imu::start(now_ns), Weather::start(now_ns));
    }

    /// Plays until the ledger says stop or SIGTERM comes (`timeout`, a service manager and a container's end send it to
    /// every process they find), then waits until all is read (a second at most) and closes the ledger. `victim` names the pid of a worker to kill.
    ///
    /// # Errors
    /// If a terminal fails.
    pub fn play(
        &mut self,
        ledger: &Ledger,
        script: &mut Script,
        mut victim: impl FnMut() -> Option<i32>,
    ) -> io::Result<()> {
        let termination = Termination::hold()?;
        while !ledger.is_stopped() {
            let due = self.step(monotonic_ns(), ledger, script, &mut victim)?;
            if termination.wait(Duration::from_nanos(due.saturating_sub(monotonic_ns())))? {
                break;
            }
        }
        let until = monotonic_ns() + PATIENCE_NS;
        while !self.is_drained()? && monotonic_ns() < until {
            self.flush(ledger)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        ledger.close();
        Ok(())
    }

    fn is_drained(&self) -> io::Result<bool> {
        Ok(self.gps_line.is_drained()? && self.imu_line.is_drained()? && self.weather_line.is_drained()?)
    }

    /// Sends all that is due at `now_ns` and does what the script says; when something is due next.
    ///
    /// # Errors
    /// As [`Self::play`].
    pub fn step(
        &mut self,
        now_ns: u64,
        ledger: &Ledger,
        script: &mut Script,
        victim: &mut dyn FnMut() -> Option<i32>,
    ) -> io::Result<u64> {
        match script.due(now_ns) {
            Some(Act::Unplug) if self.cable == Cable::Plugged => self.cable = Cable::Emptying(now_ns + PATIENCE_NS),
            Some(Act::Flip) => self.flips_left = FLIPS,
            Some(Act::Kill) => kill(ledger, victim),
            Some(Act::Unplug) | None => {}
        }
        while self.gps.due_ns() <= now_ns {
            self.send_sentence(now_ns, ledger)?;
        }
        while self.imu.due_ns() <= now_ns {
            self.imu_line.send(self.imu.frame(), ledger)?;
        }
        self.handle_cable(now_ns, ledger, script.unplugged_ns)?;
        while self.cable == Cable::Plugged && self.weather.due_ns() <= now_ns {
            self.weather_line.send(self.weather.line(), ledger)?;
        }
        self.flush(ledger)?;
        let weather = match self.cable {
            Cable::Plugged => self.weather.due_ns(),
            Cable::Emptying(_) => now_ns + 1_000_000,
            Cable::Cut(until) | Cable::Unplugged(until) => until,
        };
        let dues = [self.gps.due_ns(), self.imu.due_ns(), weather];
        Ok(dues.into_iter().chain(script.due_ns()).min().unwrap_or(now_ns))
    }

    fn flush(&mut self, ledger: &Ledger) -> io::Result<()> {
        self.gps_line.flush(ledger)?;
        self.imu_line.flush(ledger)?;
        self.weather_line.flush(ledger)
    }

    fn send_sentence(&mut self, now_ns: u64, ledger: &Ledger) -> io::Result<()> {
        let mut line = self.gps.sentence().to_vec();
        if self.flips_left > 0 {
            self.flipped += 1;
            if flip(&mut line, self.flipped * 5) {
                self.flips_left -= 1;
                ledger.add(Instrument::Gps, Count::Corrupted, 1);
                ledger.note(FaultEvent { fault: Fault::BitsFlipped, at_ns: now_ns, detail: 0 });
            }
        }
        line.extend(b"\r\n");
        self.gps_line.send(&line, ledger)
    }

    fn handle_cable(&mut self, now_ns: u64, ledger: &Ledger, unplugged_ns: u64) -> io::Result<()> {
        match self.cable {
            Cable::Emptying(until) if now_ns >= until || self.weather_line.is_drained()? => {
                let line = self.weather.line();
                self.weather_line.send_piece(&line[..line.len() / 2], ledger)?;
                self.cable = Cable::Cut(now_ns + GRACE_NS);
            }
            Cable::Cut(until) if now_ns >= until => {
                self.weather_line.unplug(ledger)?;
                ledger.note(FaultEvent { fault: Fault::Unplugged, at_ns: now_ns, detail: 0 });
                self.cable = Cable::Unplugged(now_ns + unplugged_ns);
            }
            Cable::Unplugged(until) if now_ns >= until => {
                self.weather_line.plug_in()?;
                self.weather.skip_to(now_ns);
                ledger.note(FaultEvent { fault: Fault::Plugged, at_ns: monotonic_ns(), detail: 0 });
                self.cable = Cable::Plugged;
            }
            _ => {}
        }
        debug_assert!(self.weather_line.is_plugged() || matches!(self.cable, Cable::Unplugged(_)));
        Ok(())
    }
}

fn kill(ledger: &Ledger, victim: &mut dyn FnMut() -> Option<i32>) {
    let Some(pid) = victim() else { return };
    let at_ns = monotonic_ns();
    // It may have ended by itself this very moment; then there is nothing to show.
    if signal::kill_hard(pid).is_ok() {
        ledger.note(FaultEvent { fault: Fault::Killed, at_ns, detail: u64::from(pid.unsigned_abs()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;

    struct Reader {
        path: std::path::PathBuf,
        file: Option<File>,
        bytes: Vec<u8>,
    }

    impl Reader {
        fn read(&mut self) {
            if self.file.is_none() {
                self.file =
                    File::options().read(true).custom_flags(crate::sys::tty::NON_BLOCKING).open(&self.path).ok();
            }
            let Some(file) = &mut self.file else { return };
            let mut buffer = [0; 4096];
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => break self.file = None,
                    Ok(count) => self.bytes.extend(&buffer[..count]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => break self.file = None,
                }
            }
        }

        fn ends(&self, end: u8) -> u64 {
            self.bytes.iter().filter(|byte| **byte == end).count() as u64
        }
    }

    /// Time runs as fast as it is read: the clock is ours.
    #[test]
    fn the_books_agree_with_what_comes_out_of_the_lines() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new().unwrap();
        let mut player = Player::plug(folder.path()).unwrap();
        let mut readers = Instrument::ALL.map(|instrument| Reader {
            path: folder.path().join(instrument.name()),
            file: None,
            bytes: Vec::new(),
        });
        let mut script = Script::faults(Some(Duration::from_secs(8)), 0);
        player.start(0);
        let mut now = 0;
        while now < 8_000_000_000 {
            now = player.step(now, &ledger, &mut script, &mut || None).unwrap().max(now + 1);
            readers.iter_mut().for_each(Reader::read);
        }
        while !player.is_drained().unwrap() {
            readers.iter_mut().for_each(Reader::read);
        }
        readers.iter_mut().for_each(Reader::read);
        let sent = |instrument| ledger.get(instrument, Count::Sent);
        assert_eq!(sent(Instrument::Imu), readers[1].ends(0));
        assert!(sent(Instrument::Imu) >= 8000);
        assert_eq!(sent(Instrument::Gps), readers[0].ends(b'\n'));
        assert_eq!(ledger.get(Instrument::Gps, Count::Corrupted), u64::from(FLIPS));
        let lost = ledger.get(Instrument::Weather, Count::LostInCable);
        assert_eq!(sent(Instrument::Weather) - lost, readers[2].ends(b'\n'));
        assert_eq!(ledger.get(Instrument::Weather, Count::Cut), 1);
        let faults: Vec<Fault> = ledger.events(0).iter().map(|event| event.fault).collect();
        assert_eq!(faults[..2], [Fault::Unplugged, Fault::Plugged]);
        assert_eq!(faults.iter().filter(|fault| **fault == Fault::BitsFlipped).count(), FLIPS as usize);
    }

    #[test]
    fn sigterm_ends_the_playing_with_the_books_closed() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new().unwrap();
        let mut player = Player::plug(folder.path()).unwrap();
        // Blocked and raised in this thread alone: it is pending when the playing begins.
        let held = Termination::hold().unwrap();
        crate::sys::termination::raise_in_this_thread();
        player.start(monotonic_ns());
        player.play(&ledger, &mut Script::calm(), || None).unwrap();
        assert!(ledger.is_closed());
        assert!(ledger.get(Instrument::Imu, Count::Sent) > 0);
        drop(held);
    }
}
