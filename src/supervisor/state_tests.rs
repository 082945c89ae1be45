use super::*;

const MS: u64 = 1_000_000;
const S: u64 = 1000 * MS;

/// One supervisor whose world the test plays.
struct Bench {
    state: State,
    now_ns: u64,
}

impl Bench {
    fn new(policy: Policy) -> Self {
        Self { state: State::new(policy), now_ns: 0 }
    }

    fn feed(&mut self, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        self.state.step(input, self.now_ns, &mut actions);
        actions
    }

    /// Lets time pass to the next deadline; what is then done, and when that was.
    fn next(&mut self) -> (u64, Vec<Action>) {
        self.now_ns = self.state.deadline().unwrap();
        (self.now_ns, self.feed(Input::Tick))
    }

    /// Starts everybody.
    fn start(&mut self) {
        let mut actions = self.feed(Input::Tick);
        while let Some(Action::Fork(worker)) = actions.first().copied() {
            actions = self.feed(Input::Forked(worker));
            self.feed(Input::Ready(worker));
        }
        assert_eq!(actions, []);
    }

    fn crash(&mut self, worker: usize) -> Vec<Action> {
        self.feed(Input::Ended(worker, End::Failed))
    }
}

fn one() -> Bench {
    Bench::new(Policy::of_workers(1))
}

fn group(strategy: Strategy, escalate: Escalate) -> Policy {
    let group = Group { strategy, escalate, workers: vec![0, 1, 2], ..Group::of_one("all", 0) };
    Policy { groups: vec![group], ..Policy::of_workers(3) }
}

#[test]
fn a_worker_that_crashes_on_start_is_tried_six_times_and_then_quarantined() {
    let mut bench = one();
    let (mut forks, mut actions) = (Vec::new(), bench.feed(Input::Tick));
    while actions == [Action::Fork(0)] {
        forks.push(bench.now_ns / MS);
        bench.feed(Input::Forked(0));
        let left = bench.crash(0);
        if left == [Action::Quarantined(0)] {
            break;
        }
        actions = bench.next().1;
    }
    assert_eq!(forks, [0, 100, 300, 700, 1500, 3100]);
    assert!(bench.state.is_degraded());
    let quarantined = bench.now_ns;
    assert_eq!(bench.next(), (quarantined + 60 * S, vec![Action::Fork(0)]));
    bench.feed(Input::Forked(0));
    bench.feed(Input::Ready(0));
    assert_eq!(bench.crash(0), [Action::Quarantined(0)], "one try, not five");
    bench.next();
    bench.feed(Input::Forked(0));
    bench.feed(Input::Ready(0));
    assert_eq!(bench.next().1, [Action::Released(0)]);
    assert!(!bench.state.is_degraded());
    assert_eq!(bench.crash(0), [Action::Fork(0)]);
}

#[test]
fn a_failed_fork_counts_as_a_failed_start() {
    let mut bench = one();
    let mut actions = bench.feed(Input::Tick);
    for _ in 0..5 {
        assert_eq!(actions, [Action::Fork(0)]);
        assert_eq!(bench.feed(Input::ForkFailed(0)), []);
        actions = bench.next().1;
    }
    assert_eq!(bench.feed(Input::ForkFailed(0)), [Action::Quarantined(0)]);
}

#[test]
fn a_good_start_is_followed_by_another_at_once() {
    let mut bench = one();
    bench.start();
    bench.now_ns = S;
    assert_eq!(bench.crash(0), [Action::Fork(0)]);
}

#[test]
fn a_worker_that_says_so_is_not_started_again() {
    let mut bench = one();
    bench.start();
    assert_eq!(bench.feed(Input::Ended(0, End::Refused)), []);
    assert!(bench.state.is_over() && bench.state.is_degraded());
    assert_eq!(bench.feed(Input::Restart(0)), [Action::Fork(0)], "unless somebody asks");
}

#[test]
fn a_worker_that_does_not_stop_is_killed_after_its_time_and_called_unreapable_after_more() {
    let mut bench = Bench::new(group(Strategy::OneForAll, Escalate::Quarantine));
    bench.start();
    bench.now_ns = S;
    assert_eq!(bench.crash(1), [Action::Stop(2)]);
    assert_eq!(bench.next(), (6 * S, vec![Action::Overdue(2), Action::Kill(2)]));
    assert_eq!(bench.next(), (7 * S, vec![Action::Unreapable(2)]));
    assert_eq!(bench.state.life(2), Life::Unreapable);
    assert_eq!(bench.state.deadline(), None, "nothing is done for it, and nothing instead of it");
    assert_eq!(bench.feed(Input::Ended(2, End::Failed)), [Action::Stop(0)]);
    assert_eq!(bench.feed(Input::Ended(0, End::Failed)), [Action::Fork(0)]);
    assert_eq!(bench.feed(Input::Forked(0)), [Action::Fork(1)]);
}

