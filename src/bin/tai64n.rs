//! `tai64n`: see [`logyard::tai64n::stamping`].
#![no_main]

logyard::program!(logyard::tai64n::stamping::run);
