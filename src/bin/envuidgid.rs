//! Runs a program with an account's ids in UID and GID.
#![no_main]

logyard::program!(logyard::chain::envuidgid::run);
