//! A table of the file, taken apart key by key: what nobody asked for is an unknown key.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Problem, suggest};
use super::value::{FromValue, found};

/// Problems as they are found; reading goes on, so that one run shows them all.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub(super) fn add(&self, span: Range<usize>, message: String, expected: String, help: Option<String>) {
        self.0.borrow_mut().push(Problem { span, message, expected, help });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    pub(super) fn into_inner(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

/// Where the keys of a node's tables are; inner tables' keys too, where the name is free.
pub(super) type Places = BTreeMap<String, Range<usize>>;

/// A table being read.
pub(super) struct Table<'d> {
    /// What it is, for messages: "source `gps`".
    what: String,
    span: Range<usize>,
    table: &'d DeTable<'d>,
    problems: &'d Problems,
    asked: RefCell<Vec<&'static str>>,
    places: &'d RefCell<Places>,
}

impl<'d> Table<'d> {
    pub(super) fn new(
        what: &str,
        span: Range<usize>,
        table: &'d DeTable<'d>,
        problems: &'d Problems,
        places: &'d RefCell<Places>,
    ) -> Self {
        for (key, value) in table {
            places.borrow_mut().entry(key.get_ref().to_string()).or_insert_with(|| value.span());
        }
        Self { what: what.to_owned(), span, table, problems, asked: RefCell::default(), places }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(super) fn problems(&self) -> &'d Problems {
        self.problems
    }

    /// The raw value of a key; from now on the key is known.
    pub(super) fn raw(&self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.asked.borrow_mut().push(key);
        self.table.iter().find(|(own, _)| own.get_ref() == key).map(|(_, value)| value)
    }

    /// An optional value. A wrong one is a problem and counts as absent.
    pub(super) fn optional<T: FromValue>(&self, key: &'static str) -> Option<T> {
        self.optional_where(key, &T::expected(), |_| true)
    }

    /// An optional value that must pass a test.
    pub(super) fn optional_where<T: FromValue>(
        &self,
        key: &'static str,
        expected: &str,
        test: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let value = self.raw(key)?;
        let read = T::from_value(value.get_ref()).filter(test);
        if read.is_none() {
            self.wrong(key, value, expected);
        }
        read
    }

    /// A value that must be there.
    pub(super) fn required<T: FromValue>(&self, key: &'static str) -> Option<T> {
        if self.raw(key).is_none() {
            self.missing(key, &T::expected());
            return None;
        }
        self.optional(key)
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        let value = self.raw(key)?;
        let word = value.get_ref().as_str();
        let chosen = word.and_then(|word| words.iter().find(|(own, _)| *own == word));
        if chosen.is_none() {
            let known: Vec<&str> = words.iter().map(|(own, _)| *own).collect();
            let help = word.map(|word| suggest(word, known.iter().copied()));
            let list = known.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
            let message = format!("{}: `{key}` is {}", self.what, found(value.get_ref()));
            self.problems.add(value.span(), message, format!("expected {list}"), help);
        }
        chosen.map(|(_, value)| *value)
    }

    /// An inner table.
    pub(super) fn table(&self, key: &'static str) -> Option<Table<'d>> {
        let value = self.raw(key)?;
        self.inner(key, value)
    }

    /// A list of inner tables; empty if the key is absent.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Table<'d>> {
        let Some(value) = self.raw(key) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(key, value, "a list of tables: [{ ... }, { ... }]");
            return Vec::new();
        };
        list.iter().filter_map(|value| self.inner(key, value)).collect()
    }

    /// A list of texts, if the key is there.
    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<String>> {
        let value = self.raw(key)?;
        let list = value.get_ref().as_array();
        let texts = list.and_then(|list| list.iter().map(|text| String::from_value(text.get_ref())).collect());
        if texts.is_none() {
            self.wrong(key, value, "a list of texts: [\"a\", \"b\"]");
        }
        texts
    }

    pub(super) fn inner(&self, key: &str, value: &'d Spanned<DeValue<'d>>) -> Option<Table<'d>> {
        match value.get_ref().as_table() {
            Some(table) => {
                let what = format!("{}, `{key}`", self.what);
                Some(Table::new(&what, value.span(), table, self.problems, self.places))
            }
            None => {
                self.wrong(key, value, "a table: { ... }");
                None
            }
        }
    }

    /// The key has a value of the wrong kind.
    pub(super) fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let message = format!("{}: `{key}` is {}", self.what, found(value.get_ref()));
        self.problems.add(value.span(), message, format!("expected {expected}"), None);
    }

    /// The key must be there.
    pub(super) fn missing(&self, key: &'static str, expected: &str) {
        let message = format!("{}: `{key}` is missing", self.what);
        self.problems.add(self.span(), message, format!("expected `{key}` here: {expected}"), None);
    }

    /// The table is read: whatever is left over is unknown.
    pub(super) fn finish(&self) {
        let asked = self.asked.borrow();
        for key in self.table.keys().filter(|key| !asked.contains(&key.get_ref().as_ref())) {
            let name: String = key.get_ref().chars().take(60).collect();
            let message = format!("{}: unknown key `{name}`", self.what);
            let help = suggest(&name, asked.iter().copied());
            self.problems.add(key.span(), message, "not known here".into(), Some(help));
        }
    }
}
