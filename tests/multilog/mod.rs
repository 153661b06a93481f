//! multilog as its users meet it, and 0.76's beside it.
//!
//! - [`differential`]: random scripts and inputs, made by [`cases`], through both: what they leave must be the same.
#![allow(unreachable_pub)]

mod cases;
mod differential;
