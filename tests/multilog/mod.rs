//! multilog as its users see it, beside 0.76's multilog.
//!
//! | behaviour | file |
//! |---|---|
//! | error messages and exit codes; nothing is changed by a script that cannot run; the lock | [`messages`] |
//! | `--check`: what it says of a script is what a logger does | [`checked`] |
//! | the same files as 0.76 from random scripts and inputs (made by [`cases`]): selectors, `s`, `n`, `!`, `e`, `=`; lines longer than 1000 bytes; where files end | [`differential`] |
//! | `=file` | [`status_file`] |
//! | `!processor`: what it gets, its state, failures, retries; `n` | [`processor`] |
//! | TERM, ALRM, SIGBUS | [`signals`] |
//! | one logger after the other on one pipe, ended by TERM | [`handover`] |
//! | recovery: every disk state of `doc/logdir.md`; loggers killed while a processor runs | [`takeover`] |
//! | recovery by the journal: killed loggers, other scripts, failed fsyncs; a journal of another boot | [`successor`] |
//! | the journal cannot be created, or only later; network file systems | [`journal`] |
//! | the pipe is resized, holds packets, or has other readers | [`shared_pipe`] |
//! | lines are the same however the input is cut into reads | [`reads`] |
//! | standard error is full and nobody reads it: dropped alerts | [`unread`] |
//! | `1`: lines on standard output, read slowly, not at all, or twice after a kill | [`copies`] |
//! | links, FIFOs and other files that somebody puts into the log directory | [`planted_files`] |
//! | preallocated space is freed | [`preallocation`] |
//! | `r+` and `r-`: the program that matches regular expressions | [`regex_program`] |
//! | `T`, `T@local`, `T@utc`, `T@epoch` and `p=` | [`line_heads`] |
//! | limits on archives by bytes, age and free space | [`retention`] |
//! | `H`: archives that are held until they are shipped; the count of lost ones; 0.76 as successor | [`holding`] |
//! | rotation by age, at local hours and at midnight | [`rotation_by_time`] |
//! | a rate of lines, repeated lines | [`withheld`] |
//! | the metrics file | [`metrics`] |
//! | the script file, and HUP | [`reload`] |
//! | `g=`: a group may read the directory | [`sharing`] |
//! | memory: of an idle and of a busy logger; too little of it | [`memory`] |
//! | the thread that finishes files, which an idle logger does not have | [`threads`] |
//! | a logger that waits by peeking, and what ends the wait | [`waiting`] |
//! | the number of system calls | [`system_calls`] |
//!
//! Kills under load, full disks, file systems, processors that hang and damaged journals: `torture`. Refused system calls: `kernels`.
#![allow(unreachable_pub)]

mod cases;
mod checked;
pub mod copies;
mod differential;
mod handover;
mod holding;
mod journal;
mod line_heads;
mod memory;
mod messages;
mod metrics;
mod planted_files;
mod preallocation;
mod processor;
mod reads;
mod regex_program;
mod reload;
mod retention;
mod rotation_by_time;
pub mod shared_pipe;
mod sharing;
mod signals;
mod status_file;
mod successor;
mod system_calls;
mod takeover;
mod threads;
mod unread;
mod waiting;
mod withheld;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use testkit::Workdir;
use testkit::logger::{LoggerFixture, Running};

/// Numbered lines (nine digits) come as fast as they are taken, and twenty loggers after each other are killed. `start`
/// starts the logger with a number; the last, with number 20, logs the rest. Says how many lines came.
fn kill_twenty_under_load(start: impl Fn(&LoggerFixture, u64) -> Running) -> (Workdir, u64) {
    kill_twenty_under_load_of(|number| format!("{number:09}\n"), start)
}

/// The same with other lines: `line` makes the one with a number.
fn kill_twenty_under_load_of(
    line: impl Fn(u64) -> String + Sync,
    start: impl Fn(&LoggerFixture, u64) -> Running,
) -> (Workdir, u64) {
    let fixture = LoggerFixture::new();
    let is_over = AtomicBool::new(false);
    let mut output = fixture.output.try_clone().unwrap();
    thread::scope(|scope| {
        let feeder = scope.spawn(|| {
            let mut number = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                let lines: String = (number..number + 100).map(&line).collect();
                output.write_all(lines.as_bytes()).unwrap();
                number += 100;
            }
            drop(output);
            number
        });
        for kill in 0..20 {
            let logger = start(&fixture, kill);
            fixture.until_ready();
            thread::sleep(Duration::from_millis(2 + kill * 3));
            logger.kill();
        }
        // Somebody has to read, or the feeder would wait without end.
        let mut last = start(&fixture, 20);
        is_over.store(true, Ordering::Relaxed);
        let written = feeder.join().unwrap();
        let LoggerFixture { workdir, input, output } = fixture;
        drop((input, output));
        assert!(last.end().success());
        (workdir, written)
    })
}
