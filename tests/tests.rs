//! The integration tests: the programs as their users meet them, and the peers beside them.
//!
//! One binary, a module for each subject; `util` holds what they share.

mod corpus;
mod util;
