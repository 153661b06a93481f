//! The log that is followed.

use logyard::cli::Shown;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::follow::Follow;
use crate::screen::put_row;
use crate::text::shown;

/// Draws the last lines, or those before them. Returns how many rows there are for lines.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, follow: &Follow) -> usize {
    let rows = usize::from(area.height.saturating_sub(1)).max(1);
    let end = follow.lines.len().saturating_sub(follow.below);
    let from = end.saturating_sub(rows);
    for (y, line) in (area.y + 1..area.bottom()).zip(follow.lines.range(from..end)) {
        let text = shown(line);
        let cut: String = text.chars().skip(follow.left).collect();
        put_row(buffer, area, y, &cut, Style::new());
    }
    let place = match (follow.below, follow.has_ended) {
        (0, false) => "",
        (0, true) => ": readlog has exited",
        _ => ": End shows the newest lines",
    };
    let title = format!("{}{place}  (q back, arrows scroll)", Shown(&follow.path));
    put_row(buffer, area, area.y, &title, Style::new().add_modifier(Modifier::REVERSED));
    rows
}
