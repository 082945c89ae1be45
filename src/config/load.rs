//! The file as a whole: sections, nodes, edges.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Problem, suggest};
use super::supervision::{self, GroupPlace};
use super::table::{Places, Problems, Table};
use super::{sinks, sources, stages};
use crate::pipeline::{EdgeSpec, Graph, GraphError, NodeKind, NodeSpec, Overflow};

/// A larger file is no configuration.
const MAX_FILE: u64 = 1 << 20;

/// Priorities of SCHED_FIFO; 99 is left to the supervisor and the kernel.
const PRIORITY: &str = "a real-time priority from 1 to 98";

fn is_priority(priority: &u8) -> bool {
    (1..=98).contains(priority)
}

/// Where nodes are, in the order in which they are read.
const SECTIONS: [&str; 3] = ["source", "stage", "sink"];

/// A configuration: the graph it describes, and where in the file each part of it is.
pub struct Config {
    /// The graph.
    pub graph: Graph,
    /// Where people may ask a running system.
    pub control: ControlSettings,
    /// Where everything is.
    pub source: SourceMap,
}

/// Where the nodes and their keys are in the file.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    origin: String,
    text: String,
    nodes: Vec<NodePlace>,
    groups: Vec<GroupPlace>,
}

#[derive(Clone, Debug)]
struct NodePlace {
    span: Range<usize>,
    keys: Places,
    inputs: Vec<Range<usize>>,
}

impl SourceMap {
    /// Shows what is wrong with the graph at its place in the file.
    pub fn explain(&self, error: &GraphError) -> ConfigError {
        let key = error.key.unwrap_or("name");
        let group = error.group.and_then(|group| self.groups.get(usize::try_from(group).ok()?));
        let group = group.map(|place| place.keys.get(key).cloned().unwrap_or_else(|| place.span.clone()));
        let place = self.nodes.get(error.index);
        let span = group.unwrap_or_else(|| {
            place.map_or(0..0, |place| {
                let input = error.input.and_then(|input| place.inputs.get(input)).filter(|_| key == "input");
                input.or_else(|| place.keys.get(key)).cloned().unwrap_or_else(|| place.span.clone())
            })
        });
        let expected = error.key.map_or_else(String::new, |key| format!("this `{key}` does not fit"));
        let message = if error.node.is_empty() { error.message.clone() } else { error.to_string() };
        let problem = Problem { span, message, expected, help: error.help.clone() };
        ConfigError::new(&self.origin, &self.text, vec![problem])
    }
}

/// Reads a configuration file.
///
/// # Errors
/// If it cannot be read or is wrong; nothing has been started.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let origin = path.display().to_string();
    let unreadable =
        |error: &std::io::Error| ConfigError::file(&origin, format!("the file cannot be read: {error}"), None);
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MAX_FILE {
        let message = format!("the file is larger than {} KiB: no configuration", MAX_FILE >> 10);
        return Err(ConfigError::file(&origin, message, None));
    }
    match String::from_utf8(bytes) {
        Ok(text) => parse(&text, &origin),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let help = Some("save it as UTF-8".to_owned());
            Err(ConfigError::file(&origin, format!("line {line} is not UTF-8 text"), help))
        }
    }
}

/// Reads a configuration that came from `origin` (for messages).
///
/// # Errors
/// If it is wrong.
pub fn parse(text: &str, origin: &str) -> Result<Config, ConfigError> {
    let document = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let mut message = error.message().to_owned();
        message.truncate(message.char_indices().nth(200).map_or(message.len(), |(at, _)| at));
        let problem =
            Problem { span, message: format!("no valid TOML: {message}"), expected: "here".into(), help: None };
        ConfigError::new(origin, text, vec![problem])
    })?;
    let problems = Problems::default();
    let (mut graph, control, nodes, groups) = read(&document, &problems);
    if !problems.is_empty() {
        return Err(ConfigError::new(origin, text, problems.into_inner()));
    }
    note_texts(&mut graph, text);
    let source = SourceMap { origin: origin.to_owned(), text: text.to_owned(), nodes, groups };
    Ok(Config { graph, control, source })
}

/// Where the control socket is, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlSettings {
    /// Whether there is one.
    pub on: bool,
    /// Where; `None`: the usual place.
    pub socket: Option<PathBuf>,
    /// A group whose members may use it, besides its owner.
    pub group: Option<String>,
}

