//! Markers: which raw objects a merged object stands for.
//!
//! A marker has a line of JSON for each raw object, so that engines read markers as a table. Those of a group are numbered, and
//! a number is given once: a run reads all markers of the group before it creates the next, so no raw object is in two.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

use ring::digest;
use serde_json::{Value, json};

use crate::archive::hexadecimal;
use crate::facts::Facts;
use crate::key::Key;
use crate::store::{Store, StoreError};

/// A day of a service of a host: what is merged together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    date: String,
    host: String,
    service: String,
}

/// The folders of merged objects and of markers.
const DATA: &str = "data";
const MARKERS: &str = "markers";
/// How many digits of a hash are in the name of a merged object.
const HASH_DIGITS: usize = 16;

impl Group {
    /// The group of a raw object.
    pub(crate) fn of(key: &Key) -> Group {
        Group { date: key.date.clone(), host: key.host.clone(), service: key.service.clone() }
    }

    pub(super) fn data_folder(&self) -> String {
        format!("{DATA}/{self}")
    }

    /// The key of a merged object. It follows from what is merged, so that a run that is repeated finds what it has done.
    pub(super) fn data_key(&self, number: u32, raw: &[&str]) -> String {
        let hash = hexadecimal(digest::digest(&digest::SHA256, raw.join("\n").as_bytes()).as_ref());
        format!("{DATA}/{self}/{number:06}-{}.parquet", &hash[..HASH_DIGITS])
    }

    pub(super) fn marker_key(&self, number: u32) -> String {
        format!("{MARKERS}/{self}/{number:06}.json")
    }

    /// The number in the key of a marker or a merged object.
    pub(super) fn number_of(key: &str) -> Option<u32> {
        let (_, name) = key.rsplit_once('/')?;
        name.split(['-', '.']).next()?.parse().ok()
    }
}

impl fmt::Display for Group {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Group { date, host, service } = self;
        write!(out, "date={date}/host={host}/service={service}")
    }
}

/// What a marker says: the key of each raw object, and what is known of its archive.
pub(super) fn text<'m>(compacted: &str, raw: impl Iterator<Item = (&'m str, &'m Facts)>) -> String {
    let line = |(key, facts): (&str, &Facts)| {
        let Facts { sha256, lines, bytes } = facts;
        json!({ "raw": key, "compacted": compacted, "sha256": sha256, "lines": lines, "bytes": bytes }).to_string()
    };
    raw.map(line).map(|line| line + "\n").collect()
}

/// The markers of a group.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    last_number: u32,
    /// The raw objects that they name.
    raw: BTreeMap<String, Facts>,
    compacted: BTreeSet<String>,
}

impl Markers {
    /// Reads the markers of a group.
    pub(crate) async fn read(store: &Store, group: &Group) -> Result<Markers, StoreError> {
        let mut markers = Markers::default();
        for object in store.list(&format!("{MARKERS}/{group}")).await? {
            let Some(number) = Group::number_of(&object.key) else { continue };
            let mut text = String::new();
            let unable =
                |cause: &dyn fmt::Display| StoreError::Refused(format!("unable to read {}: {cause}", object.key));
            let mut file = store.fetch(&object.key).await?;
            file.read_to_string(&mut text).map_err(|error| unable(&error))?;
            markers.add(number, &text).ok_or_else(|| unable(&"bad format"))?;
        }
        Ok(markers)
    }

    fn add(&mut self, number: u32, text: &str) -> Option<()> {
        self.last_number = self.last_number.max(number);
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).ok()?;
            let word = |name: &str| value.get(name)?.as_str().map(str::to_owned);
            let amount = |name: &str| value.get(name)?.as_u64();
            let facts = Facts { sha256: word("sha256")?, lines: amount("lines")?, bytes: amount("bytes")? };
            self.raw.insert(word("raw")?, facts);
            self.compacted.insert(word("compacted")?);
        }
        Some(())
    }

    /// The highest number that a marker has; 0 if there is none.
    pub(super) fn last_number(&self) -> u32 {
        self.last_number
    }

    pub(super) fn names_raw(&self, key: &str) -> bool {
        self.raw.contains_key(key)
    }

    pub(super) fn names_compacted(&self, key: &str) -> bool {
        self.compacted.contains(key)
    }

    /// What is known of the archive of a raw object that was merged.
    pub(crate) fn facts(&self, key: &str) -> Option<&Facts> {
        self.raw.get(key)
    }
}

/// What the markers say about the archive of a raw object; `None` if it was not merged.
pub(crate) async fn facts(compacted: &Store, key: &Key) -> Result<Option<Facts>, StoreError> {
    let markers = Markers::read(compacted, &Group::of(key)).await?;
    Ok(markers.facts(&key.to_string()).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group {
        Group { date: "2026-11-22".to_owned(), host: "h1".to_owned(), service: "mail".to_owned() }
    }

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        let facts = Facts { sha256: "00ff".to_owned(), lines: 7, bytes: 99 };
        let words = text("data/x.parquet", [("date=1/a", &facts), ("date=1/b", &facts)].into_iter());
        let mut markers = Markers::default();

        markers.add(3, &words).unwrap();

        assert!(markers.names_raw("date=1/a") && markers.names_raw("date=1/b") && !markers.names_raw("date=1/c"));
        assert!(markers.names_compacted("data/x.parquet"));
        assert_eq!((markers.last_number(), markers.facts("date=1/b")), (3, Some(&facts)));
    }

    #[test]
    fn a_marker_that_says_less_is_refused() {
        for text in ["{}", "{\"raw\": \"a\"}", "nonsense", "\n"] {
            assert!(Markers::default().add(1, text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_number_is_in_both_names() {
        let (data, marker) = (group().data_key(12, &["a"]), group().marker_key(12));

        assert_eq!(Group::number_of(&data), Some(12));
        assert_eq!(Group::number_of(&marker), Some(12));
        assert_eq!(Group::number_of("markers/other"), None);
        assert_ne!(data, group().data_key(12, &["b"]), "other objects have another name");
    }
}
