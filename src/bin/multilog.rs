//! `multilog script`: see [`logyard::multilog`].
#![no_main]

logyard::program!(logyard::multilog::program::run);
