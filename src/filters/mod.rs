//! The programs `tai64n` and `tai64nlocal`, on one [`filter`]. [`zone`](crate::tai64n::zone) finds
//! the local time zone.
#![forbid(unsafe_code)]

pub mod filter;
pub mod tai64n;
pub mod tai64nlocal;
