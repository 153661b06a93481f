//! The report as a table of text.

use std::fmt::Write;

use crate::results::Report;

/// Draws the table, the subject line above it.
pub(crate) fn draw(report: &Report) -> String {
    let mut rows = vec![report.titles()];
    rows.extend(report.results.iter().map(|results| report.cells(results)));
    format!("{}\n{}\n\n{}", report.subject_line(), report.machine.in_words(), lay_out(&rows))
}

/// Puts rows, of which there is at least one, into columns. The first and the last column hold words, the others figures.
pub(crate) fn lay_out(rows: &[Vec<String>]) -> String {
    let columns = rows[0].len();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            // Writing to memory does not fail.
            let _ = match column {
                0 => write!(line, "{cell:<width$}"),
                _ if column == columns - 1 => write!(line, "  {cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