impl Default for ControlSettings {
    fn default() -> Self {
        Self { on: true, socket: None, group: None }
    }
}

fn control(table: &Table<'_>) -> ControlSettings {
    let expected = "an absolute path ending in .sock, or \"off\"";
    let socket = table.optional_where("socket", expected, |path: &String| {
        path == "off" || (path.starts_with('/') && path.ends_with(".sock"))
    });
    let group = table.optional("group");
    table.finish();
    let on = socket.as_deref() != Some("off");
    ControlSettings { on, socket: socket.filter(|_| on).map(PathBuf::from), group }
}

/// What the file says of each node, without comments and layout: by that a node is known to be the same in another file.
fn note_texts(graph: &mut Graph, text: &str) {
    let document: toml::Table = toml::from_str(text).unwrap_or_default();
    let tables = SECTIONS.iter().filter_map(|section| document.get(*section)?.as_array()).flatten();
    for (node, table) in graph.nodes.iter_mut().zip(tables) {
        node.text = table.to_string();
    }
}

fn read(
    document: &Spanned<DeTable<'_>>,
    problems: &Problems,
) -> (Graph, ControlSettings, Vec<NodePlace>, Vec<GroupPlace>) {
    let places = RefCell::default();
    let root = Table::new("the file", 0..0, document.get_ref(), problems, &places);
    let mut graph = Graph::new();
    if let Some(system) = root.table("system") {
        graph.wait = system.optional("wait").unwrap_or(graph.wait);
        system.finish();
    }
    if let Some(realtime) = root.table("realtime") {
        graph.realtime.priority = realtime.optional_where("priority", PRIORITY, is_priority);
        graph.realtime.lock_memory = realtime.optional("lock_memory").unwrap_or(false);
        realtime.finish();
    }
    if let Some(supervisor) = root.table("supervisor") {
        supervision::supervisor(&mut graph.supervision, &supervisor);
    }
    let control = root.table("control").map(|table| control(&table)).unwrap_or_default();
    let groups = supervision::groups(&mut graph.supervision, &root);
    let mut nodes = Vec::new();
    for section in SECTIONS {
        node_tables(&root, section, &mut graph, &mut nodes);
    }
    root.finish();
    names(&graph, &nodes, problems);
    (graph, control, nodes, groups)
}

fn node_tables(root: &Table<'_>, section: &'static str, graph: &mut Graph, nodes: &mut Vec<NodePlace>) {
    let Some(value) = root.raw(section) else { return };
    let Some(list) = value.get_ref().as_array() else {
        root.wrong(section, value, &format!("a list of tables: [[{section}]]"));
        return;
    };
    for value in list {
        let Some(table) = value.get_ref().as_table() else {
            root.wrong(section, value, &format!("a table: [[{section}]]"));
            continue;
        };
        let places = RefCell::default();
        let name = table.iter().find(|(key, _)| key.get_ref() == "name").and_then(|(_, name)| name.get_ref().as_str());
        let short: String = name.unwrap_or("without a name").chars().take(40).collect();
        let table = Table::new(&format!("{section} `{short}`"), value.span(), table, root.problems(), &places);
        let node = node(section, &table);
        table.finish();
        if let Some((spec, inputs)) = node {
            graph.nodes.push(spec);
            nodes.push(NodePlace { span: value.span(), keys: places.take(), inputs });
        }
    }
}

/// A node and the places of its inputs.
fn node(section: &str, table: &Table<'_>) -> Option<(NodeSpec, Vec<Range<usize>>)> {
    let name = table.optional_where("name", "1 to 32 letters, digits, `-` or `_`", |name: &String| is_name(name));
    if table.raw("name").is_none() {
        table.missing("name", "a name, unique in the file");
    }
    let (inputs, places) = if section == "source" { Default::default() } else { inputs(table) };
    let worker = table.optional_where("worker", "1 to 15 letters, digits, `-` or `_`", |name: &String| {
        is_name(name) && name.len() <= 15
    });
    let core = table.optional("core");
    let wait = table.optional("wait");
    let priority = table.optional_where("priority", PRIORITY, is_priority);
    let types: &[&str] = match section {
        "source" => &sources::TYPES,
        "stage" => &stages::TYPES,
        _ => &sinks::TYPES,
    };
    let kind = kind(table, types)?;
    let kind = match section {
        "source" => sources::source(kind, table),
        "stage" => stages::stage(kind, table),
        _ => sinks::sink(kind, table),
    };
    Some((NodeSpec { name: name?, kind: kind?, inputs, worker, core, priority, text: String::new(), wait }, places))
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=32).contains(&name.len()) && name.bytes().all(fits)
}

