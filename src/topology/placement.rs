//! Which node lives in which worker, and on which core. Pure.
//!
//! Without a wish of the author's:
//!
//! 1. The housekeeping core (the slowest that is not isolated, the first of equals) runs the supervisor and the sinks: they
//!    wait for disks, and nothing else should wait with them.
//! 2. Heavy stages get cores of their own, the fastest first.
//! 3. Sources and the light stages behind them share a core: what a source has read is in its cache.
//! 4. Of the remaining cores isolated ones come first.
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
            let why = "asked for by name".to_owned();
            workers.push(PlacedWorker { name: name.clone(), core: UNDECIDED, nodes: Vec::new(), why });
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
        let heavy = worker.nodes.iter().any(|node| requests[*node].heavy);
        worker.core = free.take(heavy).unwrap_or(housekeeping.id);
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
        let mut cores: Vec<&Core> = topology.allowed().filter(is_free).collect();
        cores.sort_by_key(|core| (!core.isolated, core.id));
        Self(cores)
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

fn automatic(requests: &[Request], workers: &mut Vec<PlacedWorker>, housekeeping: &Core, mut free: Free<'_>) {
    let is_open = |index: &usize| !workers.iter().any(|worker| worker.nodes.contains(index));
    let open: Vec<usize> = (0..requests.len()).filter(is_open).collect();
    let part = |wanted: &dyn Fn(&Request) -> bool| -> Vec<usize> {
        open.iter().copied().filter(|index| wanted(&requests[*index])).collect()
    };
    let sinks = part(&|request| request.role == Role::Sink);
    let heavy = part(&|request| request.role == Role::Stage && request.heavy);
    let light = part(&|request| request.role == Role::Source || (request.role == Role::Stage && !request.heavy));
    let mut add = |name: &str, core: usize, nodes: Vec<usize>, why: &str| {
        // A name that the author has used is his; ours gives way.
        let taken = workers.iter().any(|worker| worker.name == name);
        let name = if taken { format!("{name}-auto") } else { name.to_owned() };
        workers.push(PlacedWorker { name, core, nodes, why: why.to_owned() });
    };
    if free.0.is_empty() {
        let all: Vec<usize> = open.clone();
        add("all", housekeeping.id, all, "there is no other core");
        return;
    }
    add("record", housekeeping.id, sinks, "sinks wait for disks: they share the housekeeping core with the supervisor");
    // The sources' core is set aside before the heavy stages take theirs.
    let sources = if light.is_empty() { None } else { free.take(false) };
    let mut own: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut shared = light;
    for node in heavy {
        match free.take(true) {
            Some(core) => own.push((core, vec![node])),
            // No core is left: it joins the last heavy one, or the sources if it is the first.
            None => own.last_mut().map_or(&mut shared, |(_, nodes)| nodes).push(node),
        }
    }
    for (number, (core, nodes)) in (1..).zip(own) {
        let name = if number == 1 { "compute".to_owned() } else { format!("compute{number}") };
        add(&name, core, nodes, "a heavy stage gets the fastest core that is free");
    }
    if let Some(core) = sources {
        add("acquire", core, shared, "sources and the light stages behind them share a core, apart from the disks");
    }
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

    #[test]
    fn more_heavy_stages_than_cores_share_the_last_worker() {
        let mut requests = pipeline();
        requests.extend((0..3).map(|_| Request { heavy: true, ..request(Role::Stage) }));
        let placement = place(&machine(&[(1024, false); 4]), &requests).unwrap();
        let cores: Vec<_> = placement.workers.iter().map(|worker| worker.core).collect();
        assert_eq!(cores, [1, 0, 2, 3]);
        let mut nodes: Vec<usize> = placement.workers.iter().flat_map(|worker| worker.nodes.clone()).collect();
        nodes.sort_unstable();
        assert_eq!(nodes, [0, 1, 2, 3, 4, 5]);
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
