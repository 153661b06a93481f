//! Draws: the table with its header and footer, the help, the log that is followed.
//!
//! - [`table`]: a row for each service. [`footer`]: the selected service in full, and the keys or a question.
//! - [`help`]: the keys. [`log`]: the lines of a log.

mod footer;
mod help;
mod log;
mod table;

use std::time::Instant;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use crate::app::{App, Mode};
use crate::state::Level;

/// Below these rows the details are left out.
const ROWS_FOR_DETAILS: u16 = 10;

/// Draws all.
pub(crate) fn draw(frame: &mut Frame<'_>, app: &mut App) {
    let area = frame.area();
    if area.width == 0 || area.height == 0 {
        return;
    }
    let buffer = frame.buffer_mut();
    if let Mode::Follow(follow) = &app.mode {
        let rows = log::draw(buffer, area, follow);
        app.set_page(rows);
        return;
    }
    let footer_rows = if area.height >= ROWS_FOR_DETAILS { footer::ROWS } else { 1 };
    let header_rows = 2;
    let table =
        Rect { y: header_rows.min(area.height), height: area.height.saturating_sub(header_rows + footer_rows), ..area };
    app.set_page(table.height.into());
    app.look_closer(Instant::now());
    table::draw_header(buffer, area, app);
    table::draw_rows(buffer, table, app);
    let footer_top = area.height.saturating_sub(footer_rows).max(1);
    footer::draw(buffer, Rect { y: footer_top, height: area.height.saturating_sub(footer_top), ..area }, app);
    if matches!(app.mode, Mode::Help) {
        help::draw(frame, area);
    }
}

/// Writes a text to a row from a column on, cut at a width.
fn put(buffer: &mut Buffer, (x, y): (u16, u16), text: &str, width: u16, style: Style) {
    if buffer.area.contains((x, y).into()) {
        buffer.set_stringn(x, y, text, width.into(), style);
    }
}

/// Writes a text and colours the rest of the row too.
fn put_row(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) {
    if y < area.bottom() {
        buffer.set_style(Rect { y, height: 1, ..area }, style);
        put(buffer, (area.x, y), text, area.width, style);
    }
}

fn style_of(level: Level) -> Style {
    match level {
        Level::Good => Style::new().fg(Color::Green),
        Level::Quiet => Style::new().add_modifier(Modifier::DIM),
        Level::Unknown => Style::new().fg(Color::Magenta),
        Level::Warning => Style::new().fg(Color::Yellow),
        Level::Critical => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}
