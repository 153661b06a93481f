//! One archive on its way into the store.

use std::sync::Arc;
use std::time::Duration;

use logyard::cli::{Shown, cause};
use logyard::sys::Errno;
use tokio::sync::Semaphore;

use crate::archive::{self, ArchiveBytes};
use crate::compaction::marker;
use crate::facts::Facts;
use crate::key::{Format, Key};
use crate::log_dir::Archive;
use crate::mark::Marks;
use crate::metrics::Metrics;
use crate::object::{Object, errno_in, handle};
use crate::patience::Patience;
use crate::pieces::Pieces;
use crate::row_writer::RowWriter;
use crate::store::{Created, Store, StoreError};
use crate::{ndjson, table};

/// How often an object is created that the store has and does not have, and the pause after the first time.
const ATTEMPTS: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(100);

/// How archives are shipped.
#[derive(Debug)]
pub(crate) struct Shipping<'s> {
    pub(crate) store: Arc<Store>,
    /// Where objects were merged: an object that is missing is not shipped again if a marker here names it.
    pub(crate) compacted: Option<Store>,
    pub(crate) format: Format,
    /// Larger archives are refused.
    pub(crate) archive_bytes_max: u64,
    /// The level of zstd.
    pub(crate) level: i32,
    /// Whether nothing is created.
    pub(crate) is_dry: bool,
    pub(crate) patience: Patience<'s>,
    pub(crate) metrics: &'s Metrics,
    pub(crate) marks: Marks,
    /// One archive is encoded at a time: that takes a processor, and most of the memory.
    pub(crate) encoders: Semaphore,
}

/// What became of an archive.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Its object was created.
    Shipped { facts: Facts, object_bytes: u64 },
    /// Its object was there.
    Present,
    /// Its object is not there, and would be created.
    WouldShip,
}

/// Why an archive was not shipped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is no longer in the log directory.
    Gone,
    /// The text is a message. A second attempt would not help.
    Permanent(String),
    /// The store did not do it within the time that it has. The text is a message.
    Store(String),
}

