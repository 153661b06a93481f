//! `tai64nlocal [file …]`: see [`logyard::tai64n::local`].
#![no_main]

logyard::program!(logyard::filters::tai64nlocal::run);
