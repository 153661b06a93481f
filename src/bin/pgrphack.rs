//! Runs a program in a process group of its own.
#![no_main]

logyard::program!(logyard::chain::pgrphack::run);
