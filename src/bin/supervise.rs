//! Keeps a service running: `supervise dir`.
#![no_main]

logyard::program!(logyard::supervise::supervise::run);
