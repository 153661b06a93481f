//! `logbench`: see [`logyard::logbench`].
#![no_main]

logyard::program!(logyard::logbench::run);
