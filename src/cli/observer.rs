//! What `run` and `demo` show while a pipeline runs: the live table on a terminal, else a line now and then.

use std::io::IsTerminal;
use std::time::Duration;

use super::logger::Screen;
use crate::dash::{Live, Rates, status_line};
use crate::pipeline::{System, log_event};
use crate::supervisor::{Event, Wish};
use crate::sys::clock::monotonic_ns;
use crate::sys::stderr;

/// How often the live table is drawn.
const DRAW: Duration = Duration::from_millis(250);
/// How often a line is printed where there is no terminal, and where nothing but time asks for one.
const LINE: Duration = Duration::from_secs(5);

/// Shows what happens.
pub(super) struct Observer {
    live: Option<Live>,
    screen: Screen,
    rates: Rates,
    started_ns: u64,
    next_line_ns: u64,
}

impl Observer {
    /// Takes the terminal over, if there is one; `plain` leaves it alone.
    pub(super) fn start(title: &str, screen: Screen, plain: bool) -> Self {
        let wanted = !plain && std::io::stdout().is_terminal();
        let live = if wanted { Live::start(title.to_owned()).ok() } else { None };
        if live.is_some() {
            if let Ok(mut lines) = screen.lock() {
                *lines = Some(Vec::new());
            }
        }
        let now = monotonic_ns();
        Self { live, screen, rates: Rates::default(), started_ns: now, next_line_ns: now }
    }

    /// How often the supervisor should tick for us.
    pub(super) fn tick(&self) -> Duration {
        if self.live.is_some() { DRAW } else { Duration::from_secs(1) }
    }

    /// How long it has run.
    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_nanos(monotonic_ns() - self.started_ns)
    }

    /// Shows an event. Says [`Wish::Stop`] to a request to stop.
    pub(super) fn event(&mut self, system: &System, event: &Event<'_>) -> Wish {
        log_event(system, event);
        match event {
            Event::Tick => self.tick_passed(system),
            // Whoever restarts a service does not say so: a successor must be able to go on.
            Event::StopAsked { .. } if system.notifier().is_heard() => return Wish::Park,
            Event::StopAsked { .. } => return Wish::Stop,
            _ => {}
        }
        Wish::Continue
    }

    fn tick_passed(&mut self, system: &System) {
        let now = monotonic_ns();
        if self.live.is_none() && now < self.next_line_ns {
            return;
        }
        let status = system.status();
        let first = self.rates.current().is_empty();
        let rates = self.rates.update(&status, now).to_vec();
        let elapsed = Duration::from_nanos(now - self.started_ns);
        match &mut self.live {
            Some(live) => {
                if let Ok(mut lines) = self.screen.lock() {
                    lines.iter_mut().flatten().for_each(|line| live.event(std::mem::take(line)));
                    lines.iter_mut().for_each(Vec::clear);
                }
                let elapsed = humantime::format_duration(Duration::from_secs(elapsed.as_secs())).to_string();
                // A terminal that is gone is no reason to stop recording.
                let _ = live.draw(&status, &rates, &elapsed);
            }
            None => {
                self.next_line_ns = now + u64::try_from(LINE.as_nanos()).unwrap_or(u64::MAX);
                if !first {
                    log::info!("{}", status_line(&status, &rates));
                }
            }
        }
    }

    /// Gives the terminal back and prints the events again where they stay.
    pub(super) fn finish(self) {
        let mut lines: Vec<String> = Vec::new();
        if let Some(live) = &self.live {
            lines.extend(live.events().map(str::to_owned));
        }
        drop(self.live);
        if let Ok(mut screen) = self.screen.lock() {
            lines.extend(screen.take().unwrap_or_default());
        }
        lines.iter().for_each(|line| stderr::say(line));
    }
}
