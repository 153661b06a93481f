//! logbench: logs of any size, and the comparison of loggers.
//!
//! What tests and benchmarks share:
//!
//! - [`corpus`]: logs of any size in the shapes that users have, the same bytes for the same seed on every machine.
//! - [`counts`]: what is counted of a log, to be asserted by tests and verified before a benchmark reports a time.
//! - [`random`]: the numbers behind both, from a seed.
//!
//! The command `logbench` is in `compare` (feature `logbench`, on by default).
//!
//! The small samples in `corpus/` are for looking at; what is made here is for volume.
#![forbid(unsafe_code)]

#[cfg(feature = "logbench")]
mod compare;
pub mod corpus;
pub mod counts;
pub mod random;

#[cfg(feature = "logbench")]
pub use compare::run;
pub use corpus::{Corpus, Shape};
pub use counts::Counts;
pub use random::Random;
