//! Which node lives in which worker, and on which core. Pure.
//!
//! Without a wish of the author's:
//!
//! 1. The housekeeping core (the slowest that is not isolated, the first of equals) runs the supervisor and the sinks: they
//!    wait for disks, and nothing else should wait with them.
//! 2. Sources share a core, apart from disks and heavy stages.
//! 3. Heavy stages get cores of their own, the fastest first; if there are more of them than cores, they share evenly.
//! 4. A light stage lives with what feeds it, also in a worker that the author named: what was just written is in the cache,
//!    and a call is cheaper than a ring.
//! 5. Among equal cores isolated ones come first.
//!
//! A worker with a name but no core gets a free core; one that holds nothing but sinks shares the housekeeping core.
//!
//! A core is a physical one, so two workers never meet on SMT siblings. On one core everything shares one worker.

use super::core::{Core, Topology};

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Brings messages in.
    Source,
    /// Computes.
    Stage,
    /// Gives messages out.
    Sink,
}

/// A node that needs a place.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its name.
    pub node: String,
    /// What it does.
    pub role: Role,
    /// Whether it computes so much that it deserves a fast core of its own.
    pub heavy: bool,
    /// The worker its author wants it in.
    pub worker: Option<String>,
    /// The core its author wants its worker on.
    pub core: Option<usize>,
    /// Indices of the requests that feed it.
    pub upstream: Vec<usize>,
}

/// A worker with its core and nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedWorker {
    /// Its name.
    pub name: String,
    /// The core it is pinned to.
    pub core: usize,
    /// Indices of its nodes.
    pub nodes: Vec<usize>,
    /// Why there.
    pub why: String,
}

/// Where everything goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The core the supervisor runs on.
    pub housekeeping: usize,
    /// The workers, in the order of their first nodes.
    pub workers: Vec<PlacedWorker>,
}

/// A wish that cannot be fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacementError {
    /// Index of the request at fault.
    pub request: usize,
    /// Which of its wishes.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would mend it.
    pub help: Option<String>,
}

/// Decides where every node goes.
///
/// # Errors
/// If a wish names a core that is not there or not allowed, or one worker is wanted on two cores.
///
/// # Panics
/// If the topology has no core at all; detection gives none such.
pub fn place(topology: &Topology, requests: &[Request]) -> Result<Placement, PlacementError> {
    let housekeeping = housekeeping(topology);
    let mut workers = wished(topology, requests)?;
    let others = Free::new(topology, housekeeping, &workers);
    automatic(requests, &mut workers, housekeeping, others);
    workers.retain(|worker| !worker.nodes.is_empty());
    for worker in &mut workers {
        worker.nodes.sort_unstable();
    }
    workers.sort_by_key(|worker| worker.nodes[0]);
    Ok(Placement { housekeeping: housekeeping.id, workers })
}

fn housekeeping(topology: &Topology) -> &Core {
    let plain = topology.allowed().filter(|core| !core.isolated);
    let slowest = plain.min_by_key(|core| (core.capacity, core.id));
    slowest.or_else(|| topology.allowed().next()).unwrap_or(&topology.cores[0])
}

