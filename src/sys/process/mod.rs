//! Processes: ours, our children, and those of others.
//!
//! - [`fork`](mod@fork): a copy of this process, a session of its own. [`exec`](mod@exec): another program in its place.
//! - [`child`]: processes that we start. [`spawn`]: services and their supervisors, `light_fork` where descriptors are many.
//!   [`wait`](mod@wait): how they end.
//! - [`trial`]: a program that is to take this process's place is asked whether it can.
//! - [`pid`]: their numbers. [`pidfd`]: processes that may be somebody else's children.
//! - [`priority`]: how much of the processors and disks this one gets.
//! - [`proctitle`]: what the process list shows of this one.

pub mod child;
pub mod ended;
pub mod exec;
mod exit;
pub mod fork;
mod light_fork;
pub mod pid;
pub mod pidfd;
pub mod priority;
pub mod proctitle;
pub mod run_count;
pub mod spawn;
pub mod trial;
pub mod wait;
