//! Supervision: services that are kept running, steered, paired with loggers, and stopped.

mod article;
mod boot;
mod control;
mod cycles;
mod daemon;
pub(crate) mod den;
mod hostile;
mod kill_matrix;
mod leaving;
mod options;
mod pairing;
mod transcripts;
mod unread;
