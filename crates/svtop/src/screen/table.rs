//! The table: a row for each service.

use logyard::cli::{Shown, cause};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use crate::app::App;
use crate::order::Column;
use crate::screen::{put, put_row, style_of};
use crate::service::Service;
use crate::state::Level;
use crate::text::{brief, brief_bytes, brief_time, percent};

/// From this width on, names and disk use have more room.
const WIDE: u16 = 110;
/// How wide the column of names is at least, and at most.
const NAME_MIN: usize = 7;
const NAME_MAX: usize = 15;
const NAME_MAX_WIDE: usize = 28;

/// A column of the table: where it begins, how wide it is, what stands at its head, by what it is sorted.
struct Place {
    x: u16,
    width: u16,
    head: &'static str,
    column: Option<Column>,
    is_right: bool,
}

/// The columns of a table, from left to right.
fn places(width: u16, app: &App) -> [Place; 8] {
    let is_wide = width >= WIDE;
    let names = app.rows.iter().map(|&i| app.services.all[i].shown.chars().count());
    let name = names.max().unwrap_or(0).clamp(NAME_MIN, if is_wide { NAME_MAX_WIDE } else { NAME_MAX });
    let columns = [
        (name as u16, "SERVICE", Some(Column::Name), false),
        (9, "STATE", Some(Column::Problems), false),
        (5, "UP", Some(Column::Uptime), true),
        (7, "LINES/S", Some(Column::Lines), true),
        (7, "BYTES/S", Some(Column::Bytes), true),
        (5, "QUEUE", Some(Column::Waiting), true),
        (if is_wide { 16 } else { 5 }, "DISK", Some(Column::Disk), true),
        (u16::MAX, "LAST LINE", None, false),
    ];
    let mut x = 0;
    columns.map(|(room, head, column, is_right)| {
        let place = Place { x, width: room.min(width.saturating_sub(x)), head, column, is_right };
        x = x.saturating_add(room).saturating_add(1);
        place
    })
}

/// The first two rows: all services in numbers, and the heads of the columns.
pub(super) fn draw_header(buffer: &mut Buffer, area: Rect, app: &App) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    put_row(buffer, area, 0, &summary(app), bold);
    let head = Style::new().add_modifier(Modifier::REVERSED);
    put_row(buffer, area, 1, "", head);
    for place in places(area.width, app) {
        let is_sorted = place.column == Some(app.order.column);
        let style = if is_sorted { head.add_modifier(Modifier::BOLD | Modifier::UNDERLINED) } else { head };
        put_in(buffer, &place, 1, place.head, style);
    }
}

/// What the first row says.
fn summary(app: &App) -> String {
    let path = Shown(&app.services.path);
    if let Some(errno) = app.services.error {
        return format!("svtop {path}: unable to read the directory: {}", cause(errno));
    }
    let all = &app.services.all;
    let mut words: Vec<(&str, usize)> = Vec::new();
    let mut states: Vec<_> = all.iter().map(Service::state).collect();
    states.sort_by_key(|state| std::cmp::Reverse(state.level));
    for state in states {
        match words.iter_mut().find(|(word, _)| *word == state.word) {
            Some((_, count)) => *count += 1,
            None => words.push((state.word, 1)),
        }
    }
    let words: Vec<String> = words.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let (lines, bytes) = (total(all, Service::lines_rate), total(all, Service::bytes_rate));
    let (lines, bytes) = (brief(lines, 1000.0), brief(bytes, 1024.0));
    format!("svtop {path}: {} services: {}; {lines} lines/s, {bytes}B/s", all.len(), words.join(", "))
}

fn total(all: &[Service], rate: impl Fn(&Service) -> Option<f64>) -> f64 {
    all.iter().filter_map(rate).sum()
}

/// The rows on the screen.
pub(super) fn draw_rows(buffer: &mut Buffer, area: Rect, app: &App) {
    let places = places(area.width, app);
    for (y, (row, &i)) in (area.y..area.bottom()).zip(app.rows.iter().enumerate().skip(app.top)) {
        draw_row(buffer, &places, y, &app.services.all[i]);
        if row == app.cursor {
            buffer.set_style(Rect { y, height: 1, ..area }, Style::new().add_modifier(Modifier::REVERSED));
        }
    }
    if app.rows.is_empty() && app.services.error.is_none() && area.height > 1 {
        let text = if app.services.all.is_empty() { "no services" } else { "no service is selected: Esc shows all" };
        put(buffer, (area.x + 2, area.y + 1), text, area.width.saturating_sub(2), Style::new());
    }
}

fn draw_row(buffer: &mut Buffer, places: &[Place; 8], y: u16, service: &Service) {
    let [name, word, time, lines, bytes, waiting, disk, text] = places;
    let state = service.state();
    let plain = if state.level == Level::Quiet { style_of(Level::Quiet) } else { Style::new() };
    put_in(buffer, name, y, &service.shown, plain.add_modifier(Modifier::BOLD));
    put_in(buffer, word, y, state.word, style_of(state.level));
    let unknown = || "-".to_owned();
    put_in(buffer, time, y, &service.seconds().map_or_else(unknown, brief_time), plain);
    put_in(buffer, lines, y, &service.lines_rate().map_or_else(unknown, |rate| brief(rate, 1000.0)), plain);
    put_in(buffer, bytes, y, &service.bytes_rate().map_or_else(unknown, |rate| brief(rate, 1024.0)), plain);
    let queue = service.waiting_bytes().map_or_else(unknown, brief_bytes);
    let is_behind = service.log.as_ref().is_some_and(|log| log.logger.is_behind());
    put_in(buffer, waiting, y, &queue, if is_behind { style_of(Level::Warning) } else { plain });
    put_in(buffer, disk, y, &disk_use(service, disk.width >= 16), plain);
    match service.problem() {
        Some(problem) => put_in(buffer, text, y, &problem, style_of(state.level.max(Level::Unknown))),
        None => put_in(buffer, text, y, service.last_line(), Style::new().fg(Color::Reset).patch(plain)),
    }
}

/// The room that a log takes: as a part of what it can take, or in bytes if there is no bound.
fn disk_use(service: &Service, is_wide: bool) -> String {
    let Some(bytes) = service.disk_bytes() else { return "-".to_owned() };
    let bound = service.bound_bytes().and_then(|bound| Some((bound, percent(bytes, bound)?)));
    match bound {
        Some((bound, percent)) if is_wide => format!("{}/{} {percent:>4}", brief_bytes(bytes), brief_bytes(bound)),
        Some((_, percent)) => percent,
        None => brief_bytes(bytes),
    }
}

fn put_in(buffer: &mut Buffer, place: &Place, y: u16, text: &str, style: Style) {
    let room = usize::from(place.width);
    if place.is_right {
        put(buffer, (place.x, y), &format!("{text:>room$}"), place.width, style);
    } else {
        put(buffer, (place.x, y), text, place.width, style);
    }
}
