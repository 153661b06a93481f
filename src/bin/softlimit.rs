//! Runs a program with other soft limits.
#![no_main]

logyard::program!(logyard::chain::softlimit::run);
