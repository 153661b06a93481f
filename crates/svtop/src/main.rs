//! `svtop [dir]`: see [`svtop`].
#![no_main]

logyard::program!(svtop::run);
