//! Installs the programs on a host, or removes them: see [`logyard::setup::program`].
#![no_main]

logyard::program!(logyard::setup::program::run);
