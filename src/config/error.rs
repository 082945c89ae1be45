//! What is wrong with a configuration, shown at its place.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the text it is about; empty at the start for the file as a whole.
    pub span: Range<usize>,
    /// What is wrong, one sentence.
    pub message: String,
    /// What was expected there.
    pub expected: String,
    /// What would mend it.
    pub help: Option<String>,
}

/// Problems beyond this many are only counted: the first ones tell enough.
const SHOWN: usize = 20;
/// Characters of a line shown before and after the place; a file may be one line of a megabyte.
const AROUND: usize = 100;

/// A configuration that cannot be used, with all that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    origin: String,
    text: String,
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Problems of `text`, which came from `origin`.
    pub(super) fn new(origin: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.span.start);
        Self { origin: origin.to_owned(), text: text.to_owned(), problems }
    }

    /// The file as a whole cannot be used.
    pub(super) fn file(origin: &str, message: String, help: Option<String>) -> Self {
        let problem = Problem { span: 0..0, message, expected: String::new(), help };
        Self { origin: origin.to_owned(), text: String::new(), problems: vec![problem] }
    }

    /// The problems, in the order of their places.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Line and column (in characters) of a problem, both counted from 1.
    pub fn place(&self, problem: &Problem) -> (usize, usize) {
        let (line_start, line) = self.line(problem.span.start);
        (line, self.text[line_start..floor(&self.text, problem.span.start)].chars().count() + 1)
    }

    /// Start of the line that byte `at` is in, and its number.
    fn line(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..floor(&self.text, at)];
        (before.rfind('\n').map_or(0, |newline| newline + 1), before.matches('\n').count() + 1)
    }

    /// The problems as rustc shows its own, in colour if asked.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut parts: Vec<String> =
            self.problems.iter().take(SHOWN).map(|problem| self.render_one(problem, &renderer)).collect();
        if self.problems.len() > SHOWN {
            parts.push(format!("... and {} more", self.problems.len() - SHOWN));
        }
        parts.push(format!("{}: nothing was started", self.origin));
        parts.join("\n\n")
    }

    fn render_one(&self, problem: &Problem, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(problem.message.as_str());
        if self.text.is_empty() {
            let help = problem.help.iter().map(|help| Level::HELP.message(help.as_str()));
            return format!("{}: {}", self.origin, renderer.render(&[title.elements(help)]));
        }
        let (line_start, number) = self.line(problem.span.start);
        let line_end = self.text[line_start..].find('\n').map_or(self.text.len(), |length| line_start + length);
        let start = floor(&self.text, problem.span.start);
        // A long line is cut around the place, and the path says the true column.
        let from = floor(&self.text, start.saturating_sub(AROUND).max(line_start));
        let to = floor(&self.text, (start + AROUND).min(line_end)).max(start);
        let end = floor(&self.text, problem.span.end).clamp(start, to);
        let shown = &self.text[from..to];
        let (line, column) = self.place(problem);
        let path = format!("{}:{line}:{column}", self.origin);
        let label = AnnotationKind::Primary.span(start - from..end - from).label(problem.expected.as_str());
        let snippet = Snippet::source(shown).line_start(number).annotation(label);
        let help = problem.help.iter().map(|help| Level::HELP.message(help.as_str()));
        format!("{path}: {}", renderer.render(&[title.element(snippet).elements(help)]))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigError {}

/// The last character boundary of `text` at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The known name nearest to `name`, if one is near enough to be meant.
pub(super) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let distance = |known: &&str| strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    let best = known.into_iter().map(|known| (distance(&known), known)).min()?;
    (best.0 <= 1 + best.1.len() / 3).then_some(best.1)
}

/// `there is no X; did you mean Y?` as a help line, with all that is known.
pub(super) fn suggest<'n>(name: &str, known: impl IntoIterator<Item = &'n str> + Clone) -> String {
    let mut all: Vec<&str> = Vec::new();
    for name in known.clone() {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    let list = if all.is_empty() { "none is known".to_owned() } else { format!("known: {}", all.join(", ")) };
    // Far longer than anything known: nothing can be near, and comparing would take long.
    match Some(name).filter(|name| name.len() < 80).and_then(|name| nearest(name, known)) {
        Some(nearest) => format!("did you mean `{nearest}`? ({list})"),
        None => list,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_only_when_near() {
        assert_eq!(nearest("buad", ["baud", "port"]), Some("baud"));
        assert_eq!(nearest("Baud", ["baud", "port"]), Some("baud"));
        assert_eq!(nearest("temperature", ["baud", "port"]), None);
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("x = \"{}\" y", "a".repeat(5000));
        let at = text.len() - 1;
        let problem = Problem { span: at..at + 1, message: "wrong".into(), expected: "a newline".into(), help: None };
        let error = ConfigError::new("f.toml", &text, vec![problem]);
        let shown = error.render(false);
        assert!(shown.contains("f.toml:1:5008"), "{shown}");
        assert!(shown.len() < 1000);
    }
}