/// The workers that nodes name, on the cores they name.
fn wished(topology: &Topology, requests: &[Request]) -> Result<Vec<PlacedWorker>, PlacementError> {
    const UNDECIDED: usize = usize::MAX;
    let mut workers: Vec<PlacedWorker> = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        let core = request.core.map(|core| allowed_core(topology, index, core)).transpose()?;
        let name = match (&request.worker, core) {
            (Some(worker), _) => worker.clone(),
            (None, Some(core)) => format!("core{core}"),
            (None, None) => continue,
        };
        let known = workers.iter().position(|worker| worker.name == name);
        let place = known.unwrap_or_else(|| {
            workers.push(PlacedWorker { name: name.clone(), core: UNDECIDED, nodes: Vec::new(), why: String::new() });
            workers.len() - 1
        });
        let worker = &mut workers[place];
        worker.nodes.push(index);
        if let Some(core) = core {
            if worker.core != UNDECIDED && worker.core != core {
                let message = format!("worker `{name}` is wanted on core {} and on core {core}", worker.core);
                let help = Some("give all of its nodes the same core, or name another worker".to_owned());
                return Err(PlacementError { request: index, key: "core", message, help });
            }
            worker.core = core;
            worker.why = format!("core {core} was asked for");
        }
    }
    let housekeeping = housekeeping(topology);
    let mut free = Free::new(topology, housekeeping, &workers);
    for worker in workers.iter_mut().filter(|worker| worker.core == UNDECIDED) {
        let has = |wanted: &dyn Fn(&Request) -> bool| worker.nodes.iter().any(|node| wanted(&requests[*node]));
        let (core, why) = if !has(&|request| request.role != Role::Sink) {
            (housekeeping.id, "asked for by name; sinks wait for disks, so it shares the housekeeping core")
        } else if let Some(core) = free.take(has(&|request| request.heavy)) {
            (core, "asked for by name; it gets a free core")
        } else {
            (housekeeping.id, "asked for by name, but no core is free: it shares the housekeeping core")
        };
        (worker.core, worker.why) = (core, why.to_owned());
    }
    Ok(workers)
}

fn allowed_core(topology: &Topology, request: usize, core: usize) -> Result<usize, PlacementError> {
    let allowed: Vec<usize> = topology.allowed().map(|core| core.id).collect();
    let help = Some(format!("this process may use the cores {}", super::format_cpulist(&allowed)));
    let refuse = |message| PlacementError { request, key: "core", message, help: help.clone() };
    match topology.core_of(core) {
        None => Err(refuse(format!("this machine has no core {core}"))),
        Some(found) if !found.allowed => {
            Err(refuse(format!("core {core} is there, but this process may not use it (affinity or cgroup)")))
        }
        Some(found) if found.id != core => Err(refuse(format!(
            "{core} is an SMT sibling of core {}; a worker takes the whole core under its first number",
            found.id
        ))),
        Some(found) => Ok(found.id),
    }
}

/// Cores that nobody has yet.
struct Free<'t>(Vec<&'t Core>);

impl<'t> Free<'t> {
    fn new(topology: &'t Topology, housekeeping: &Core, taken: &[PlacedWorker]) -> Self {
        let is_free = |core: &&Core| core.id != housekeeping.id && taken.iter().all(|worker| worker.core != core.id);
        Self(topology.allowed().filter(is_free).collect())
    }

    /// The best core left: for heavy work the fastest, else the slowest, so that fast ones stay for heavy work; isolated ones
    /// first.
    fn take(&mut self, heavy: bool) -> Option<usize> {
        let rank = |core: &Core| {
            let busy = u32::from(!core.isolated);
            if heavy { (u32::MAX - core.capacity, busy, core.id) } else { (busy, core.capacity, core.id) }
        };
        let best = (0..self.0.len()).min_by_key(|index| rank(self.0[*index]))?;
        Some(self.0.remove(best).id)
    }
}

/// Where a node belongs that has no wish of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    /// With the sinks.
    Record,
    /// With the sources.
    Acquire,
    /// With this heavy stage.
    Heavy(usize),
    /// In this worker, which the author named.
    Wished(usize),
}

/// Light stages live with what feeds them (their first input), so this walks up to a node that has a place of its own.
fn home(requests: &[Request], wished: &[PlacedWorker], node: usize) -> Home {
    let mut node = node;
    // A graph has no cycles, so the way up is no longer than the list; the bound keeps a wrong one from holding us here.
    for _ in 0..=requests.len() {
        if let Some(worker) = wished.iter().position(|worker| worker.nodes.contains(&node)) {
            return Home::Wished(worker);
        }
        let request = &requests[node];
        match (request.role, request.heavy, request.upstream.first()) {
            (Role::Sink, ..) => return Home::Record,
            (Role::Stage, true, _) => return Home::Heavy(node),
            (Role::Stage, false, Some(first)) if *first < requests.len() => node = *first,
            _ => return Home::Acquire,
        }
    }
    Home::Acquire
}

