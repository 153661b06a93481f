//! Old kernels and sandboxes: every program of the family where the system refuses a call.
//!
//! Three outcomes are allowed, and [`Outcome`] names them. A hang, a second copy of a service, a lost or duplicated line, a
//! processor that is run twice for one file, and a child that nobody collects are not.
#![allow(clippy::print_stdout)] // What became of each cell, for `--nocapture`.

mod refusal;
pub mod tools;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use refusal::{MODERN, Refusal, launch};

/// What a program did under a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was different.
    Same,
    /// All was done, and one warning said what does not hold.
    Weaker(String),
    /// The program printed why it cannot run, and exited 111 before it did anything.
    Declined(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Same => out.write_str("the same"),
            Outcome::Weaker(words) => write!(out, "weaker: {words}"),
            Outcome::Declined(words) => write!(out, "111: {words}"),
        }
    }
}

/// What the words on standard error of a program that did its work mean: one warning for one refused call.
#[track_caller]
pub fn judge(words: &str, refusal: &Refusal) -> Outcome {
    let lines: Vec<&str> = words.lines().collect();
    let warnings = lines.iter().filter(|line| line.contains(": warning: ")).count();
    let is_distinct = lines.iter().collect::<BTreeSet<_>>().len() == lines.len();
    assert!(warnings == lines.len() && is_distinct && (warnings <= 1 || refusal.is_of_several()), "{words}");
    if lines.is_empty() { Outcome::Same } else { Outcome::Weaker(lines.join("; ")) }
}

/// How many cells of the matrix are tried at a time: they wait more than they work.
const AT_A_TIME: usize = 8;

/// Runs a scene under each refusal, prints the outcome of each, and fails with all that went wrong.
#[track_caller]
pub fn play(title: &str, refusals: &[Refusal], scene: impl Fn(&Refusal) -> Outcome + Sync) {
    // To find the reason of a failure.
    let only = std::env::var("LOGYARD_REFUSAL").ok();
    let refusals: Vec<&Refusal> =
        refusals.iter().filter(|refusal| only.as_ref().is_none_or(|only| refusal.to_string() == *only)).collect();
    let (next, seen, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(refusals.len()) {
            scope.spawn(|| {
                while let Some(refusal) = refusals.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scene(refusal))) {
                        Ok(outcome) => seen.lock().unwrap().push((refusal.to_string(), outcome)),
                        Err(why) => {
                            let text = why.downcast_ref::<String>().cloned();
                            let text = text.or_else(|| why.downcast_ref::<&str>().map(ToString::to_string));
                            failed.lock().unwrap().push(format!("{refusal}: {}", text.unwrap_or_default()));
                        }
                    }
                }
            });
        }
    });
    let mut seen = seen.into_inner().unwrap();
    seen.sort_by_key(|(name, _)| name.clone());
    for (name, outcome) in seen.iter().filter(|(_, outcome)| *outcome != Outcome::Same) {
        println!("{title}: {name}: {outcome}");
    }
    println!("{title}: {} of {} the same", seen.iter().filter(|(_, o)| *o == Outcome::Same).count(), refusals.len());
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{title}:\n{}", failed.join("\n"));
}
