//! `pinring demo`: the whole of it on instruments of its own, with faults on purpose and a verdict.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::arguments::DemoArguments;
use super::observer::Observer;
use super::verdict::{Faults, Verdict};
use super::{exit, logger};
use crate::config;
use crate::demo::{self, Checked, Fault, FaultEvent, Ledger, Player, Script};
use crate::pipeline::{Plan, Report, System};
use crate::process::{Child, Identity, spawn};
use crate::source::Temperature;
use crate::supervisor::{Crew, Event, Wish};
use crate::sys::clock::monotonic_ns;
use crate::sys::{stderr, wait};
use crate::topology::Topology;

/// How often the demo looks at its clock and at the instruments' books.
const TICK: Duration = Duration::from_millis(100);

/// A folder for the ports' links, removed at the end.
struct Ports(PathBuf);

impl Ports {
    fn make() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("pinring-demo-{}", std::process::id()));
        // A folder of that name was left by a killed demo with the same pid.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).map_err(|error| anyhow::anyhow!("cannot make {}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        // Links to terminals that are gone; the next start of the machine removes them, too.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The configuration, for this board, these folders and files of that name.
fn configuration(ports: &Path, data: &Path, file: &str) -> String {
    let temperature = Temperature::is_available();
    let more = if temperature { ", \"board\"" } else { "" };
    let text = demo::CONFIG.replace("@MORE@", more).replace("@FILE@", file);
    let text = text.replace("@PORTS@", &escaped(ports)).replace("@DATA@", &escaped(data));
    if temperature { text + demo::TEMPERATURE } else { text }
}

/// A path inside a TOML string.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"")
}

pub(super) fn run(arguments: &DemoArguments) -> anyhow::Result<u8> {
    if arguments.print_config {
        let text = configuration(Path::new("/dev/serial/by-id"), &arguments.data, "{input}-{date}.csv");
        return super::show(|out| Ok(out.write_all(text.as_bytes())?));
    }
    let ports = Ports::make()?;
    // No date: a demo over midnight keeps what it checks in one file.
    let text = configuration(&ports.0, &arguments.data, "{input}.csv");
    let mut config = config::parse(&text, "the demo's configuration")?;
    let plan = config.graph.plan(&Topology::detect()?)?;
    let ledger = Ledger::new()?;
    let player = Player::plug(&ports.0)
        .map_err(|error| anyhow::anyhow!("cannot open pseudo terminals: {error}; is /dev/pts mounted?"))?;
    let screen = logger::install();
    let mut system = System::set_up(config.graph, plan)?;
    let mut supervisor = system.supervisor(TICK);
    let instruments = start_instruments(player, &system, &ledger, arguments)?;
    let mut show = Show::new(Observer::start("demo", screen, arguments.json), &ledger, instruments, arguments.duration);
    supervisor.tick = TICK.min(show.observer.tick());
    let result = system.supervise(supervisor, |system, event| show.event(system, &event));
    let Show { observer, faults, instruments, .. } = show;
    observer.finish();
    // It has closed its books; ESRCH means that it had died, which was said.
    let _ = instruments.pidfd.kill();
    let report = result?;
    Ok(conclude(&system, &report, &ledger, faults, arguments))
}

/// Forks the instruments. The parent's copies of the terminals' masters go with `player`: an unplugged cable must not be
/// held by anybody.
fn start_instruments(
    mut player: Player,
    system: &System,
    ledger: &Ledger,
    arguments: &DemoArguments,
) -> anyhow::Result<Child> {
    let keep = player.descriptors();
    let identity = Identity { name: "instruments", core: None, keep: &keep };
    let mut killed = 0;
    let mut victim = || {
        let workers = system.status().workers;
        killed += 1;
        // The sources' worker first: it has the most to lose.
        let alive = workers.iter().filter(|worker| worker.ready_at_ns.is_some()).filter_map(|worker| worker.pid);
        let alive: Vec<i32> = alive.collect();
        (!alive.is_empty()).then(|| alive[(killed - 1) % alive.len()])
    };
    let child = spawn(identity, || {
        let now = monotonic_ns();
        player.start(now);
        let mut script = if arguments.calm { Script::calm() } else { Script::faults(arguments.duration, now) };
        match player.play(ledger, &mut script, &mut victim) {
            // The cables stay plugged in until the pipeline has ended: the demo ends this process.
            Ok(()) => loop {
                std::thread::park();
            },
            Err(error) => {
                stderr::say(&format!("pinring: the demo's instruments: {error}"));
                1
            }
        }
    })?;
    Ok(child)
}

/// The demo as it runs.
struct Show<'l> {
    observer: Observer,
    ledger: &'l Ledger,
    instruments: Child,
    limit: Option<Duration>,
    faults: Faults,
    seen: usize,
}

impl<'l> Show<'l> {
    fn new(observer: Observer, ledger: &'l Ledger, instruments: Child, limit: Option<Duration>) -> Self {
        Self { observer, ledger, instruments, limit, faults: Faults::default(), seen: 0 }
    }

    fn event(&mut self, system: &System, event: &Event<'_>) -> Wish {
        // The faults are noted before what they cause is shown.
        self.announce_faults();
        let wish = self.observer.event(system, event);
        match event {
            Event::Log { record, .. } if record.text.contains("weather: open again") => {
                self.faults.reconnected(record.at_ns);
            }
            Event::Ended { worker, pid, .. } => self.faults.died(*worker, *pid),
            Event::StopAsked { .. } if wish == Wish::Stop => self.ledger.stop(),
            Event::Tick => return self.tick(system),
            _ => {}
        }
        Wish::Continue
    }

    /// First the instruments end and their books are closed; then the pipeline drains what they have sent.
    fn tick(&mut self, system: &System) -> Wish {
        self.faults.restarted(|worker| system.words(worker).ready_at());
        if self.limit.is_some_and(|limit| self.observer.elapsed() >= limit) {
            self.ledger.stop();
        }
        if self.ledger.is_closed() {
            return Wish::Stop;
        }
        if matches!(wait::reap(self.instruments.pid), Ok(Some(_)) | Err(_)) && !self.ledger.is_closed() {
            log::error!("demo: the instruments have died; their books are not closed, so the verdict cannot be good");
            self.ledger.close();
        }
        Wish::Continue
    }

    fn announce_faults(&mut self) {
        for event in self.ledger.events(self.seen) {
            self.seen += 1;
            let FaultEvent { fault, at_ns, detail } = event;
            match fault {
                Fault::Unplugged => log::warn!("demo: pulled the weather station's cable, in the middle of a line"),
                Fault::Plugged => {
                    log::warn!("demo: plugged the weather station in again");
                    self.faults.plugged(at_ns);
                }
                Fault::BitsFlipped => log::warn!("demo: flipped a bit of a GPS sentence"),
                Fault::Killed => {
                    log::warn!("demo: killed the worker with pid {detail} (kill -9)");
                    self.faults.killed(i32::try_from(detail).unwrap_or(0), at_ns);
                }
            }
        }
    }
}

fn conclude(system: &System, report: &Report, ledger: &Ledger, faults: Faults, arguments: &DemoArguments) -> u8 {
    let plan: &Plan = system.plan();
    let written = system.written();
    let verdict = Verdict {
        accounts: demo::accounts(plan, &report.status, ledger),
        files: Checked::all(written.files),
        remarks: written.remarks,
        faults,
        report,
        plan,
    };
    let text = if arguments.json { format!("{:#}\n", verdict.json()) } else { verdict.text() };
    // A reader that has gone does not change the verdict.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    if verdict.is_good() { exit::OK } else { exit::LOSS }
}
