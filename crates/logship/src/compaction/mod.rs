//! `logship compact`: merges the objects of closed days into fewer and larger ones, in another place.
//!
//! For each day of each service of each host, the objects are merged in the order of their archives. A merged object becomes
//! visible by its marker, which is created after it, whole or not at all:
//!
//! ```text
//! data/date=2026-11-22/host=mail1/service=qmail/000001-HASH.parquet     the rows
//! markers/date=2026-11-22/host=mail1/service=qmail/000001.json          whose rows they are
//! ```
//!
//! Readers take the objects of `data` that a marker names, and the raw objects that no marker names. So each row is there once
//! at each moment, whenever this is killed and however many of it run. Nothing is removed from the raw objects.
//!
//! - [`marker`]: what a marker says, and which are there. [`merge`]: the rows of several objects in one.

pub(crate) mod marker;
mod merge;

use std::collections::BTreeMap;

use bytes::Bytes;
use logyard::cli::Exit;

use crate::key::{Format, Key};
use crate::patience::Patience;
use crate::probe::probe;
use crate::report::{self, Report};
use crate::store::{Created, Listed, Store, StoreError};
use marker::{Group, Markers};

/// How objects are merged.
#[derive(Debug)]
pub(crate) struct Compaction<'s> {
    pub(crate) raw: &'s Store,
    pub(crate) compacted: Store,
    /// Days before this one are merged: `2026-11-22`.
    pub(crate) before: String,
    /// Raw objects are merged until they have this many bytes together.
    pub(crate) object_bytes_max: u64,
    /// The level of zstd.
    pub(crate) level: i32,
    /// Whether nothing is created.
    pub(crate) is_dry: bool,
    pub(crate) patience: Patience<'s>,
}

/// What was merged.
#[derive(Debug, Default)]
struct Totals {
    raw: u64,
    compacted: u64,
    lines: u64,
}

impl Compaction<'_> {
    /// Merges all that is to be merged, and returns the exit code.
    pub(crate) async fn run(&self, is_quiet: bool) -> Exit {
        if !self.is_dry
            && let Err(error) = probe(&self.compacted, &self.patience).await
        {
            return report::fatal(error);
        }
        let groups = match self.groups().await {
            Ok(groups) => groups,
            Err(error) => return report::fatal(format_args!("unable to list the store: {error}")),
        };
        let (report, mut totals) = (Report::default(), Totals::default());
        for (group, objects) in groups {
            if let Err(error) = self.compact(&group, &objects, &mut totals).await {
                report.warn(format_args!("unable to compact {group}: {error}"));
            }
        }
        if !is_quiet {
            let Totals { raw, compacted, lines } = totals;
            report::say(format_args!("{raw} objects ({lines} lines) merged into {compacted}"));
        }
        report.exit()
    }

    /// The raw objects of closed days, in the order of their archives.
    async fn groups(&self) -> Result<BTreeMap<Group, Vec<Listed>>, StoreError> {
        let mut groups: BTreeMap<Group, Vec<Listed>> = BTreeMap::new();
        for object in self.patience.persist(async || self.raw.list("").await).await? {
            if let Some(key) = Key::parse(&object.key)
                && key.format == Format::Parquet
                && key.date < self.before
            {
                groups.entry(Group::of(&key)).or_default().push(object);
            }
        }
        Ok(groups)
    }

    /// Merges those objects of a group that no marker names.
    async fn compact(&self, group: &Group, objects: &[Listed], totals: &mut Totals) -> Result<(), StoreError> {
        loop {
            let markers = self.patience.persist(async || Markers::read(&self.compacted, group).await).await?;
            let chosen = self.choose(objects, &markers);
            if chosen.is_empty() {
                return Ok(());
            }
            let number = markers.last_number().checked_add(1).ok_or_else(|| {
                StoreError::Refused(format!("{} is the last number", group.marker_key(markers.last_number())))
            })?;
            let key = group.data_key(number, &chosen);
            if self.is_dry {
                report::say(format_args!("would merge {} objects into {key}", chosen.len()));
                return Ok(());
            }
            let merged = self.patience.persist(async || merge::merge(self, &key, &chosen).await).await?;
            let lines = merged.object.facts.lines;
            self.create(&key, &merged).await?;
            let text = Bytes::from(marker::text(&key, chosen.iter().copied().zip(&merged.parts)));
            let name = group.marker_key(number);
            let create = async || self.compacted.create_note(&name, text.clone()).await;
            // If another one made this marker, its own choice holds, and the rest is looked at again.
            if self.patience.persist(create).await? == Created::New {
                totals.raw += chosen.len() as u64;
                totals.compacted += 1;
                totals.lines += lines;
            }
            self.remove_leftovers(group).await?;
        }
    }

    /// The objects that are merged next.
    fn choose<'o>(&self, objects: &'o [Listed], markers: &Markers) -> Vec<&'o str> {
        let (mut chosen, mut bytes) = (Vec::new(), 0);
        for object in objects.iter().filter(|object| !markers.names_raw(&object.key)) {
            bytes += object.bytes;
            if !chosen.is_empty() && bytes > self.object_bytes_max {
                break;
            }
            chosen.push(object.key.as_str());
        }
        chosen
    }

    /// Creates a merged object. If it is there, a killed run left it, or another one works on it: it must have the same rows.
    async fn create(&self, key: &str, merged: &merge::Merged) -> Result<(), StoreError> {
        let created = self.patience.persist(async || self.compacted.create(key, &merged.object).await).await?;
        if created == Created::New {
            return Ok(());
        }
        let there = self.patience.persist(async || self.compacted.facts(key).await).await?;
        if there.as_ref() == Some(&merged.object.facts) {
            return Ok(());
        }
        Err(StoreError::Refused(format!("{key} is there with other lines")))
    }

    /// Removes merged objects that no marker names and none will name, because their number has its marker.
    async fn remove_leftovers(&self, group: &Group) -> Result<(), StoreError> {
        let folder = group.data_folder();
        let objects = self.patience.persist(async || self.compacted.list(&folder).await).await?;
        // The markers are read after the objects, so that an object whose marker has just come is known.
        let markers = self.patience.persist(async || Markers::read(&self.compacted, group).await).await?;
        let is_left_over = |key: &str| {
            Group::number_of(key).is_some_and(|number| number <= markers.last_number()) && !markers.names_compacted(key)
        };
        for object in objects.iter().filter(|object| is_left_over(&object.key)) {
            self.patience.persist(async || self.compacted.remove(&object.key).await).await?;
        }
        Ok(())
    }
}
