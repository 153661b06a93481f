//! Logs of any size for tests and benchmarks, the same bytes for the same seed on every machine.
//!
//! - [`corpus`]: logs in the shapes that users have.
//! - [`counts`]: what is counted of a log, asserted by tests and verified before a benchmark reports a time.
//! - [`random`]: the numbers behind both, from a seed.
//!
//! The small samples in the project's `corpus/` are for looking at; what is made here is for volume.
#![forbid(unsafe_code)]

pub mod corpus;
pub mod counts;
pub mod random;
mod requests;

pub use corpus::{Corpus, Shape};
pub use counts::Counts;
pub use random::Random;
