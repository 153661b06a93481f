//! Supervision: services that are kept running, steered by name, and paired with a logger through a pipe that loses
//! nothing.
#![forbid(unsafe_code)]

pub mod boot;
pub mod control;
pub mod files;
pub mod keeper;
pub mod logpipe;
pub mod options;
pub mod pair;
pub mod record;
pub mod report;
pub mod scan;
pub mod state;
pub mod status;
pub mod supervisor;
pub mod svc;
pub mod svok;
pub mod svstat;
pub mod svwait;
pub mod throttle;
pub mod watched;
