//! Metrics in the text format of Prometheus, as node_exporter's textfile collector reads it.

use std::fmt::{Display, Write};

/// Metrics that are being put together. All lines of a metric stand together, as the format wants.
///
/// ```
/// # use logyard::cli::prometheus::Page;
/// let mut page = Page::default();
/// page.metric("waiting_bytes", "gauge", "Bytes that wait.", [([("path", "/a\"b\\c\nd")], 7)]);
/// assert_eq!(
///     page.into_text(),
///     "# HELP waiting_bytes Bytes that wait.\n# TYPE waiting_bytes gauge\nwaiting_bytes{path=\"/a\\\"b\\\\c\\nd\"} 7\n"
/// );
/// ```
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// Adds a metric and its samples: the labels, as names and values, and the value.
    pub fn metric<'l, L: AsRef<[(&'l str, &'l str)]>>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, impl Display)>,
    ) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            self.0.push_str(name);
            for (number, (label, text)) in labels.as_ref().iter().enumerate() {
                self.0.push(if number == 0 { '{' } else { ',' });
                let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                let _ = write!(self.0, "{label}=\"{text}\"");
            }
            let end = if labels.as_ref().is_empty() { "" } else { "}" };
            let _ = writeln!(self.0, "{end} {value}");
        }
    }

    /// The text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_quoted() {
        let mut page = Page::default();

        page.metric("a", "counter", "b", [([("directory", "/var/log/a\"b\\c"), ("unit", "log")], 1)]);

        let sample = page.into_text().lines().last().unwrap().to_owned();
        assert_eq!(sample, "a{directory=\"/var/log/a\\\"b\\\\c\",unit=\"log\"} 1");
    }
}
