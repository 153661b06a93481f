//! Draws what a terminal shows as an SVG: reads the dump of `tmux capture-pane -p -e` and writes the picture.
//!
//! ```text
//! tmux capture-pane -p -e | cargo run -p svtop --example picture > doc/picture/svtop.svg
//! ```

use std::fmt::Write;
use std::io::Read;

/// The size of a character, in pixels.
const WIDTH: f64 = 7.8;
const HEIGHT: f64 = 17.0;
const MARGIN: f64 = 8.0;
/// The colours of the terminal: its paper, its ink, and those of the codes 30 to 37.
const PAPER: &str = "#1c1c1c";
const INK: &str = "#dddddd";
const COLOURS: [&str; 8] = ["#000000", "#ff6b68", "#7ec97e", "#e5c07b", "#7aa2f7", "#c792ea", "#6fd0d8", "#dddddd"];

/// How a character looks.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Look {
    colour: Option<usize>,
    is_bold: bool,
    is_dim: bool,
    is_underlined: bool,
    is_reversed: bool,
}

impl Look {
    /// Obeys the numbers of an escape sequence.
    fn obey(&mut self, numbers: &str) {
        let mut numbers = numbers.split(';').map(|number| number.parse().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Look::default(),
                1 => self.is_bold = true,
                2 => self.is_dim = true,
                4 => self.is_underlined = true,
                7 => self.is_reversed = true,
                colour @ 30..=37 => self.colour = Some(colour - 30),
                // The same colours by their places in a palette: 38;5;N.
                38 => self.colour = numbers.nth(1).filter(|colour| *colour < COLOURS.len()),
                39 => self.colour = None,
                _ => {}
            }
        }
    }

    fn ink(self) -> &'static str {
        self.colour.map_or(INK, |colour| COLOURS[colour])
    }
}

/// The characters of a line that look the same: where they begin, and their text.
type Run = (usize, Look, String);

/// Splits a line into runs. The look goes on in the next line.
fn runs(line: &str, look: &mut Look) -> Vec<Run> {
    let (mut found, mut column, mut rest): (Vec<Run>, usize, _) = (Vec::new(), 0, line);
    while let Some(character) = rest.chars().next() {
        if let Some((numbers, after)) = rest.strip_prefix("\x1b[").and_then(|sequence| sequence.split_once('m')) {
            look.obey(numbers);
            rest = after;
            continue;
        }
        match found.last_mut() {
            Some((_, last, text)) if last == look => text.push(character),
            _ => found.push((column, *look, character.to_string())),
        }
        column += 1;
        rest = &rest[character.len_utf8()..];
    }
    found
}

fn draw(dump: &str) -> String {
    let mut look = Look::default();
    let lines: Vec<Vec<Run>> = dump.lines().map(|line| runs(line, &mut look)).collect();
    let end = |line: &Vec<Run>| line.last().map_or(0, |(at, _, text)| at + text.chars().count());
    let columns = lines.iter().map(end).max().unwrap_or(0);
    let (width, height) = (columns as f64 * WIDTH + 2.0 * MARGIN, lines.len() as f64 * HEIGHT + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-size=\"13\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" xml:space=\"preserve\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{PAPER}\"/>\n"
    );
    for (row, line) in lines.iter().enumerate() {
        let top = MARGIN + row as f64 * HEIGHT;
        for (at, look, text) in line {
            let (left, length) = (MARGIN + *at as f64 * WIDTH, text.chars().count() as f64 * WIDTH);
            let mut ink = look.ink();
            if look.is_reversed {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{left:.1}\" y=\"{top:.0}\" width=\"{length:.1}\" height=\"{HEIGHT}\" fill=\"{ink}\"/>"
                );
                ink = PAPER;
            }
            if text.trim().is_empty() {
                continue;
            }
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            let weight = if look.is_bold { " font-weight=\"bold\"" } else { "" };
            let line = if look.is_underlined { " text-decoration=\"underline\"" } else { "" };
            let dim = if look.is_dim { " opacity=\"0.6\"" } else { "" };
            // With the length, each character stands in its column whatever the font.
            let _ = writeln!(
                svg,
                "<text x=\"{left:.1}\" y=\"{:.0}\" textLength=\"{length:.1}\" fill=\"{ink}\"{weight}{line}{dim}>{text}</text>",
                top + HEIGHT - 4.0
            );
        }
    }
    svg + "</svg>\n"
}

#[allow(clippy::print_stdout)] // It is a program.
fn main() -> std::io::Result<()> {
    let mut dump = String::new();
    std::io::stdin().read_to_string(&mut dump)?;
    print!("{}", draw(&dump));
    Ok(())
}
