//! Supervision: services that are kept running, steered by name, and paired with a logger through a pipe that loses
//! nothing.
#![forbid(unsafe_code)]

pub mod control;
pub mod files;
pub mod options;
pub mod record;
pub mod state;
pub mod status;
pub mod supervisor;
pub mod throttle;
