//! `socklog unix /dev/log`: see [`socklog`].
#![no_main]

logyard::program!(socklog::run);
