//! The state machine in a simulated world: processes that crash, hang, ignore signals and are reaped late, forks that fail, people
//! who ask for things. Every seed is a history of its own, and the same seed is always the same history.
//!
//! `PINRING_SEEDS` says how many (20,000 unless told), `PINRING_SEED` which one alone.

use super::*;
use std::time::Duration;

const MS: u64 = 1_000_000;

/// xorshift64* (Vigna 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 8) % end
    }

    fn place(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// A process of the simulated world.
#[derive(Clone, Copy, Debug)]
struct Process {
    ready_at: Option<u64>,
    /// When it ends by itself, and how.
    ends_at: Option<(u64, End)>,
    hangs_at: Option<u64>,
    /// How long it takes to obey, ns; `None`: it does not.
    obeys: Option<u64>,
    /// How long the kernel takes to end it after SIGKILL, ns.
    dies: u64,
    hung: bool,
}

struct World {
    random: Random,
    state: State,
    now_ns: u64,
    processes: Vec<Option<Process>>,
    /// Starts of each worker, for the invariants.
    starts: Vec<Vec<u64>>,
    asked_by_hand: bool,
    asked_at: Option<u64>,
    trace: u64,
    sick: bool,
    /// Whether the history is printed.
    is_told: bool,
}

fn policy(random: &mut Random) -> Policy {
    let count = 1 + random.place(5);
    let mut policy = Policy::of_workers(count);
    policy.groups.clear();
    let mut next = 0;
    while next < count {
        let size = (1 + random.place(3)).min(count - next);
        let strategy = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne][random.place(3)];
        let escalate = match random.below(8) {
            0 | 1 => Escalate::Exit,
            2 | 3 => Escalate::Group,
            _ => Escalate::Quarantine,
        };
        let group = Group::of_one("group", next);
        policy.groups.push(Group { workers: (next..next + size).collect(), strategy, escalate, ..group });
        next += size;
    }
    for restart in &mut policy.restart {
        *restart = match random.below(8) {
            0 => Restart::Temporary,
            1 => Restart::Permanent,
            _ => Restart::Transient,
        };
    }
    policy
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.next();
        let policy = policy(&mut random);
        let count = policy.restart.len();
        let sick = random.one_in(2);
        let state = State::new(policy);
        let (processes, starts) = (vec![None; count], vec![Vec::new(); count]);
        Self {
            random,
            state,
            now_ns: 0,
            processes,
            starts,
            asked_by_hand: false,
            asked_at: None,
            trace: 0xcbf2_9ce4_8422_2325,
            sick,
            is_told: std::env::var_os("PINRING_SEED").is_some(),
        }
    }

    fn note(&mut self, what: &str) {
        if self.is_told {
            println!("{:>16} {what}", self.now_ns);
        }
        for byte in what.bytes().chain(self.now_ns.to_le_bytes()) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn spawn(&mut self) -> Process {
        let now = self.now_ns;
        let random = &mut self.random;
        let lives = if self.sick && random.one_in(2) { random.below(300 * MS) } else { random.below(60_000 * MS) };
        let end = [End::Failed, End::Failed, End::Failed, End::Done, End::Refused][random.place(5)];
        Process {
            ready_at: (!random.one_in(5)).then(|| now + random.below(50 * MS)),
            ends_at: (!random.one_in(4)).then_some((now + lives, end)),
            hangs_at: random.one_in(10).then(|| now + random.below(20_000 * MS)),
            obeys: (!random.one_in(6)).then(|| random.below(500 * MS)),
            dies: if random.one_in(20) { random.below(5_000 * MS) } else { random.below(3 * MS) },
            hung: false,
        }
    }

    fn feed(&mut self, input: Input) {
        self.note(&format!("{input:?}"));
        let mut actions = Vec::new();
        self.state.step(input, self.now_ns, &mut actions);
        for action in actions {
            self.note(&format!("{action:?}"));
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        let now = self.now_ns;
        match action {
            Action::Fork(worker) => {
                assert!(self.processes[worker].is_none(), "a second process for worker {worker}");
                if self.random.one_in(12) {
                    return self.feed(Input::ForkFailed(worker));
                }
                self.processes[worker] = Some(self.spawn());
                self.starts[worker].push(now);
                self.feed(Input::Forked(worker));
            }
            Action::Stop(worker) => {
                if let Some(process) = &mut self.processes[worker] {
                    if let Some(time) = process.obeys.filter(|_| !process.hung) {
                        process.ends_at = Some((now + time, End::Failed));
                    }
                }
            }
            Action::Abort(worker) => {
                let obeys = self.random.one_in(2).then(|| self.random.below(400 * MS));
                if let (Some(process), Some(time)) = (&mut self.processes[worker], obeys) {
                    process.ends_at = Some((now + time, End::Failed));
                }
            }
            Action::Kill(worker) => {
                if let Some(process) = &mut self.processes[worker] {
                    process.ends_at = Some((now + process.dies, End::Failed));
                    process.hung = true;
                }
            }
            Action::Drain | Action::Park => {
                self.asked_at.get_or_insert(now);
                for worker in 0..self.processes.len() {
                    let time = self.random.below(2_000 * MS);
                    if let Some(process) = self.processes[worker].as_mut().filter(|process| !process.hung) {
                        if process.obeys.is_some() && action == Action::Drain {
                            process.ends_at = Some((now + time, End::Done));
                        }
                    }
                }
            }
            Action::Abandon(worker) => assert!(self.processes[worker].is_none(), "abandoned alive: {worker}"),
            Action::Quarantined(_) | Action::Released(_) | Action::Unreapable(_) | Action::Overdue(_) => {}
        }
    }

    /// The next thing that happens in the world by itself.
    fn due(&self) -> Option<(u64, usize, u8)> {
        let of = |(worker, process): (usize, &Option<Process>)| {
            let process = process.as_ref()?;
            let ready = process.ready_at.map(|at| (at, worker, 0));
            let hangs = process.hangs_at.map(|at| (at, worker, 1));
            let ends = process.ends_at.map(|(at, _)| (at, worker, 2));
            [ready, hangs, ends].into_iter().flatten().min()
        };
        self.processes.iter().enumerate().filter_map(of).min()
    }

    fn happen(&mut self, worker: usize, what: u8) {
        let Some(process) = &mut self.processes[worker] else { return };
        match what {
            0 => {
                process.ready_at = None;
                self.feed(Input::Ready(worker));
            }
            1 => {
                process.hangs_at = None;
                process.hung = true;
                process.ends_at = None;
                self.feed(Input::Hung(worker));
            }
            _ => {
                let end = process.ends_at.map_or(End::Failed, |(_, end)| end);
                self.processes[worker] = None;
                self.feed(Input::Ended(worker, end));
            }
        }
    }

    fn step(&mut self) {
        let own = self.state.deadline();
        let world = self.due();
        let people = self.now_ns + self.random.below(20_000 * MS);
        let next = own.unwrap_or(u64::MAX).min(world.map_or(u64::MAX, |(at, ..)| at));
        if next > people && self.random.one_in(4) {
            self.now_ns = people;
            let worker = self.random.place(self.processes.len());
            return match self.random.below(12) {
                0 => self.feed(Input::Drain),
                1 => self.feed(Input::Park),
                2 => self.feed(Input::Halt),
                3 if matches!(self.state.mode(), Mode::Park(_)) => self.feed(Input::Halt),
                _ => {
                    self.asked_by_hand = true;
                    self.feed(Input::Restart(worker));
                }
            };
        }
        if next == u64::MAX {
            self.now_ns = people;
            return self.feed(Input::Drain);
        }
        self.now_ns = self.now_ns.max(next);
        match world {
            Some((at, worker, what)) if at == next => self.happen(worker, what),
            // A busy machine comes late.
            _ => {
                self.now_ns += self.random.below(3) * self.random.below(20 * MS);
                self.feed(Input::Tick);
            }
        }
    }

    fn check(&self) {
        let deadline = self.state.deadline();
        assert!(deadline.is_none_or(|at| at > self.now_ns), "something is due and not done: {deadline:?}");
        for worker in 0..self.processes.len() {
            let life = self.state.life(worker);
            assert_eq!(life.has_process(), self.processes[worker].is_some(), "worker {worker}: {life:?}");
        }
        if let Some(asked) = self.asked_at {
            let bound = asked + 5_000 * MS + 1_000 * MS + 500 * MS;
            assert!(self.state.is_over() || self.now_ns <= bound, "the stop has no end");
        }
        if !self.asked_by_hand && self.asked_at.is_none() {
            self.no_storm();
        }
    }

    /// Five restarts of a group in 30 s, both ends included; one of them may start all of it. A try out of quarantine is a sixth.
    fn no_storm(&self) {
        let since = self.now_ns.saturating_sub(30_000 * MS);
        for starts in &self.starts {
            let count = starts.iter().rev().take_while(|at| **at >= since).count();
            assert!(count <= 7, "{count} starts in 30 s");
        }
    }
}

fn run(seed: u64) -> (u64, u64) {
    let mut world = World::new(seed);
    world.feed(Input::Tick);
    let mut steps = 0;
    while !world.state.is_over() && steps < 400 {
        world.step();
        world.check();
        steps += 1;
    }
    if !world.state.is_over() {
        world.feed(Input::Drain);
    }
    while !world.state.is_over() {
        world.step();
        world.check();
        steps += 1;
        assert!(steps < 2000, "the end does not come");
    }
    (world.trace, steps)
}

#[test]
fn the_supervisor_keeps_its_promises_in_every_history() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("PINRING_SEED") {
        println!("{:?}", run(seed));
        return;
    }
    let (seeds, mut steps) = (number("PINRING_SEEDS").unwrap_or(20_000), 0);
    for seed in 0..seeds {
        let result = std::panic::catch_unwind(|| run(seed));
        let Ok((_, count)) = result else { panic!("PINRING_SEED={seed} shows it") };
        steps += count;
    }
    println!("{seeds} histories, {steps} events");
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in 0..500 {
        assert_eq!(run(seed), run(seed));
    }
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn the_simulation_sees_quarantine_and_escalation() {
    let (mut quarantined, mut escalated, mut killed) = (0, 0, 0);
    for seed in 0..500 {
        let mut world = World::new(seed);
        world.feed(Input::Tick);
        for _ in 0..400 {
            if world.state.is_over() {
                break;
            }
            world.step();
            let lives = (0..world.processes.len()).map(|worker| world.state.life(worker));
            quarantined += lives.filter(|life| matches!(life, Life::Quarantined { .. })).count();
        }
        escalated += usize::from(world.state.has_escalated());
        killed += world.state.killed();
    }
    let policy = Policy::of_workers(1);
    assert_eq!(policy.stop_timeout, Duration::from_secs(5));
    assert!(quarantined > 100 && escalated > 0 && killed > 20, "{quarantined} {escalated} {killed}");
}
