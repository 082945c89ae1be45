//! The order of stops and starts against that of Erlang/OTP itself (`scripts/otp-orders` made the file): three strategies, four
//! victims, three ways to end, three kinds of restart.

use super::*;

const ORDERS: &str = include_str!("otp_orders.txt");
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Workers that do as they are told at once.
struct Obedient {
    state: State,
    now_ns: u64,
    orders: Vec<String>,
}

impl Obedient {
    fn feed(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.state.step(input, self.now_ns, &mut actions);
        for action in actions {
            match action {
                Action::Fork(worker) => {
                    self.orders.push(format!("start-{}", NAMES[worker]));
                    self.feed(Input::Forked(worker));
                    self.feed(Input::Ready(worker));
                }
                Action::Stop(worker) => {
                    self.orders.push(format!("stop-{}", NAMES[worker]));
                    self.feed(Input::Ended(worker, End::Failed));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn word<T: Copy>(word: &str, words: [(&str, T); 3]) -> T {
    words.iter().find(|(own, _)| *own == word).unwrap().1
}

fn orders(strategy: &str, restart: &str, exit: &str, victim: &str) -> String {
    let strategies = [
        ("one_for_one", Strategy::OneForOne),
        ("one_for_all", Strategy::OneForAll),
        ("rest_for_one", Strategy::RestForOne),
    ];
    let kinds =
        [("permanent", Restart::Permanent), ("transient", Restart::Transient), ("temporary", Restart::Temporary)];
    let group = Group { strategy: word(strategy, strategies), workers: vec![0, 1, 2, 3], ..Group::of_one("all", 0) };
    let policy = Policy { restart: vec![word(restart, kinds); 4], groups: vec![group], ..Policy::of_workers(4) };
    let mut world = Obedient { state: State::new(policy), now_ns: 0, orders: Vec::new() };
    world.feed(Input::Tick);
    assert_eq!(world.orders, ["start-a", "start-b", "start-c", "start-d"]);
    world.orders.clear();
    // A good start, so that nothing waits.
    world.now_ns = 2_000_000_000;
    let end = word(exit, [("normal", End::Done), ("error", End::Failed), ("killed", End::Failed)]);
    world.feed(Input::Ended(NAMES.iter().position(|name| *name == victim).unwrap(), end));
    world.orders.iter().map(|order| format!(" {order}")).collect()
}

#[test]
fn workers_are_stopped_and_started_in_the_order_of_otp() {
    let mut checked = 0;
    for line in ORDERS.lines() {
        let (case, expected) = line.split_once(':').unwrap();
        let words: Vec<&str> = case.split(' ').collect();
        assert_eq!(orders(words[0], words[1], words[2], words[3]), expected, "{case}");
        checked += 1;
    }
    assert_eq!(checked, 108);
}
