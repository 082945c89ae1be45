//! A stage that misbehaves, in each of the ways that a supervisor has to bear.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use pinring::message::Record;
use pinring::pipeline::{Emitter, Input, Output, PlanError, Stage};

use crate::{MS, support};

/// What a stage does with message 100, once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mischief {
    None,
    Spin,
    Block,
    Panic,
    Exit(i32),
    /// Writes garbage wherever it may write.
    Scribble,
}

/// Passes on what it gets, and misbehaves. A file says that it has done so.
pub(crate) struct Naughty {
    pub(crate) mischief: Mischief,
    pub(crate) done: PathBuf,
    pub(crate) always: bool,
}

impl Stage for Naughty {
    fn kind(&self) -> &'static str {
        "naughty"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        Ok(Output { schema: inputs[0].schema.clone(), state_size: 0, max_per_step: 1, rate: inputs[0].rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, _: &mut [u8], out: &mut Emitter<'_>) {
        let n = record.i64(0).unwrap();
        if n >= 100 && (self.always || (n == 100 && !self.done.exists())) {
            fs::write(&self.done, "").unwrap();
            match self.mischief {
                Mischief::None => {}
                Mischief::Spin => spin_for_ever(),
                Mischief::Block => std::thread::sleep(Duration::from_secs(1000)),
                Mischief::Panic => panic!("message 100 is too much"),
                Mischief::Scribble => loop {
                    scribble();
                    std::thread::sleep(MS);
                },
                Mischief::Exit(code) => pinring::sys::fork::exit_now(code),
            }
        }
        out.emit(|record| record.set_i64(0, n));
    }
}

/// What the stage's worker may write: set before it is forked.
pub(crate) static WRITABLE: std::sync::OnceLock<Vec<std::ops::Range<usize>>> = std::sync::OnceLock::new();

/// Fills all of that with noise, in the segment as it is mapped here.
fn scribble() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.contains("memfd:pinring")).unwrap();
    let base = usize::from_str_radix(line.split('-').next().unwrap(), 16).unwrap();
    let mut noise = support::Random::of(88_172_645_463_325_252);
    for at in WRITABLE.get().unwrap().iter().flat_map(|range| range.clone().step_by(8)) {
        let word = (base + at) as *mut u64;
        // SAFETY: within the segment, which is mapped as long as this process lives. That others read it meanwhile is the point.
        unsafe { word.write_volatile(noise.next()) };
    }
}

#[inline(never)]
fn spin_for_ever() {
    loop {
        std::hint::black_box(0);
    }
}