fn kind(table: &Table<'_>, types: &[&'static str]) -> Option<&'static str> {
    if table.raw("type").is_none() {
        table.missing("type", &types.join(" or "));
        return None;
    }
    let words: Vec<(&'static str, &'static str)> = types.iter().map(|word| (*word, *word)).collect();
    table.choice("type", &words)
}

/// `"a"`, `["a", "b"]`, `{ from = "a", depth = 64 }` or a list that mixes them.
fn inputs(table: &Table<'_>) -> (Vec<EdgeSpec>, Vec<Range<usize>>) {
    let Some(value) = table.raw("input") else {
        table.missing("input", "the name of the node that feeds it");
        return Default::default();
    };
    let list: Vec<&Spanned<DeValue<'_>>> = match value.get_ref().as_array() {
        Some(list) => list.iter().collect(),
        None => vec![value],
    };
    if list.is_empty() {
        table.wrong("input", value, "at least one name");
    }
    list.into_iter().filter_map(|value| Some((input(table, value)?, value.span()))).unzip()
}

fn input(table: &Table<'_>, value: &Spanned<DeValue<'_>>) -> Option<EdgeSpec> {
    if let Some(from) = value.get_ref().as_str() {
        return Some(EdgeSpec::from(from));
    }
    if !value.get_ref().is_table() {
        table.wrong("input", value, "a name in quotes, or { from = \"name\", depth = ..., overflow = ... }");
        return None;
    }
    let places = RefCell::default();
    let inner = Table::new("input", value.span(), value.get_ref().as_table()?, table.problems(), &places);
    let from: Option<String> = inner.required("from");
    let depth = inner.optional_where("depth", "a whole number from 1 to 1000000000", |depth: &u32| {
        (1..=1_000_000_000).contains(depth)
    });
    let policies =
        [("block", Overflow::Block), ("drop-oldest", Overflow::DropOldest), ("drop-newest", Overflow::DropNewest)];
    let overflow = inner.choice("overflow", &policies).unwrap_or_default();
    inner.finish();
    Some(EdgeSpec { from: from?, depth, overflow })
}

/// Names that are given twice or lead nowhere: all of them, while the graph's own check would show the first only.
fn names(graph: &Graph, nodes: &[NodePlace], problems: &Problems) {
    let known: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    for (index, (node, place)) in graph.nodes.iter().zip(nodes).enumerate() {
        let span = |key: &str| place.keys.get(key).cloned().unwrap_or_else(|| place.span.clone());
        if known[..index].contains(&node.name.as_str()) {
            let message = format!("two nodes are called `{}`", node.name);
            problems.add(span("name"), message, "give it another name".into(), None);
        }
        for (edge, span) in node.inputs.iter().zip(&place.inputs) {
            // A node with a problem of its own is not in the graph; who names it is not to blame.
            if problems.is_empty() && !known.contains(&edge.from.as_str()) {
                let others = known.iter().copied().filter(|name| *name != node.name);
                let message = format!("node `{}`: there is no node `{}`", node.name, edge.from);
                let help = suggest(&edge.from, others.collect::<Vec<_>>());
                problems.add(span.clone(), message, "not the name of a node".into(), Some(help));
            }
        }
    }
    ports(graph, nodes, problems);
}

/// Two sources on one serial port would take each other's bytes.
fn ports(graph: &Graph, nodes: &[NodePlace], problems: &Problems) {
    let device = |node: &NodeSpec| match &node.kind {
        NodeKind::Source(source) => source.device().map(|path| path.canonicalize().unwrap_or(path)),
        _ => None,
    };
    let devices: Vec<_> = graph.nodes.iter().map(device).collect();
    for (index, (own, place)) in devices.iter().zip(nodes).enumerate() {
        let Some(own) = own else { continue };
        let Some(first) = devices[..index].iter().position(|other| other.as_ref() == Some(own)) else { continue };
        let message = format!("the port {} is named twice", own.display());
        let expected = format!("source `{}` has it already", graph.nodes[first].name);
        problems.add(place.keys.get("port").cloned().unwrap_or_else(|| place.span.clone()), message, expected, None);
    }
}