impl Shipping<'_> {
    /// Ships an archive.
    pub(crate) async fn ship(&self, archive: &Archive) -> Result<Outcome, Failure> {
        let key = archive.key(self.format);
        if let Some(there) = self.facts(archive, &key).await? {
            return self.compare(archive, &key, &there).await;
        }
        if self.is_dry {
            return Ok(Outcome::WouldShip);
        }
        for attempt in 1..=ATTEMPTS {
            let object = self.encode(archive, &key).await?;
            let (facts, object_bytes) = (object.facts.clone(), object.bytes);
            match self.create(archive, &key, object).await? {
                Created::New => return Ok(Outcome::Shipped { facts, object_bytes }),
                // By another shipper, or by this one: the answer to an earlier attempt was lost on the way.
                Created::AlreadyThere => {
                    if let Some(there) = self.facts(archive, &key).await? {
                        return compared(archive, &key, &facts, &there).map(|()| Outcome::Present);
                    }
                    // It was removed meanwhile. A store that says so again and again contradicts itself.
                    tokio::time::sleep(BETWEEN * attempt).await;
                }
            }
        }
        let path = path(archive);
        Err(Failure::Store(format!("unable to ship {path}: the store says that {key} is there, and that it is not")))
    }

    async fn facts(&self, archive: &Archive, key: &Key) -> Result<Option<Facts>, Failure> {
        let name = key.to_string();
        let facts = self.patience.persist(async || match (self.store.facts(&name).await?, &self.compacted) {
            (None, Some(compacted)) => marker::facts(compacted, key).await,
            (there, _) => Ok(there),
        });
        facts.await.map_err(|error| unable(archive, &error))
    }

    async fn create(&self, archive: &Archive, key: &Key, object: Object) -> Result<Created, Failure> {
        let name = key.to_string();
        self.patience
            .persist(async || self.store.create(&name, &object).await)
            .await
            .map_err(|error| unable(archive, &error))
    }

    /// Compares an archive with the object that is there.
    async fn compare(&self, archive: &Archive, key: &Key, there: &Facts) -> Result<Outcome, Failure> {
        let bytes_max = self.archive_bytes_max;
        let facts = self.work(archive, move |archive| {
            let file = archive.open().map_err(|errno| unreadable(archive, errno))?;
            archive::facts(file, bytes_max).map_err(|errno| refused(archive, errno, bytes_max))
        });
        compared(archive, key, &facts.await?, there).map(|()| Outcome::Present)
    }

    async fn encode(&self, archive: &Archive, key: &Key) -> Result<Object, Failure> {
        let (store, key, how) = (Arc::clone(&self.store), key.clone(), Encoding::of(self));
        let make = async || {
            let (store, key) = (Arc::clone(&store), key.clone());
            self.work(archive, move |archive| Ok(encode(archive, &key, &store, how))).await
        };
        // The disk of the temporary file may be full for a while.
        let persisted = self.patience.persist(async || match make().await {
            Ok(Ok(object)) => Ok(Ok(object)),
            Ok(Err(Trouble::Spool(errno))) => {
                Err(StoreError::Away(format!("unable to write a temporary file: {}", cause(errno))))
            }
            Ok(Err(Trouble::Of(failure))) | Err(failure) => Ok(Err(failure)),
        });
        persisted.await.map_err(|error| unable(archive, &error))?
    }

    /// Does something that takes long, in another thread.
    async fn work<T: Send + 'static>(
        &self,
        archive: &Archive,
        work: impl FnOnce(&Archive) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let _turn = self.encoders.acquire().await;
        let archive = archive.clone();
        match tokio::task::spawn_blocking(move || work(&archive)).await {
            Ok(answer) => answer,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Why an archive was not encoded.
enum Trouble {
    Of(Failure),
    /// The object cannot be written.
    Spool(Errno),
}

/// How archives are encoded.
#[derive(Clone, Copy)]
struct Encoding {
    format: Format,
    bytes_max: u64,
    level: i32,
}

impl Encoding {
    fn of(shipping: &Shipping<'_>) -> Encoding {
        let &Shipping { format, archive_bytes_max: bytes_max, level, .. } = shipping;
        Encoding { format, bytes_max, level }
    }
}

fn encode(archive: &Archive, key: &Key, store: &Store, how: Encoding) -> Result<Object, Trouble> {
    let Encoding { format, bytes_max, level } = how;
    let of_archive = |errno| Trouble::Of(refused(archive, errno, bytes_max));
    let source = archive.open().map_err(|errno| Trouble::Of(unreadable(archive, errno)))?;
    let continues_line = || archive.open_before().is_some_and(|file| archive::is_cut(&file).unwrap_or(false));
    let bytes = ArchiveBytes::of(source, bytes_max).map_err(of_archive)?;
    let pieces = Pieces::of(bytes, continues_line).map_err(of_archive)?;
    let file = store.spool(&key.to_string(), &archive.log_dir.dir).map_err(Trouble::Spool)?;
    let of_object = |error: &(dyn std::error::Error + 'static)| Trouble::Spool(errno_in(error).unwrap_or(Errno::EIO));
    let target = handle(&file).map_err(|error| of_object(&error))?;
    let name = key.archive();
    let facts = match format {
        Format::Parquet => {
            let writer = table::writer::Writer::new(target, level).map_err(|error| of_object(&error))?;
            write_rows(writer, pieces, &name, of_archive, of_object)?
        }
        Format::Ndjson => {
            let writer = ndjson::Writer::new(target, level).map_err(|error| of_object(&error))?;
            write_rows(writer, pieces, &name, of_archive, of_object)?
        }
    };
    let bytes = file.stat().map_err(Trouble::Spool)?.size_bytes;
    Ok(Object { file, bytes, facts })
}

/// Writes all rows, and then what is known of them.
fn write_rows<W: RowWriter>(
    mut writer: W,
    mut pieces: Pieces,
    name: &str,
    of_archive: impl Fn(Errno) -> Trouble,
    of_object: impl Fn(&(dyn std::error::Error + 'static)) -> Trouble,
) -> Result<Facts, Trouble> {
    let mut rows = Vec::new();
    loop {
        pieces.next_batch(&mut rows).map_err(&of_archive)?;
        if rows.is_empty() {
            break;
        }
        writer.write(name, &rows).map_err(|error| of_object(&error))?;
    }
    let facts = pieces.facts();
    writer.finish(&facts).map_err(|error| of_object(&error))?;
    Ok(facts)
}

/// An archive's path, for messages.
pub(crate) fn path(archive: &Archive) -> String {
    format!("{}/{}", Shown(&archive.log_dir.path), archive.name)
}

fn compared(archive: &Archive, key: &Key, here: &Facts, there: &Facts) -> Result<(), Failure> {
    if here == there {
        return Ok(());
    }
    Err(Failure::Permanent(format!(
        "{} and {key} differ: {} lines with sha256 {} here, {} lines with sha256 {} in the store",
        path(archive),
        here.lines,
        here.sha256,
        there.lines,
        there.sha256
    )))
}

fn unable(archive: &Archive, error: &StoreError) -> Failure {
    let text = format!("unable to ship {}: {error}", path(archive));
    if matches!(error, StoreError::Damaged(_)) { Failure::Permanent(text) } else { Failure::Store(text) }
}

/// The failure of an archive that cannot be opened.
pub(crate) fn unreadable(archive: &Archive, errno: Errno) -> Failure {
    match errno {
        Errno::ENOENT => Failure::Gone,
        errno => refused(archive, errno, 0),
    }
}

/// The failure of an archive that cannot be read to its end.
pub(crate) fn refused(archive: &Archive, errno: Errno, bytes_max: u64) -> Failure {
    let path = path(archive);
    Failure::Permanent(match errno {
        Errno::EFBIG => format!("unable to ship {path}: more than {bytes_max} bytes (--archive-max)"),
        Errno::EPROTO => format!("unable to ship {path}: compressed and damaged"),
        errno => format!("unable to ship {path}: {}", cause(errno)),
    })
}
