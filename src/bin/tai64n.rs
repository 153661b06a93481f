//! `tai64n`: see [`logyard::tai64n::stamping`].
#![no_main]

logyard::program!(logyard::filters::tai64n::run);
