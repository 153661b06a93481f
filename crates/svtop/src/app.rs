//! What is shown of the services, and what the keys do.

use std::time::Instant;

use logyard::cli::Shown;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::command::{Command, letter_of};
use crate::follow::Follow;
use crate::order::{Column, Order};
use crate::service::Service;
use crate::services::{Needs, Services};

/// A filter is not longer.
const FILTER_MAX: usize = 60;
/// How far the log that is followed moves to the side.
const SIDE_STEP: usize = 20;

/// What the screen shows.
#[derive(Debug)]
pub(crate) enum Mode {
    /// The table.
    Table,
    /// The keys, over the table.
    Help,
    /// A filter is typed. This was the one before.
    Filter(String),
    /// A command waits for its confirmation.
    Confirm(Command),
    /// A log.
    Follow(Box<Follow>),
}

/// What the loop has to do for a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Draw.
    Draw,
    /// Draw everything again.
    DrawAll,
    /// Look at the services soon, as a command was sent.
    LookSoon,
    /// Follow the log in this directory.
    Follow(Vec<u8>),
    /// Stop until somebody continues the process.
    Suspend,
    Quit,
}

/// A message at the bottom of the screen.
#[derive(Debug)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) is_error: bool,
}

/// All that is shown.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) services: Services,
    pub(crate) order: Order,
    /// The services of the table in their order, by their places in `services`.
    pub(crate) rows: Vec<usize>,
    /// The name of the selected service; `None`: the first row, whichever it is.
    selected: Option<Vec<u8>>,
    /// The row of the selected service.
    pub(crate) cursor: usize,
    /// The first row on the screen, and how many there are.
    pub(crate) top: usize,
    pub(crate) page: usize,
    pub(crate) mode: Mode,
    pub(crate) notice: Option<Notice>,
}

impl App {
    /// Nothing has been looked at yet.
    pub(crate) fn new(services: Services, order: Order) -> App {
        App {
            services,
            order,
            rows: Vec::new(),
            selected: None,
            cursor: 0,
            top: 0,
            page: 1,
            mode: Mode::Table,
            notice: None,
        }
    }

    /// Looks at all services.
    pub(crate) fn look(&mut self, now: Instant) {
        let end = (self.top + self.page).min(self.rows.len());
        let mut is_on_screen = vec![false; self.services.all.len()];
        for &i in self.rows.get(self.top..end).unwrap_or_default() {
            is_on_screen[i] = true;
        }
        let column = self.order.column;
        let needs = Needs { pipes: column == Column::Waiting, disk: column == Column::Disk };
        self.services.look(now, |i| is_on_screen[i], needs);
        self.arrange();
    }

    /// Looks at the loggers that may count as blocked by now.
    pub(crate) fn look_at_due(&mut self, now: Instant) {
        self.services.look_at_due(now);
        self.arrange();
    }

    /// Selects and sorts the rows again. The selected service stays selected.
    pub(crate) fn arrange(&mut self) {
        self.rows = self.order.apply(&self.services.all);
        let name_at = |row: usize| self.rows.get(row).map(|&i| &self.services.all[i].name);
        if let Some(selected) = &self.selected {
            match (0..self.rows.len()).find(|&row| name_at(row) == Some(selected)) {
                Some(row) => self.cursor = row,
                // It is gone: the one in its place.
                None => self.select(self.cursor),
            }
        } else {
            self.cursor = 0;
        }
        self.scroll();
    }

    /// Tells how many rows the screen has room for.
    pub(crate) fn set_page(&mut self, rows: usize) {
        self.page = rows.max(1);
        self.scroll();
    }

    /// Reads what only the rows on the screen show.
    pub(crate) fn look_closer(&mut self, now: Instant) {
        let end = (self.top + self.page).min(self.rows.len());
        for &i in &self.rows[self.top..end] {
            self.services.all[i].look_closer(now);
        }
    }

    /// Keeps the selected row on the screen.
    fn scroll(&mut self) {
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
        self.top = self.top.min(self.cursor).max((self.cursor + 1).saturating_sub(self.page));
        self.top = self.top.min(self.rows.len().saturating_sub(self.page));
    }

    fn select(&mut self, row: usize) {
        self.cursor = row.min(self.rows.len().saturating_sub(1));
        // The first row stays the first row, whichever service comes there.
        self.selected = (self.cursor > 0).then(|| self.services.all[self.rows[self.cursor]].name.clone());
        self.scroll();
    }

    /// The selected service.
    pub(crate) fn service(&self) -> Option<&Service> {
        self.rows.get(self.cursor).map(|&i| &self.services.all[i])
    }

