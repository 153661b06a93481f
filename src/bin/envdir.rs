//! Runs a program with variables from the files of a directory.
#![no_main]

logyard::program!(logyard::chain::envdir::run);
