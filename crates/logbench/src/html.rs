//! The report as a page: a single HTML file, with a light and a dark style.

use std::fmt::Write;

use crate::chart;
use crate::results::Report;

/// The style sheet. The pictures are drawn in dark ink; in the dark style their ink is light.
const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --grid: #ddd; --soft: #666; --fault: #b34; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ddd; --paper: #16181b; --grid: #3a3d42; --soft: #999; --fault: #e67; }
}
body { margin: 2.5rem auto; max-width: 62rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; margin-bottom: .3rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child, th:last-child, td:last-child, .words td, .words th { text-align: left; }
.words td { white-space: normal; overflow-wrap: anywhere; }
tr.fault td { color: var(--fault); } tr.limit td { color: var(--soft); }
svg { display: block; max-width: 100%; height: auto; margin: 1.2rem 0; }
pre { padding: .8rem 1rem; border: 1px solid var(--grid); border-radius: .4rem; white-space: pre-wrap; }
p.soft { color: var(--soft); }";

/// Writes the page.
pub(crate) fn write(report: &Report) -> String {
    let (ink, grid) = (chart::INK, chart::GRID);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Loggers compared</title>\n<style>\n{STYLE}\n\
         svg [fill=\"{ink}\"] {{ fill: var(--ink); }} svg [stroke=\"{ink}\"] {{ stroke: var(--ink); }}\n\
         svg [stroke=\"{grid}\"] {{ stroke: var(--grid); }}\n</style>\n<h1>Loggers compared</h1>\n\
         <p>{}.</p>\n",
        escape(&report.subject_line())
    );
    page.push_str("<div class=\"scroll\">\n<table>\n");
    row(&mut page, "th", "", &report.titles());
    for results in &report.results {
        let class = match (results.fault().is_some(), results.subject.limit.is_some()) {
            (true, _) => "fault",
            (false, true) => "limit",
            (false, false) => "",
        };
        row(&mut page, "td", class, &report.cells(results));
    }
    page.push_str("</table>\n</div>\n");
    page.push_str(
        "<p class=\"soft\">Medians of the runs, which took turns. A figure counts only if the log that was left is the \
         input, line for line behind the stamps. The limit is a stand-in that moves the same volume and looks at \
         nothing. Whiskers show the slowest and the fastest run.</p>\n",
    );
    for svg in chart::draw_each(report) {
        page.push_str(&svg);
        page.push('\n');
    }
    page.push_str("<h2>Who took part</h2>\n<table class=\"words\">\n");
    let words = |words: [&str; 3]| words.map(str::to_owned);
    row(&mut page, "th", "", &words(["", "version", "command"]));
    for results in &report.results {
        let subject = &results.subject;
        let version = subject.version.as_deref().unwrap_or("-");
        row(&mut page, "td", "", &words([&subject.name, version, &subject.command]));
    }
    // Writing to memory does not fail.
    let _ = write!(
        page,
        "</table>\n<h2>Where and how</h2>\n<p>{}. {}.</p>\n<pre>{}</pre>\n</html>\n",
        escape(&report.machine.in_words()),
        escape(&report.moment),
        escape(&report.command_line)
    );
    page
}

fn row(page: &mut String, cell: &str, class: &str, texts: &[String]) {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let cells: String = texts.iter().map(|text| format!("<{cell}>{}</{cell}>", escape(text))).collect();
    let _ = writeln!(page, "<tr{class}>{cells}</tr>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_does_not_become_markup() {
        assert_eq!(escape("a<b & \"c\">"), "a&lt;b &amp; &quot;c&quot;&gt;");
    }
}
