//! Prepares a host for the family, or clears it away: see [`logyard::setup::program`].
#![no_main]

logyard::program!(logyard::setup::program::run);
