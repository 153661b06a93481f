//! Supervision: services that are kept running, steered, paired with loggers, and stopped.

mod article;
mod boot;
mod control;
mod cycles;
mod daemon;
mod hostile;
mod kill_matrix;
mod leaving;
mod options;
mod pairing;
pub(crate) mod service_fixture;
mod transcripts;
mod unread;
