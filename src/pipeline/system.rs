//! A planned graph with its segment: what the supervisor supervises.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use super::autopsy::Remains;
use super::core::Core;
use super::graph::{Graph, GraphError, NodeKind, NodeSpec};
use super::heritage::{self, Estate, Inheritance};
use super::plan::Plan;
use super::realtime::Wanted;
use super::regions::Regions;
use super::reload::{ConfigReader, Leave};
use super::worker::{Ending, Run, Worker};
use crate::control::Server;
use crate::prim::AtomicU64;
use crate::process::WorkerWords;
use crate::ring::Slots;
use crate::shm::{Segment, SegmentError, SharedRef};
use crate::supervisor::{Crew, Notifier, Said};
use crate::sys::clock::monotonic_ns;
use crate::sys::eventfd::EventFd;
use crate::sys::socket::Channel;
use crate::sys::{memory, signal};
use crate::trace::{FlightWords, LogReader, LogWriter, SLOT_COUNT, SLOT_SIZE};

/// Why a planned graph could not be set up. Nothing has been started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The rings do not fit into memory.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// No shared memory.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// A node could not make what it needs.
    #[error("node `{node}`: cannot be prepared: {source}")]
    Prepare {
        /// Its name.
        node: String,
        /// What the system answered.
        source: io::Error,
    },
    /// No descriptor, for a doorbell or for what a successor inherits.
    #[error("cannot make another file descriptor: {0}; look at `ulimit -n`")]
    Descriptor(io::Error),
}

/// A graph ready to run: planned, its segment made, its doorbells hung.
pub struct System {
    /// The line to the service manager.
    pub(super) notify: Rc<Notifier>,
    pub(super) nodes: Vec<(String, NodeKind)>,
    /// For each node the port that is kept open for it.
    pub(super) kept: Vec<Option<OwnedFd>>,
    pub(super) plan: Plan,
    pub(super) regions: Regions,
    pub(super) segment: Segment,
    pub(super) words: Vec<SharedRef<WorkerWords>>,
    pub(super) flights: Vec<SharedRef<FlightWords>>,
    /// For each worker how it died last.
    pub(super) deaths: Vec<Option<Remains>>,
    /// What each worker gets so that other programs do not keep it waiting.
    pub(super) realtime: Vec<Wanted>,
    pub(super) logs: Vec<LogReader>,
    pub(super) bells: Arc<Vec<EventFd>>,
    pub(super) log_bell: EventFd,
    /// What the author of the graph wrote of each node.
    pub(super) texts: Vec<String>,
    /// For each node whether somebody has stopped it.
    pub(super) asks: Vec<SharedRef<AtomicU64>>,
    /// Reads the configuration again.
    pub(super) reader: Option<ConfigReader>,
    /// Nodes of a new configuration that take the place of the old ones when their worker starts next.
    pub(super) changes: Vec<(usize, NodeSpec)>,
    /// For each worker whether it has a process.
    pub(super) alive: Vec<bool>,
    /// Workers gone mad whose words have not been put right yet.
    pub(super) mad: Vec<usize>,
    /// Why the workers were stopped.
    pub(super) leave: Option<Leave>,
    pub(super) control: Option<Server>,
    /// The file that the graph was read from, for who asks.
    pub(super) origin: Option<PathBuf>,
    /// CLOCK_MONOTONIC in ns: tells a successor from its predecessor.
    pub(super) started_ns: u64,
    /// For each node whether it is a sink that nobody reads any more.
    pub(super) deserted: Vec<bool>,
}

/// Makes what a node's incarnations will share, or takes up what a former supervisor left; the port it kept.
fn prepare(
    (name, kind): &mut (String, NodeKind),
    estate: &mut Estate,
    fits: bool,
) -> Result<Option<OwnedFd>, SetupError> {
    let (port, left) = estate.take(name);
    let prepared = match kind {
        // Bytes of a port belong to the state that knows how far they were read.
        NodeKind::Source(source) if fits && !left.is_empty() => source.inherit(left),
        kind => kind.prepare(),
    };
    prepared.map_err(|source| SetupError::Prepare { node: name.clone(), source })?;
    Ok(port.filter(|_| fits))
}

impl System {
    /// Makes the segment and what the nodes share over their incarnations. Starts nothing.
    ///
    /// # Errors
    /// If memory or descriptors are not to be had.
    pub fn set_up(graph: Graph, plan: Plan) -> Result<Self, SetupError> {
        Ok(Self::succeed(graph, plan, Vec::new(), Rc::default())?.0)
    }

    /// As [`Self::set_up`], with what a former supervisor of the same graph left ([`Self::heirlooms`]) and the line to the service manager,
    /// which is told to keep all that a successor of this one would need. Says what became of the heirlooms.
    ///
    /// # Errors
    /// As [`Self::set_up`].
    pub fn succeed(
        graph: Graph,
        plan: Plan,
        heirlooms: Vec<(String, OwnedFd)>,
        notify: Rc<Notifier>,
    ) -> Result<(Self, Inheritance), SetupError> {
        Self::found(graph, plan, Estate::new(heirlooms), notify)
    }

