//! `[supervisor]` and `[[group]]`: what happens when workers end.

use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

use toml::de::DeValue;

use super::table::{Places, Table};
use super::value::FromValue;
use crate::pipeline::{GroupSpec, Supervision};
use crate::supervisor::{Escalate, Intensity, Restart, Strategy};

const RESTART: [(&str, Restart); 3] =
    [("transient", Restart::Transient), ("permanent", Restart::Permanent), ("temporary", Restart::Temporary)];
const ESCALATE: [(&str, Escalate); 3] =
    [("quarantine", Escalate::Quarantine), ("group", Escalate::Group), ("exit", Escalate::Exit)];
const STRATEGY: [(&str, Strategy); 3] = [
    ("one-for-one", Strategy::OneForOne),
    ("one-for-all", Strategy::OneForAll),
    ("rest-for-one", Strategy::RestForOne),
];

/// A time, or none.
struct Limit(Option<Duration>);

impl FromValue for Limit {
    fn expected() -> String {
        "a time from \"100ms\" on, such as \"2s\", or \"off\"".into()
    }

    fn from_value(value: &DeValue<'_>) -> Option<Self> {
        if value.as_str() == Some("off") {
            return Some(Self(None));
        }
        Duration::from_value(value).filter(|time| *time >= Duration::from_millis(100)).map(|time| Self(Some(time)))
    }
}

/// Reads `[supervisor]`.
pub(super) fn supervisor(supervision: &mut Supervision, table: &Table<'_>) {
    let positive = |key| table.optional_where(key, &Duration::expected(), |time: &Duration| !time.is_zero());
    supervision.backoff_min = positive("backoff_min").unwrap_or(supervision.backoff_min);
    supervision.backoff_max = positive("backoff_max").unwrap_or(supervision.backoff_max).max(supervision.backoff_min);
    supervision.stop_timeout = positive("stop_timeout").unwrap_or(supervision.stop_timeout);
    supervision.restart = table.choice("restart", &RESTART).unwrap_or(supervision.restart);
    supervision.intensity = intensity(table, supervision.intensity).unwrap_or(supervision.intensity);
    supervision.escalate = table.choice("escalate", &ESCALATE).unwrap_or(supervision.escalate);
    supervision.hang = table.optional("hang").map_or(supervision.hang, |limit: Limit| limit.0);
    supervision.spare = table.optional("spare").unwrap_or(supervision.spare);
    table.finish();
}

/// `restarts` and `within`, if one of them is there; the other is as in `default`.
fn intensity(table: &Table<'_>, default: Intensity) -> Option<Intensity> {
    let restarts = table.optional("restarts");
    let within = table.optional_where("within", &Duration::expected(), |time: &Duration| !time.is_zero());
    let any = restarts.is_some() || within.is_some();
    any.then(|| Intensity { restarts: restarts.unwrap_or(default.restarts), within: within.unwrap_or(default.within) })
}

/// Where a group is in the file.
#[derive(Clone, Debug)]
pub(super) struct GroupPlace {
    pub(super) span: Range<usize>,
    pub(super) keys: Places,
}

/// Reads all `[[group]]`; `supervision` has been read.
pub(super) fn groups(supervision: &mut Supervision, root: &Table<'_>) -> Vec<GroupPlace> {
    let Some(value) = root.raw("group") else { return Vec::new() };
    let Some(list) = value.get_ref().as_array() else {
        root.wrong("group", value, "a list of tables: [[group]]");
        return Vec::new();
    };
    let mut found = Vec::new();
    for value in list {
        let Some(table) = value.get_ref().as_table() else {
            root.wrong("group", value, "a table: [[group]]");
            continue;
        };
        let places = RefCell::default();
        let table = Table::new("a group", value.span(), table, root.problems(), &places);
        if let Some(group) = group(&table, supervision.intensity) {
            supervision.groups.push(group);
            found.push(GroupPlace { span: value.span(), keys: places.take() });
        }
    }
    found
}

fn group(table: &Table<'_>, default: Intensity) -> Option<GroupSpec> {
    let name: Option<String> = table.required("name");
    let workers = table.texts("workers");
    if table.raw("workers").is_none() {
        table.missing("workers", "the names of its workers, in the order of their start");
    }
    let group = GroupSpec {
        strategy: table.choice("strategy", &STRATEGY).unwrap_or_default(),
        restart: table.choice("restart", &RESTART),
        intensity: intensity(table, default),
        escalate: table.choice("escalate", &ESCALATE),
        critical: table.optional("critical").unwrap_or(true),
        ..GroupSpec::new(&name.clone().unwrap_or_default(), workers.clone().unwrap_or_default())
    };
    table.finish();
    (name.is_some() && workers.is_some()).then_some(group)
}
