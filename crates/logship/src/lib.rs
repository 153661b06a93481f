//! `logship ship DIR… STORE`: ships finished archives of log directories to an object store, each exactly once.
//!
//! One archive becomes one object. Its key follows from the archive's name, so a second attempt meets the first one's object
//! and creates nothing. There is no other record of what was shipped, and so none that a kill can leave wrong.
//!
//! ```text
//! arguments ─── the command line
//! program ───── carries out a command: ship, verify, ls, get, compact
//! ship ──────── ships archives: once, or as they appear (stay; by inotify)
//!   shipment ── one archive: is it there? encode it, create its object, compare
//! verify ────── compares directories with the store
//! compaction ── merges the objects of closed days (merge), visible by markers (marker)
//! listing ───── what is in the store (ls)
//! get ───────── lines from the store, as labelled text
//! log_dir ───── a log directory: its archives, and the names that it is shipped under (identity)
//!   archive ─── the bytes of an archive, unpacked and hashed
//!   mark ────── how far a directory is shipped, for a logger that keeps archives until then
//! pieces ────── the lines of an archive, in batches
//! table ─────── lines as a Parquet file: schema, writer, reader; ndjson: lines as JSON; row_writer: both
//! object ────── an object that waits to be created, in a file without a name
//! store ─────── the object store: a directory (local), or S3, GCS or Azure (remote)
//! probe ─────── does the store honour put-if-absent?
//! key ───────── names of objects
//! facts ─────── what an object says about its archive: hash, lines, bytes
//! patience ──── repeats what a store refused, for as long as it is away
//! metrics ───── counters in a file, for Prometheus
//! report ────── messages and the exit code
//! ```
//!
//! What it promises:
//!
//! - A line of an archive is in the store once, whenever a shipper is killed and however many ship the same directory.
//! - An object appears whole or not at all.
//! - logship changes nothing in a log directory, except that it adds the files `shipped-as` and `shipped`.
#![forbid(unsafe_code)]

mod archive;
mod arguments;
mod compaction;
mod facts;
mod get;
mod identity;
mod key;
mod listing;
mod log_dir;
mod mark;
mod metrics;
mod ndjson;
mod object;
mod patience;
mod pieces;
mod probe;
mod program;
mod report;
mod row_writer;
mod ship;
mod shipment;
mod stay;
mod store;
mod table;
mod verify;

pub use program::run;
