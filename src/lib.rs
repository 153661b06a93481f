//! logyard: a log-processing toolkit with the commands of daemontools.
//!
//! Its programs are in `src/bin`, one short file each, and call this library. Its folders form layers; an
//! import always points to a lower layer (`tests/architecture.rs`):
//!
//! | layer | folders |
//! |---|---|
//! | programs | [`multilog`] writes log directories. [`filters`]: `tai64n`, `tai64nlocal`. [`supervise`] keeps services running. [`splogger`] sends lines to syslog. [`setup`] prepares a host. [`chain`]: tools that change one thing about a process and run another program in it. |
//! | formats | [`lines`]: lines are read, stamped and written. [`logdir`]: the files of a log directory. |
//! | timestamps | [`tai64n`]: labels, stamps and time zones. |
//! | messages | [`cli`]: messages, exit codes 0, 100 and 111, options. |
//! | system | [`sys`]: every system call, and every `unsafe` block. |
//!
//! The crates `readlog` and `logbench` use this one. `doc/architecture.md` follows one line, one service and one query
//! through the code.
//!
//! A label is the name of a moment and of the archive that was finished then:
//!
//! ```
//! use logyard::logdir::archive_name::{Code, Name, is_archive_name};
//! use logyard::tai64n::Label;
//!
//! let label = Label::parse(b"@400000003ce2403d3677ea94")?;
//! let name = Name { label, code: Code::Safe }.to_string();
//!
//! assert_eq!(name, "@400000003ce2403d3677ea94.s");
//! assert!(is_archive_name(name.as_bytes()));
//! # Ok::<(), logyard::tai64n::InvalidLabel>(())
//! ```

pub mod chain;
pub mod cli;
pub mod filters;
pub mod lines;
pub mod logdir;
pub mod multilog;
pub mod setup;
pub mod splogger;
pub mod supervise;
pub mod sys;
pub mod tai64n;
