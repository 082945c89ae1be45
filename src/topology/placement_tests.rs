//! Placements on machines of one core to many, with wishes and without.

use super::core::{Core, Topology};
use super::placement::{Placement, Request, Role, place};

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
