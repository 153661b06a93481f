//! Prepares a host for the family, or clears it away: see [`logyard::setup`].
#![no_main]

logyard::program!(logyard::setup::run);
