//! `logbench`: see [`logbench`].
#![no_main]

logyard::program!(logbench::run);
