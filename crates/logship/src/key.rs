//! The names of objects: `date=2026-11-22/host=mail1/service=qmail-send/@400000003ce2403d3677ea94.s.parquet`.
//!
//! Every engine reads the first three parts as columns, without a catalog. The date is the UTC day of the archive's label.

use std::fmt;

use jiff::Timestamp;
use logyard::logdir::archive_name::{Code, Name};
use logyard::tai64n::Label;

/// The form of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Format {
    /// A Parquet file.
    Parquet,
    /// A line of JSON for each line, packed with zstd.
    Ndjson,
}

impl Format {
    /// The ending of a key.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Format::Parquet => ".parquet",
            Format::Ndjson => ".ndjson.zst",
        }
    }

    /// The form of an object, by the ending of its key.
    pub(crate) fn of_key(key: &str) -> Option<Format> {
        [Format::Parquet, Format::Ndjson].into_iter().find(|format| key.ends_with(format.ending()))
    }
}

/// The longest name of a host or service.
const NAME_BYTES_MAX: usize = 128;

/// Tells whether a text can stand for a host or service in a key. An engine would decode `%` and cut at `/`, and skips what
/// begins with a dot.
pub(crate) fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@' | b':' | b'+');
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.starts_with('.') && text.bytes().all(is_plain)
}

/// The name of an archive's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The UTC day of the label: `2026-11-22`.
    pub(crate) date: String,
    pub(crate) host: String,
    pub(crate) service: String,
    /// The archive's label.
    pub(crate) label: Label,
    /// What is known of the archive.
    pub(crate) code: Code,
    pub(crate) format: Format,
}

impl Key {
    /// The key of an archive.
    pub(crate) fn new(host: &str, service: &str, name: Name, format: Format) -> Key {
        Key {
            date: day(name.label),
            host: host.to_owned(),
            service: service.to_owned(),
            label: name.label,
            code: name.code,
            format,
        }
    }

    /// Reads a key; `None` if it is that of another object.
    pub(crate) fn parse(text: &str) -> Option<Key> {
        let mut parts = text.split('/');
        let date = parts.next()?.strip_prefix("date=")?;
        let host = parts.next()?.strip_prefix("host=")?;
        let service = parts.next()?.strip_prefix("service=")?;
        let file = parts.next()?;
        let format = Format::of_key(file)?;
        let (label, code) =
            Name::parse(file.strip_suffix(format.ending())?.as_bytes()).map(|name| (name.label, name.code))?;
        let key =
            Key { date: date.to_owned(), host: host.to_owned(), service: service.to_owned(), label, code, format };
        // What comes from a store is printed too.
        let has_names = is_name(host) && is_name(service) && date == day(label);
        (parts.next().is_none() && has_names && key.to_string() == text).then_some(key)
    }

    /// The archive's name.
    pub(crate) fn archive(&self) -> String {
        Name { label: self.label, code: self.code }.to_string()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Key { date, host, service, format, .. } = self;
        write!(out, "date={date}/host={host}/service={service}/{}{}", self.archive(), format.ending())
    }
}

/// The first second of the year 0: engines know no dates before.
const FIRST_SECOND: i64 = -62_167_219_200;

/// The UTC day of a label. Labels beyond the calendar get its first or last day.
pub(crate) fn day(label: Label) -> String {
    let bounded = label.unix_seconds().clamp(FIRST_SECOND, Timestamp::MAX.as_second());
    let moment = Timestamp::from_second(bounded).unwrap_or(Timestamp::MAX);
    moment.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        let name = Name::parse(b"@400000003ce2403d3677ea94.u").expect("a name");
        Key::new("mail1", "qmail-send", name, Format::Parquet)
    }

    #[test]
    fn a_key_survives_its_text() {
        let text = "date=2002-05-15/host=mail1/service=qmail-send/@400000003ce2403d3677ea94.u.parquet";

        assert_eq!(key().to_string(), text);
        assert_eq!(Key::parse(text), Some(key()));
    }

    #[test]
    fn other_objects_have_no_such_key() {
        for text in [
            "",
            "date=2002-05-15/host=mail1/service=x/@400000003ce2403d3677ea94.u.parquet/more",
            "date=2002-05-16/host=mail1/service=x/@400000003ce2403d3677ea94.u.orc",
            "host=mail1/service=x/@400000003ce2403d3677ea94.u.parquet",
            "date=2002-05-15/host=mail1/service=x/@400000003ce2403d3677ea94.parquet",
            "date=2002-05-14/host=mail1/service=x/@400000003ce2403d3677ea94.u.parquet",
            "date=\x1b[2J/host=mail1/service=x/@400000003ce2403d3677ea94.u.parquet",
            "date=2002-05-15/host=\x1b[2J/service=x/@400000003ce2403d3677ea94.u.parquet",
            "date=2002-05-15/host=../service=x/@400000003ce2403d3677ea94.u.parquet",
            "date=2002-05-15/host=mail1/service=x/@400000003ce2403d3677ea9.u.parquet",
            "_logship/probe",
        ] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_label_beyond_the_calendar_has_a_day() {
        for (text, date) in [(b"@000000000000000000000000", "0000-01-01"), (b"@7fffffffffffffff00000000", "9999-12-30")]
        {
            assert_eq!(day(Label::parse(text).expect("a label")), date);
        }
    }

    #[test]
    fn a_name_that_an_engine_would_decode_is_refused() {
        for name in ["mail1", "qmail-send", "a.b", "x_y"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".x", "a/b", "a=b", "a%20", "a b", "é", "a\n"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
