//! Keeps a program in the foreground that puts itself in the background.
#![no_main]

logyard::program!(logyard::chain::fghack::run);
