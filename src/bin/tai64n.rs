//! `tai64n`: see [`logyard::filters::tai64n`].
#![no_main]

logyard::program!(logyard::filters::tai64n::run);
