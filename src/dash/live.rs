//! The live table on a terminal.

use std::collections::VecDeque;
use std::io::{self, Stdout, Write};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::crossterm::{cursor, execute};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};

use super::table::{COLUMNS, rows};
use crate::pipeline::Status;
use crate::sys::termios::Quiet;

/// Lines of events kept for the lower half.
const EVENTS: usize = 200;

/// The screen while a pipeline runs: a table of the nodes, below it what happened. The terminal is put back when it is
/// dropped; Ctrl-C stays a signal.
pub struct Live {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    title: String,
    events: VecDeque<String>,
    /// Keeps typed characters off the screen.
    _quiet: Option<Quiet>,
}

impl Live {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// If stdout is no terminal that can be drawn on.
    pub fn start(title: String) -> io::Result<Self> {
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let quiet = Quiet::start(io::stdin()).ok();
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(Self { terminal, title, events: VecDeque::with_capacity(EVENTS), _quiet: quiet })
    }

    /// Adds a line to the events.
    pub fn event(&mut self, line: String) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(line);
    }

    /// The events shown so far, to print them again where the terminal keeps them.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.events.iter().map(String::as_str)
    }

    /// Draws.
    ///
    /// # Errors
    /// If the terminal has gone.
    pub fn draw(&mut self, status: &Status, rates: &[f64], elapsed: &str) -> io::Result<()> {
        let rows = rows(status, rates);
        let widths = column_widths(&rows);
        let table = Table::new(rows.iter().map(|cells| node_row(cells)), widths)
            .header(Row::new(COLUMNS).style(Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)))
            .column_spacing(2)
            .block(Block::bordered().title(format!(" pinring: {} ", self.title)).title_bottom(format!(
                " {elapsed}   p50 and p99: age of messages since they arrived at the port   Ctrl-C: stop in order "
            )));
        let height = u16::try_from(rows.len() + 3).unwrap_or(u16::MAX);
        let events = &self.events;
        self.terminal.draw(|frame| {
            let [upper, lower] = Layout::vertical([Constraint::Length(height), Constraint::Min(3)]).areas(frame.area());
            frame.render_widget(table, upper);
            let room = usize::from(lower.height.saturating_sub(2));
            let shown = events.iter().skip(events.len().saturating_sub(room));
            let lines: Vec<Line<'_>> = shown.map(|line| Line::from(line.as_str())).collect();
            frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" events ")), lower);
        })?;
        Ok(())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // A terminal that is gone needs no putting back.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = io::stdout().flush();
    }
}

fn column_widths(rows: &[[String; COLUMNS.len()]]) -> Vec<Constraint> {
    let width = |column: usize| {
        let widest = rows.iter().map(|cells| cells[column].len()).max().unwrap_or(0).max(COLUMNS[column].len());
        Constraint::Length(u16::try_from(widest).unwrap_or(u16::MAX))
    };
    (0..COLUMNS.len()).map(width).collect()
}

fn node_row(cells: &[String; COLUMNS.len()]) -> Row<'_> {
    let alarming = [8, 9, 10];
    Row::new(cells.iter().enumerate().map(|(column, text)| {
        let cell = Cell::from(text.as_str());
        if alarming.contains(&column) && text != "0" { cell.style(Style::new().fg(Color::Yellow)) } else { cell }
    }))
}
