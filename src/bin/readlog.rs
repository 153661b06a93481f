//! `readlog dir ...`: see [`logyard::readlog`].
#![no_main]

logyard::program!(logyard::readlog::run);
