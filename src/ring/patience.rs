//! How long to look before sleeping, and before giving up: the clock of a wait.

use std::time::{Duration, Instant};

use super::settings::Wait;

/// What to do after a look that found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Look again.
    Look,
    /// Sleep, at most so long.
    Sleep(Option<Duration>),
    /// The time is over.
    GiveUp,
}

/// Looks between two looks at the clock, which take as long as several looks at a ring.
const LOOKS: u32 = 32;

/// One wait.
#[derive(Debug)]
pub(super) struct Patience {
    wait: Wait,
    timeout: Option<Duration>,
    started: Option<Instant>,
    looks: u32,
}

impl Patience {
    pub(super) fn new(wait: Wait, timeout: Option<Duration>) -> Self {
        Self { wait, timeout, started: None, looks: 0 }
    }

    /// After a look that found nothing.
    #[inline]
    pub(super) fn next(&mut self) -> Next {
        self.looks += 1;
        if self.looks % LOOKS != 0 && self.wait != Wait::Sleep {
            return Next::Look;
        }
        self.by_the_clock()
    }

    #[cold]
    fn by_the_clock(&mut self) -> Next {
        if self.wait == Wait::Sleep && self.timeout.is_none() {
            return Next::Sleep(None);
        }
        let waited = self.started.get_or_insert_with(Instant::now).elapsed();
        if self.timeout.is_some_and(|timeout| waited >= timeout) {
            return Next::GiveUp;
        }
        let looks = match self.wait {
            Wait::Busy => true,
            Wait::SpinThenSleep(spin) => waited < spin,
            Wait::Sleep => false,
        };
        if looks { Next::Look } else { Next::Sleep(self.timeout.map(|timeout| timeout - waited)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_looks_for_ever_and_sleep_never() {
        let mut busy = Patience::new(Wait::Busy, None);
        assert!((0..1000).all(|_| busy.next() == Next::Look));
        assert_eq!(Patience::new(Wait::Sleep, None).next(), Next::Sleep(None));
    }

    #[test]
    fn looking_ends_with_its_time_and_everything_with_the_timeout() {
        let mut some = Patience::new(Wait::SpinThenSleep(Duration::ZERO), None);
        assert_eq!((0..LOOKS).fold(None, |_, _| Some(some.next())), Some(Next::Sleep(None)));
        for wait in [Wait::Busy, Wait::Sleep, Wait::default()] {
            let mut none = Patience::new(wait, Some(Duration::ZERO));
            assert!((0..LOOKS).any(|_| none.next() == Next::GiveUp), "{wait:?}");
        }
        let mut brief = Patience::new(Wait::Sleep, Some(Duration::from_secs(9)));
        assert!(matches!(brief.next(), Next::Sleep(Some(left)) if left <= Duration::from_secs(9)));
    }
}
