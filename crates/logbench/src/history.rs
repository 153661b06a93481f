//! `logbench history`: the figures of earlier reports, oldest first, as tables and as one picture.
//!
//! Reports are compared only with reports of the same conditions: the same lines, script, pace and kind of directory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Error;

/// What a report measured; reports that agree in it can be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Conditions {
    source: String,
    script: String,
    rate: String,
    is_in_memory: bool,
}

/// A report, reduced to what the history shows.
#[derive(Debug)]
pub(crate) struct Entry {
    /// When the report was begun, in UTC: it sorts as text.
    pub(crate) moment: String,
    processor: String,
    /// The median of each subject whose log was right.
    pub(crate) figures: Vec<(String, f64)>,
}

/// The reports of the same conditions, oldest first.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) conditions: Conditions,
    pub(crate) entries: Vec<Entry>,
}

impl Conditions {
    /// The conditions in words.
    pub(crate) fn title(&self) -> String {
        let Conditions { source, script, rate, is_in_memory } = self;
        let place = if *is_in_memory { "in memory" } else { "on a disk" };
        let words = [source, script, rate].into_iter().filter(|words| !words.is_empty());
        words.map(String::as_str).chain([place]).collect::<Vec<_>>().join(", ")
    }

    /// What the figures are.
    pub(crate) fn unit(&self) -> &'static str {
        if self.rate.is_empty() { "MB/s" } else { "processor seconds for a million lines" }
    }
}

impl Series {
    /// The names of all subjects, in the order in which they first take part.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.entries.iter().flat_map(|entry| &entry.figures) {
            if !names.contains(&&name[..]) {
                names.push(name);
            }
        }
        names
    }
}

impl Entry {
    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| known == name).map(|&(_, figure)| figure)
    }
}

/// Reads reports: files that `--json` wrote, or directories of them.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Series>, Error> {
    let mut series: BTreeMap<Conditions, Vec<Entry>> = BTreeMap::new();
    for path in paths {
        for file in files(path).map_err(|error| Error::file("read", path, &error))? {
            let text = std::fs::read_to_string(&file).map_err(|error| Error::file("read", &file, &error))?;
            let report = serde_json::from_str(&text).ok().and_then(|report| entry(&report));
            let Some((conditions, entry)) = report else { return Err(Error::no_report(&file)) };
            series.entry(conditions).or_default().push(entry);
        }
    }
    let sorted = |(conditions, mut entries): (Conditions, Vec<Entry>)| {
        entries.sort_by(|one, other| one.moment.cmp(&other.moment));
        Series { conditions, entries }
    };
    Ok(series.into_iter().map(sorted).collect())
}

/// The file, or the reports in the directory.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if file.extension() == Some(OsStr::new("json")) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn entry(report: &Value) -> Option<(Conditions, Entry)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let rate = report["lines_per_second"].as_f64();
    let conditions = Conditions {
        source: format!("{} lines", report["input"]["source"].as_str()?),
        script: text(&report["script"]).unwrap_or_else(|| "filters".to_owned()),
        rate: rate.map_or_else(String::new, |rate| format!("{rate} lines a second")),
        is_in_memory: report["directory"].as_str()?.starts_with("/dev/shm"),
    };
    let lines = report["input"]["lines"].as_f64()?;
    let figure = |subject: &Value| match rate {
        None => subject["megabytes_per_second"]["median"].as_f64(),
        Some(_) => Some(subject["processor_seconds"]["median"].as_f64()? / lines * 1e6),
    };
    let subjects = report["subjects"].as_array()?;
    let figures = subjects.iter().filter_map(|subject| Some((text(&subject["name"])?, figure(subject)?))).collect();
    let processor = text(&report["machine"]["processor"])?;
    Some((conditions, Entry { moment: text(&report["moment"])?, processor, figures }))
}

/// Draws a table for each series.
pub(crate) fn draw(all: &[Series]) -> String {
    let tables = all.iter().map(|series| {
        let names = series.names();
        let titles = ["".to_owned()].into_iter().chain(names.iter().map(|&name| name.to_owned()));
        let mut rows: Vec<Vec<String>> = vec![titles.chain(["processor".to_owned()]).collect()];
        for entry in &series.entries {
            let figures = names.iter().map(|name| match entry.figure(name) {
                Some(figure) if figure < 10.0 => format!("{figure:.2}"),
                Some(figure) => format!("{figure:.0}"),
                None => "-".to_owned(),
            });
            rows.push([entry.moment.clone()].into_iter().chain(figures).chain([entry.processor.clone()]).collect());
        }
        format!("{}; {}\n\n{}", series.conditions.title(), series.conditions.unit(), crate::table::lay_out(&rows))
    });
    tables.collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use testkit::Workdir;

    use super::*;

    fn report(moment: &str, script: &str, rate: Option<f64>, ours: Option<f64>) -> String {
        let spread = ours.map(|ours| json!({ "median": ours, "least": ours, "greatest": ours }));
        let value = json!({
            "moment": moment,
            "machine": { "processor": "a processor" },
            "input": { "source": "qmail", "lines": 2_000_000 },
            "script": script,
            "lines_per_second": rate,
            "directory": "/dev/shm",
            "subjects": [
                { "name": "logyard", "megabytes_per_second": spread, "processor_seconds": { "median": 3.0 } },
                { "name": "other", "megabytes_per_second": { "median": 5.25 }, "processor_seconds": null },
            ],
        });
        value.to_string()
    }

    fn write(dir: &Workdir, name: &str, report: &str) {
        std::fs::write(dir.join(name), report).unwrap();
    }

    #[test]
    fn reports_of_the_same_conditions_are_in_the_order_of_their_time() {
        let dir = Workdir::new();
        write(&dir, "a.json", &report("2026-02-01 00:00 UTC", "t ./main", None, Some(700.0)));
        write(&dir, "b.json", &report("2026-01-01 00:00 UTC", "t ./main", None, None));
        write(&dir, "c.json", &report("2026-01-01 00:00 UTC", "t ./main", Some(1000.0), None));
        write(&dir, "notes.txt", "not a report");

        let all = read(&[dir.path().to_owned()]).unwrap();

        assert_eq!(
            draw(&all),
            "qmail lines, t ./main, in memory; MB/s\n\n\
             \u{20}                     other  logyard  processor\n\
             2026-01-01 00:00 UTC   5.25        -  a processor\n\
             2026-02-01 00:00 UTC   5.25      700  a processor\n\n\
             qmail lines, t ./main, 1000 lines a second, in memory; processor seconds for a million lines\n\n\
             \u{20}                     logyard  processor\n\
             2026-01-01 00:00 UTC     1.50  a processor\n"
        );
    }

    #[test]
    fn a_file_that_is_no_report_is_named() {
        let dir = Workdir::new();
        for (name, text) in [("a.json", "{}"), ("b.json", "no JSON"), ("c.json", "[1]")] {
            write(&dir, name, text);

            let error = read(&[dir.join(name)]).unwrap_err();

            assert!(matches!(&error, Error::System(text) if text.contains(name)), "{error:?}");
        }
        assert!(matches!(read(&[dir.join("missing")]), Err(Error::System(_))));
    }
}