/// Places what has no wish. `workers` holds the wished ones and gets the rest.
fn automatic(requests: &[Request], workers: &mut Vec<PlacedWorker>, housekeeping: &Core, mut free: Free<'_>) {
    let is_open = |index: &usize| !workers.iter().any(|worker| worker.nodes.contains(index));
    let open = (0..requests.len()).filter(is_open);
    let homes: Vec<(usize, Home)> = open.map(|index| (index, home(requests, workers, index))).collect();
    let living_in = |wanted: Home| -> Vec<usize> {
        homes.iter().filter(|(_, home)| *home == wanted).map(|(index, _)| *index).collect()
    };
    for (index, home) in &homes {
        if let Home::Wished(worker) = home {
            workers[*worker].nodes.push(*index);
        }
    }
    let mut acquire = living_in(Home::Acquire);
    // The sources' core is set aside before the heavy stages take theirs.
    let core = if acquire.is_empty() { None } else { free.take(false) };
    let mut why = "sources and the light stages behind them share a core, apart from the disks";
    let mut compute: Vec<(usize, Vec<usize>)> = Vec::new();
    for (index, _) in homes.iter().filter(|(index, home)| *home == Home::Heavy(*index)) {
        let chain = living_in(Home::Heavy(*index));
        if let Some(core) = free.take(true) {
            compute.push((core, chain));
        } else if let Some((_, nodes)) = compute.iter_mut().min_by_key(|(_, nodes)| nodes.len()) {
            nodes.extend(chain);
        } else {
            acquire.extend(chain);
            why = "no core is left for the heavy stages alone: they share the sources' core";
        }
    }
    for (number, (core, nodes)) in (1..).zip(compute) {
        let name = if number == 1 { "compute".to_owned() } else { format!("compute{number}") };
        add(workers, &name, core, nodes, "a heavy stage gets the fastest core that is free, with what follows it");
    }
    let mut record = living_in(Home::Record);
    match core {
        Some(core) => add(workers, "acquire", core, acquire, why),
        None if !acquire.is_empty() => {
            record.append(&mut acquire);
            return add(workers, "all", housekeeping.id, record, "no other core is free");
        }
        None => {}
    }
    add(
        workers,
        "record",
        housekeeping.id,
        record,
        "sinks wait for disks: they share the housekeeping core with the supervisor",
    );
}

