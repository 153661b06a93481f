//! Runs a program while a lock is held.
#![no_main]

logyard::program!(logyard::chain::setlock::run);