#[test]
fn a_failure_while_a_group_is_being_stopped_waits_for_its_turn() {
    let mut bench = Bench::new(group(Strategy::RestForOne, Escalate::Quarantine));
    bench.start();
    bench.now_ns = S;
    assert_eq!(bench.crash(1), [Action::Stop(2)]);
    assert_eq!(bench.crash(0), []);
    // 1 and 2 are to be started, and stopped again for 0: but not a process was made of them yet.
    assert_eq!(bench.feed(Input::Ended(2, End::Failed)), [Action::Fork(0)]);
    assert_eq!(bench.feed(Input::Forked(0)), [Action::Fork(1)]);
    assert_eq!(bench.feed(Input::Forked(1)), [Action::Fork(2)]);
}

#[test]
fn a_hanging_worker_is_told_to_abort_and_then_killed() {
    let mut bench = one();
    bench.start();
    assert_eq!(bench.feed(Input::Hung(0)), [Action::Abort(0)]);
    assert_eq!(bench.feed(Input::Hung(0)), []);
    assert_eq!(bench.next(), (500 * MS, vec![Action::Kill(0)]));
    bench.crash(0);
    assert_eq!(bench.state.life(0), Life::Waiting { until_ns: 600 * MS });
    bench.next();
    bench.feed(Input::Forked(0));
    bench.feed(Input::Ready(0));
    bench.now_ns += 5 * S;
    bench.feed(Input::Hung(0));
    assert_eq!(bench.crash(0), [Action::Fork(0)], "it had worked well before");
}

#[test]
fn too_many_failures_take_the_group_or_the_system_down_if_so_wished() {
    for (escalate, expected) in
        [(Escalate::Group, vec![Action::Stop(2)]), (Escalate::Exit, vec![Action::Drain, Action::Abandon(1)])]
    {
        let mut policy = group(Strategy::OneForOne, escalate);
        policy.groups[0].intensity.restarts = 0;
        let mut bench = Bench::new(policy);
        bench.start();
        assert_eq!(bench.crash(1), expected);
        assert_eq!(bench.state.has_escalated(), escalate == Escalate::Exit);
    }
}

#[test]
fn a_drain_starts_what_waits_and_gives_up_what_is_quarantined() {
    let mut policy = Policy::of_workers(2);
    policy.groups[1].intensity.restarts = 0;
    let mut bench = Bench::new(policy);
    bench.start();
    bench.crash(0);
    assert_eq!(bench.crash(1), [Action::Quarantined(1)]);
    assert_eq!(bench.feed(Input::Drain), [Action::Drain, Action::Abandon(1), Action::Fork(0)]);
    bench.feed(Input::Forked(0));
    bench.feed(Input::Ended(0, End::Done));
    assert!(bench.state.is_over());
    assert_eq!(bench.state.killed(), 0);
}

#[test]
fn who_asks_to_stop_twice_wants_out() {
    let mut bench = one();
    bench.start();
    assert_eq!(bench.feed(Input::Drain), [Action::Drain]);
    assert_eq!(bench.feed(Input::Drain), [Action::Overdue(0), Action::Kill(0)]);
    assert!(!bench.state.is_over(), "it has not been reaped");
    assert_eq!(bench.next().1, [Action::Unreapable(0)]);
    assert!(bench.state.is_over());
}

#[test]
fn a_handover_pauses_first_and_stops_when_nothing_is_under_way() {
    let mut bench = Bench::new(Policy::of_workers(2));
    bench.start();
    assert_eq!(bench.feed(Input::Park), [Action::Park]);
    assert_eq!(bench.feed(Input::Halt), [Action::Stop(0), Action::Stop(1)]);
    bench.crash(0);
    assert!(!bench.state.is_over());
    bench.crash(1);
    assert!(bench.state.is_over());
    assert_eq!((bench.state.killed(), bench.state.mode()), (0, Mode::Halt(5 * S)));
}