/// Adds a worker under `name`, or under one derived from it where the author has used that.
fn add(workers: &mut Vec<PlacedWorker>, name: &str, core: usize, nodes: Vec<usize>, why: &str) {
    let names = std::iter::once(name.to_owned())
        .chain(std::iter::once(format!("{name}-auto")))
        .chain((2..).map(|number| format!("{name}-auto{number}")));
    let is_free = |name: &String| workers.iter().all(|worker| worker.name != *name);
    let name = names.into_iter().find(is_free).expect("the numbers do not end");
    workers.push(PlacedWorker { name, core, nodes, why: why.to_owned() });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(cores: &[(u32, bool)]) -> Topology {
        let core = |(id, (capacity, isolated)): (usize, &(u32, bool))| Core {
            id,
            siblings: vec![id, id + 100],
            cluster: 0,
            package: 0,
            capacity: *capacity,
            isolated: *isolated,
            allowed: true,
        };
        Topology { cores: cores.iter().enumerate().map(core).collect(), ..Topology::default() }
    }

    fn request(role: Role) -> Request {
        Request { node: "n".into(), role, heavy: false, worker: None, core: None, upstream: Vec::new() }
    }

    fn pipeline() -> Vec<Request> {
        vec![request(Role::Source), request(Role::Stage), request(Role::Sink)]
    }

    fn shape(placement: &Placement) -> Vec<(&str, usize, &[usize])> {
        placement.workers.iter().map(|worker| (worker.name.as_str(), worker.core, &worker.nodes[..])).collect()
    }

    #[test]
    fn one_core_has_one_worker() {
        let placement = place(&machine(&[(1024, false)]), &pipeline()).unwrap();
        assert_eq!(shape(&placement), [("all", 0, &[0, 1, 2][..])]);
    }

    #[test]
    fn two_cores_part_disks_from_sources() {
        let placement = place(&machine(&[(1024, false); 2]), &pipeline()).unwrap();
        assert_eq!(shape(&placement), [("acquire", 1, &[0, 1][..]), ("record", 0, &[2])]);
        assert_eq!(placement.housekeeping, 0);
    }

    #[test]
    fn a_heavy_stage_gets_the_fastest_core_and_the_sinks_the_slowest() {
        let machine = machine(&[(414, false), (414, false), (1024, false), (1024, false)]);
        let mut requests = pipeline();
        requests.push(Request { heavy: true, ..request(Role::Stage) });
        let placement = place(&machine, &requests).unwrap();
        assert_eq!(shape(&placement), [("acquire", 1, &[0, 1][..]), ("record", 0, &[2]), ("compute", 2, &[3])]);
    }

    #[test]
    fn isolated_cores_are_for_work_not_for_housekeeping() {
        let machine = machine(&[(1024, true), (1024, false), (1024, true), (1024, false)]);
        let placement = place(&machine, &pipeline()).unwrap();
        assert_eq!(shape(&placement), [("acquire", 0, &[0, 1][..]), ("record", 1, &[2])]);
    }

    /// A request fed by others.
    fn fed(role: Role, heavy: bool, upstream: &[usize]) -> Request {
        Request { heavy, upstream: upstream.to_vec(), ..request(role) }
    }

    fn heavy_stages(count: usize) -> Vec<Request> {
        pipeline().into_iter().chain((0..count).map(|_| fed(Role::Stage, true, &[0]))).collect()
    }

    #[test]
    fn more_heavy_stages_than_cores_share_them_evenly() {
        let placement = place(&machine(&[(1024, false); 4]), &heavy_stages(5)).unwrap();
        let expected =
            [("acquire", 1, &[0, 1][..]), ("record", 0, &[2]), ("compute", 2, &[3, 5, 7]), ("compute2", 3, &[4, 6])];
        assert_eq!(shape(&placement), expected);
    }

    #[test]
    fn on_two_cores_a_heavy_stage_shares_the_sources_core_and_says_so() {
        let placement = place(&machine(&[(1024, false); 2]), &heavy_stages(1)).unwrap();
        assert_eq!(shape(&placement), [("acquire", 1, &[0, 1, 3][..]), ("record", 0, &[2])]);
        assert!(placement.workers[0].why.contains("no core is left for the heavy stages"));
    }

    #[test]
    fn big_little_uses_little_cores_for_io_and_big_ones_for_heavy_stages() {
        let cores: Vec<(u32, bool)> = (0..8).map(|core| (if core < 4 { 414 } else { 1024 }, false)).collect();
        let placement = place(&machine(&cores), &heavy_stages(2)).unwrap();
        let expected = [("acquire", 1, &[0, 1][..]), ("record", 0, &[2]), ("compute", 4, &[3]), ("compute2", 5, &[4])];
        assert_eq!((shape(&placement).as_slice(), placement.housekeeping), (&expected[..], 0));
    }

    #[test]
    fn a_light_stage_lives_with_what_feeds_it() {
        let requests = vec![
            request(Role::Source),
            fed(Role::Stage, false, &[2]),
            fed(Role::Stage, true, &[3]),
            fed(Role::Stage, false, &[0]),
            fed(Role::Sink, false, &[1]),
        ];
        let placement = place(&machine(&[(1024, false); 4]), &requests).unwrap();
        assert_eq!(shape(&placement), [("acquire", 1, &[0, 3][..]), ("compute", 2, &[1, 2]), ("record", 0, &[4])]);
    }

    #[test]
    fn a_light_stage_follows_its_source_into_a_named_worker() {
        let mut requests = vec![request(Role::Source), fed(Role::Stage, false, &[0]), fed(Role::Sink, false, &[1])];
        (requests[0].worker, requests[0].core) = (Some("gps".into()), Some(1));
        let placement = place(&machine(&[(1024, false); 2]), &requests).unwrap();
        assert_eq!(shape(&placement), [("gps", 1, &[0, 1][..]), ("record", 0, &[2])]);
    }

    #[test]
    fn a_named_worker_of_sinks_leaves_the_free_core_to_the_sources() {
        let mut requests = pipeline();
        requests[2].worker = Some("disk".into());
        let placement = place(&machine(&[(1024, false); 2]), &requests).unwrap();
        assert_eq!(shape(&placement), [("acquire", 1, &[0, 1][..]), ("disk", 0, &[2])]);
    }

    #[test]
    fn more_names_than_cores_share_the_housekeeping_core() {
        let mut requests: Vec<Request> = (0..3).map(|_| request(Role::Source)).collect();
        for (request, name) in requests.iter_mut().zip(["a", "b", "c"]) {
            request.worker = Some(name.into());
        }
        let placement = place(&machine(&[(1024, false); 2]), &requests).unwrap();
        assert_eq!(shape(&placement), [("a", 1, &[0][..]), ("b", 0, &[1]), ("c", 0, &[2])]);
        assert!(placement.workers[1].why.contains("no core is free"));
    }

    #[test]
    fn stages_that_feed_each_other_in_a_circle_are_placed_too() {
        let requests = vec![fed(Role::Stage, false, &[1]), fed(Role::Stage, false, &[0])];
        let placement = place(&machine(&[(1024, false); 2]), &requests).unwrap();
        assert_eq!(shape(&placement), [("acquire", 1, &[0, 1][..])]);
    }

    proptest::proptest! {
        /// Whatever the machine and the graph: every node lives once, and no core has two workers without a wish.
        #[test]
        fn every_node_has_one_place_and_every_core_one_worker(
            cores in proptest::collection::vec((1u32..=1024, proptest::bool::ANY), 1..9),
            nodes in proptest::collection::vec((0u8..3, proptest::bool::ANY, 0usize..12), 0..12),
        ) {
            let role = |role| [Role::Source, Role::Stage, Role::Sink][usize::from(role)];
            let requests: Vec<Request> =
                nodes.iter().map(|(kind, heavy, from)| fed(role(*kind), *heavy, &[*from])).collect();
            let placement = place(&machine(&cores), &requests).unwrap();
            let mut placed: Vec<usize> = placement.workers.iter().flat_map(|worker| worker.nodes.clone()).collect();
            placed.sort_unstable();
            proptest::prop_assert_eq!(placed, (0..requests.len()).collect::<Vec<_>>());
            let mut used: Vec<usize> = placement.workers.iter().map(|worker| worker.core).collect();
            used.sort_unstable();
            used.dedup();
            proptest::prop_assert_eq!(used.len(), placement.workers.len());
        }
    }

    #[test]
    fn wishes_are_followed() {
        let mut requests = pipeline();
        requests[0].core = Some(3);
        requests[1].worker = Some("mine".into());
        requests[2].worker = Some("mine".into());
        let placement = place(&machine(&[(1024, false); 4]), &requests).unwrap();
        assert_eq!(shape(&placement), [("core3", 3, &[0][..]), ("mine", 1, &[1, 2])]);
    }

    #[test]
    fn wishes_that_cannot_be_are_refused() {
        let machine = machine(&[(1024, false); 2]);
        let try_core = |core| {
            let mut requests = pipeline();
            requests[1].core = Some(core);
            place(&machine, &requests).unwrap_err().message
        };
        assert_eq!(try_core(7), "this machine has no core 7");
        assert!(try_core(101).contains("SMT sibling of core 1"));
        let mut requests = pipeline();
        for (request, core) in requests.iter_mut().zip([0, 1]) {
            (request.worker, request.core) = (Some("w".into()), Some(core));
        }
        let error = place(&machine, &requests).unwrap_err();
        assert_eq!((error.request, error.key), (1, "core"));
    }

    #[test]
    fn an_own_name_does_not_collide_with_ours() {
        let mut requests = pipeline();
        requests[0].worker = Some("record".into());
        let placement = place(&machine(&[(1024, false); 4]), &requests).unwrap();
        let names: Vec<_> = placement.workers.iter().map(|worker| worker.name.as_str()).collect();
        assert_eq!(names, ["record", "acquire", "record-auto"]);
    }
}
