//! `logpack`: see [`logpack`].
#![no_main]

logyard::program!(logpack::run);
