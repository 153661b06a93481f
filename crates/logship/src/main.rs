//! `logship`: see [`logship`].
#![no_main]

logyard::program!(logship::run);
