//! `tai64nlocal [file …]`: see [`logyard::filters::tai64nlocal`].
#![no_main]

logyard::program!(logyard::filters::tai64nlocal::run);
