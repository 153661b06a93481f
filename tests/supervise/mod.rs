//! Supervision: services that are kept running, steered, paired with loggers, and stopped.

mod control;
mod cycles;
mod daemon;
mod first_steps;
mod hostile;
mod kill_matrix;
mod options;
mod pairing;
mod shutdown;
mod svscanboot;
mod transcripts;
mod unread;
