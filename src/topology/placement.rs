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
