//! `svtop [dir]`: a live table of all services in a directory.
//!
//! ```text
//! arguments ─── the command line
//! program ───── sets up, and the loop: an event or the time for the next look, then a drawing
//! services ──── the services of a directory, as they come and go
//!   service ─── one of them (state: the word that the table shows for it; look: what is asked each time)
//!   unit ────── a service or its log service, as its supervisor describes it (watches: which have changed)
//!   logger ──── what the logger waits for, how much it has logged (rates: how much per second)
//!   log_files ─ where it logs to (disk_use: how much room that takes; last_line: the last line in it)
//! app ───────── what is shown of the services, and what keys do (order: which rows, and in which order;
//!               command: the letters of svc)
//! follow ────── the log of one service, by readlog
//! screen ────── draws all that (text: numbers and log text as they are shown)
//! terminal ──── the terminal, which is restored however the process ends
//! input ─────── keys; guardian ─ signals, and a terminal that goes away; event ─ what these say
//! ```
//!
//! # How it stays cheap
//!
//! Of each service svtop holds the directories and the journal of its logger open. inotify tells which supervisors have something
//! new to say. At a look svtop reads the state of the loggers: of those on the screen each time, and of the others by turns.
//! The last line and the disk use are read for the rows on the screen alone. All the rest is read again after a while.
//!
//! # What it promises
//!
//! - The terminal is as it was before, however svtop ends, except by SIGKILL.
//! - The terminal obeys nothing that is in a log or in a name.
//! - No command is sent to a service without a confirmation that names the service.
//! - svtop changes no file.
#![forbid(unsafe_code)]

mod app;
mod arguments;
mod command;
mod disk_use;
mod event;
mod follow;
mod guardian;
mod input;
mod last_line;
mod log_files;
mod logger;
mod look;
mod order;
mod program;
mod rates;
mod screen;
mod service;
mod services;
mod state;
mod terminal;
mod text;
mod unit;
mod watches;

pub use program::run;
