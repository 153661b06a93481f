//! The keys, over the table.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Clear, Paragraph};

use crate::command::MEANINGS;

const KEYS: [(&str, &str); 8] = [
    ("arrows", "PgUp, PgDn, Home, End: move"),
    ("f, Enter", "follow the log of the service"),
    ("/", "show only names with a text"),
    ("b", "show only what has a problem"),
    ("Esc", "show all"),
    ("s, S", "sort by another column"),
    ("r", "reverse the order"),
    ("q", "quit"),
];

/// Draws the keys, in two columns.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect) {
    let letters = MEANINGS.map(|(letter, meaning)| {
        let key = if letter == b'q' { 'Q' } else { char::from(letter) };
        format!("{key}  {meaning}")
    });
    let keys = KEYS.map(|(key, meaning)| format!("{key:<8}  {meaning}"));
    let notes = [
        "",
        "The letters at the right are those of",
        "svc. Each asks before it is sent: to",
        "the service, or (l) to its log.",
    ];
    let left = keys.iter().map(String::as_str).chain(notes);
    let left = left.chain(std::iter::repeat(""));
    let text: Vec<String> = letters.iter().zip(left).map(|(right, left)| format!("{left:<40} {right}")).collect();
    let (width, height) = (80.min(area.width), (text.len() as u16 + 2).min(area.height));
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    frame.render_widget(Clear, place);
    let block = Block::bordered().title("Keys (any key closes this)");
    frame.render_widget(Paragraph::new(text.join("\n")).block(block), place);
}
