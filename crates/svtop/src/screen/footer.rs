//! The rows at the bottom: the selected service in full, and the keys, a question or a message.

use logyard::cli::size::human;
use logyard::supervise::logger::Condition;
use logyard::supervise::report::Report;
use logyard::supervise::snapshot::Failure;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::app::{App, Mode};
use crate::command::Command;
use crate::screen::{put_row, style_of};
use crate::service::Service;
use crate::state::Level;
use crate::text::percent;

/// The rows of the footer.
pub(super) const ROWS: u16 = 5;

/// Draws it. In one row there is room for the last part only.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, app: &App) {
    let last = area.bottom().saturating_sub(1);
    let has_room = area.height >= ROWS;
    if has_room && let Some(service) = app.service() {
        let level = service.state().level;
        let style = if level > Level::Unknown { style_of(level) } else { Style::new() };
        for (y, (text, is_problem)) in (area.y..).zip(details(service)) {
            put_row(buffer, area, y, &text, if is_problem { style } else { Style::new() });
        }
    }
    if let Mode::Confirm(command) = &app.mode
        && has_room
    {
        let question = format!("{}: {}?", command_line(app, command), command.meaning());
        // The row has another text already.
        let width = usize::from(area.width);
        put_row(buffer, area, last - 1, &format!("{question:width$}"), asking());
    }
    let (text, style) = last_row(app, has_room);
    put_row(buffer, area, last, &text, style);
}

/// Four rows about a service, each with whether it may tell of a problem.
fn details(service: &Service) -> [(String, bool); 4] {
    let described_service = described(&service.shown, &service.unit.report);
    let Some(log) = &service.log else {
        let none = || (String::new(), false);
        return [(described_service, true), ("no log service".to_owned(), false), none(), none()];
    };
    let waiting = log.logger.pipe.map_or_else(
        |_| "waiting: unknown".to_owned(),
        |fill| format!("waiting: {} of {} bytes", fill.waiting_bytes, fill.capacity_bytes),
    );
    let condition = &log.logger.condition;
    let is_problem = !matches!(condition, Condition::Logging | Condition::Exiting);
    [
        (described_service, false),
        (described("log", &log.unit.report), false),
        (format!("logger: {condition}"), is_problem),
        (format!("{waiting}; disk: {}", disk_use(service)), false),
    ]
}

/// The room that a log takes, and can take.
fn disk_use(service: &Service) -> String {
    match (service.disk_bytes(), service.bound_bytes()) {
        (None, _) => "unknown".to_owned(),
        (Some(bytes), None) => format!("{}, without a bound that is known", human(bytes)),
        (Some(bytes), Some(bound)) => {
            format!("{} of {} ({})", human(bytes), human(bound), percent(bytes, bound).unwrap_or_default())
        }
    }
}

fn described(name: &str, report: &Result<Report, Failure>) -> String {
    match report {
        Ok(report) => {
            let mut text = format!("{name}: {report}");
            if let Some(starts) = report.starts {
                text = format!("{text}; starts: {starts}");
            }
            match report.last_exit {
                Some(exit) => format!("{text}, last exit: {exit}"),
                None => text,
            }
        }
        Err(error) => format!("{name}: {error}"),
    }
}

/// The style of what waits for an answer.
fn asking() -> Style {
    Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
}

fn command_line(app: &App, command: &Command) -> String {
    format!("svc -{} {}", char::from(command.letter), app.target(command))
}

fn last_row(app: &App, has_room: bool) -> (String, Style) {
    match &app.mode {
        Mode::Filter(_) => {
            let text = format!("names with: {}_   Enter keeps it, Esc does not", app.order.filter);
            return (text, asking());
        }
        Mode::Confirm(command) => {
            let other = if command.is_for_log { "the service instead" } else { "its log service instead" };
            let answers = format!("y: yes   l: {other}   any other key: no");
            let text = if has_room { answers } else { format!("{}? y: yes", command_line(app, command)) };
            return (text, asking());
        }
        _ => {}
    }
    if let Some(notice) = &app.notice {
        let level = if notice.is_error { Level::Critical } else { Level::Good };
        return (notice.text.clone(), style_of(level));
    }
    let mut text = format!("? help  q quit  / filter  f follow  s sort: {}", app.order.column.word());
    if app.order.is_reversed {
        text.push_str(", reversed");
    }
    if app.order.only_problems {
        text.push_str(", problems only");
    }
    if !app.order.filter.is_empty() {
        text = format!("{text}, names with \"{}\"", app.order.filter);
    }
    (text, Style::new().add_modifier(Modifier::DIM))
}