    /// Obeys a key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Reaction {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('l') => Reaction::DrawAll,
                KeyCode::Char('z') => Reaction::Suspend,
                _ => Reaction::Draw,
            };
        }
        self.notice = None;
        match &mut self.mode {
            Mode::Table => self.key_in_table(key.code),
            Mode::Help => {
                self.mode = Mode::Table;
                Reaction::Draw
            }
            Mode::Filter(_) => self.key_in_filter(key.code),
            Mode::Confirm(_) => self.key_in_confirmation(key.code),
            Mode::Follow(_) => self.key_in_log(key.code),
        }
    }

    fn key_in_table(&mut self, key: KeyCode) -> Reaction {
        match key {
            KeyCode::Char('q') => return Reaction::Quit,
            KeyCode::Char('?') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filter(self.order.filter.clone()),
            KeyCode::Char('f') | KeyCode::Enter => return self.follow(),
            KeyCode::Char('s') => self.order.column = self.order.column.next(1),
            KeyCode::Char('S') => self.order.column = self.order.column.next(Column::ALL.len() - 1),
            KeyCode::Char('r') => self.order.is_reversed = !self.order.is_reversed,
            KeyCode::Char('b') => self.order.only_problems = !self.order.only_problems,
            KeyCode::Esc => {
                self.order.filter.clear();
                self.order.only_problems = false;
            }
            KeyCode::Up => self.select(self.cursor.saturating_sub(1)),
            KeyCode::Down => self.select(self.cursor + 1),
            KeyCode::PageUp => self.select(self.cursor.saturating_sub(self.page)),
            KeyCode::PageDown => self.select(self.cursor + self.page),
            KeyCode::Home => self.select(0),
            KeyCode::End => self.select(usize::MAX),
            KeyCode::Char(letter) => {
                if let Some(letter) = letter_of(letter)
                    && let Some(service) = self.service()
                {
                    self.mode = Mode::Confirm(Command { name: service.name.clone(), letter, is_for_log: false });
                }
            }
            _ => {}
        }
        self.arrange();
        Reaction::Draw
    }

    fn key_in_filter(&mut self, key: KeyCode) -> Reaction {
        match key {
            KeyCode::Enter => self.mode = Mode::Table,
            KeyCode::Esc => {
                if let Mode::Filter(before) = std::mem::replace(&mut self.mode, Mode::Table) {
                    self.order.filter = before;
                }
            }
            KeyCode::Backspace => drop(self.order.filter.pop()),
            KeyCode::Char(letter) if !letter.is_control() && self.order.filter.len() < FILTER_MAX => {
                self.order.filter.push(letter);
            }
            _ => {}
        }
        self.arrange();
        Reaction::Draw
    }

    fn key_in_confirmation(&mut self, key: KeyCode) -> Reaction {
        let Mode::Confirm(command) = &mut self.mode else { return Reaction::Draw };
        if key == KeyCode::Char('l') {
            let service = self.services.all.iter().find(|service| service.name == command.name);
            if service.is_some_and(|service| service.log.is_some()) {
                command.is_for_log = !command.is_for_log;
            }
            return Reaction::Draw;
        }
        let Mode::Confirm(command) = std::mem::replace(&mut self.mode, Mode::Table) else { return Reaction::Draw };
        if key != KeyCode::Char('y') {
            return Reaction::Draw;
        }
        let sent = self.send(&command);
        let target = self.target(&command);
        let letter = char::from(command.letter);
        self.notice = Some(match sent {
            Ok(()) => Notice { text: format!("sent: svc -{letter} {target}"), is_error: false },
            Err(error) => Notice { text: format!("{target}: {error}"), is_error: true },
        });
        Reaction::LookSoon
    }

    /// The path that a command goes to, as the confirmation shows it.
    pub(crate) fn target(&self, command: &Command) -> String {
        let path = Shown(&self.services.path_of(&command.name)).to_string();
        if command.is_for_log { format!("{path}/log") } else { path }
    }

    fn send(&self, command: &Command) -> Result<(), String> {
        let gone = || "it is gone".to_owned();
        let service = self.services.all.iter().find(|service| service.name == command.name).ok_or_else(gone)?;
        if command.is_for_log {
            let log = service.log.as_ref().ok_or_else(gone)?;
            return command.send(log.unit.dir.as_ref().map_err(|errno| *errno));
        }
        command.send(service.unit.dir.as_ref().map_err(|errno| *errno))
    }

    fn follow(&mut self) -> Reaction {
        let Some(service) = self.service() else { return Reaction::Draw };
        let path = self.services.path_of(&service.name);
        match &service.log {
            Some(log) => Reaction::Follow(log.files.path(&path).unwrap_or(path)),
            None => {
                self.notice = Some(Notice { text: format!("{} has no log", service.shown), is_error: true });
                Reaction::Draw
            }
        }
    }

    fn key_in_log(&mut self, key: KeyCode) -> Reaction {
        let page = self.page;
        let Mode::Follow(follow) = &mut self.mode else { return Reaction::Draw };
        let rows = page.cast_signed();
        match key {
            KeyCode::Char('q' | 'f') | KeyCode::Esc => self.mode = Mode::Table,
            KeyCode::Up => follow.scroll(1, page),
            KeyCode::Down => follow.scroll(-1, page),
            KeyCode::PageUp => follow.scroll(rows, page),
            KeyCode::PageDown => follow.scroll(-rows, page),
            KeyCode::Home => follow.scroll(isize::MAX, page),
            KeyCode::End => follow.below = 0,
            KeyCode::Left => follow.left = follow.left.saturating_sub(SIDE_STEP),
            KeyCode::Right => follow.left += SIDE_STEP,
            _ => {}
        }
        Reaction::Draw
    }
}
