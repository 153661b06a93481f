//! `multilog script`: see [`logyard::multilog::program`].
#![no_main]

logyard::program!(logyard::multilog::program::run);
logyard::without_resolver!();