    pub(super) fn found(
        graph: Graph,
        plan: Plan,
        mut estate: Estate,
        notify: Rc<Notifier>,
    ) -> Result<(Self, Inheritance), SetupError> {
        // Without this a file-size limit (which counts for shared memory, too) or a closed reader would end the process.
        let _ = signal::ignore_write_signals();
        // The memory of a former segment is taken already.
        let available = if estate.segment.is_none() { memory::available() } else { None };
        let regions = plan.regions(available)?;
        let (segment, inheritance) = heritage::segment(&mut estate, &graph, &plan, &regions)?;
        let fits = estate.is_ours || matches!(inheritance, Inheritance::Taken { .. });
        let realtime = (0..plan.workers.len()).map(|worker| plan.realtime(worker, &graph)).collect();
        let texts = graph.nodes.iter().map(|node| node.text.clone()).collect();
        let mut nodes: Vec<(String, NodeKind)> = graph.nodes.into_iter().map(|node| (node.name, node.kind)).collect();
        let ports = nodes.iter_mut().map(|node| prepare(node, &mut estate, fits)).collect::<Result<Vec<_>, _>>()?;
        let logs = regions.logs.iter().map(|log| {
            let slots = Slots::new(&segment, log.slots, SLOT_COUNT, SLOT_SIZE);
            LogReader::new(segment.shared(log.words), slots)
        });
        let bells =
            plan.workers.iter().map(|_| EventFd::new()).collect::<io::Result<_>>().map_err(SetupError::Descriptor)?;
        let mut system = Self {
            notify,
            kept: nodes.iter().map(|_| None).collect(),
            texts,
            words: regions.workers.iter().map(|at| segment.shared(*at)).collect(),
            flights: regions.flights.iter().map(|at| segment.shared(*at)).collect(),
            asks: regions.nodes.iter().map(|node| segment.shared(node.ask)).collect(),
            deaths: plan.workers.iter().map(|_| None).collect(),
            realtime,
            logs: logs.collect(),
            bells: Arc::new(bells),
            log_bell: EventFd::new().map_err(SetupError::Descriptor)?,
            deserted: vec![false; plan.nodes.len()],
            reader: None,
            changes: Vec::new(),
            alive: vec![false; plan.workers.len()],
            mad: Vec::new(),
            leave: None,
            control: None,
            origin: None,
            started_ns: monotonic_ns(),
            nodes,
            plan,
            regions,
            segment,
        };
        for (node, port) in ports.into_iter().enumerate().filter(|(_, port)| port.is_some()) {
            system.keep_port(node, port);
        }
        system.deposit();
        Ok((system, inheritance))
    }

    /// Lets people ask through `control`, and read `origin` again by `reader`.
    pub fn listen(&mut self, control: Option<Server>, origin: PathBuf, reader: ConfigReader) {
        (self.control, self.origin, self.reader) = (control, Some(origin), Some(reader));
    }

    /// Why the workers were stopped between two steps, if they were; then it is up to the caller to go on.
    pub fn take_leave(&mut self) -> Option<Leave> {
        self.leave.take()
    }

    /// The line to the service manager.
    pub fn notifier(&self) -> &Notifier {
        &self.notify
    }

    /// What was planned.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Sends a worker's log records to the supervisor from now on. In the child only.
    pub(super) fn install_logger(&self, worker: usize) {
        let regions = self.regions.logs[worker];
        let slots = Slots::new(&self.segment, regions.slots, SLOT_COUNT, SLOT_SIZE);
        let Ok(bell) = self.log_bell.duplicate() else { return };
        let writer = LogWriter::new(self.segment.shared(regions.words), slots, bell, monotonic_ns);
        crate::trace::install(writer);
    }

    /// Makes a panic's message and place a log record: the worker's stderr may lead nowhere.
    pub(super) fn install_panic_hook(&self, worker: usize) {
        let (name, flight) = (self.plan.workers[worker].name.clone(), self.flights[worker].clone());
        std::panic::set_hook(Box::new(move |panic| {
            flight.say(&panic.to_string());
            log::error!("worker `{name}` {panic}");
        }));
    }

    /// With the last sink that anybody reads the run has lost its purpose.
    pub(super) fn sink_deserted(&mut self, node: usize) -> Said {
        self.deserted[node] = true;
        let is_sink = |(_, kind): &(String, NodeKind)| matches!(kind, NodeKind::Sink(_));
        let mut sinks = self.nodes.iter().zip(&self.deserted).filter(|(node, _)| is_sink(node));
        if sinks.all(|(_, deserted)| *deserted) { Said::Stop } else { Said::Changed }
    }

    pub(super) fn work_on(&mut self, worker: usize, channel: &Channel) -> io::Result<Ending> {
        let own: Vec<usize> =
            self.plan.order.iter().copied().filter(|node| self.plan.nodes[*node].worker == worker).collect();
        let (plan, regions, segment) = (&self.plan, &self.regions, &self.segment);
        let mut kinds: Vec<Option<&mut NodeKind>> = self.nodes.iter_mut().map(|(_, kind)| Some(kind)).collect();
        let runs = own
            .iter()
            .filter_map(|node| Some(Run::new(Core::recover(plan, regions, segment, *node), kinds[*node].take()?)));
        let worker = Worker {
            runs: runs.collect(),
            words: &self.words[worker],
            bells: &self.bells,
            number: worker,
            channel,
            wait: self.plan.waits[worker],
            flight: &self.flights[worker],
        };
        worker.work()
    }
}
