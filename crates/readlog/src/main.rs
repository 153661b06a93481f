//! `readlog dir ...`: see [`readlog`].
#![no_main]

logyard::program!(readlog::run);
