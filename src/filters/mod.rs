//! The programs `tai64n` and `tai64nlocal`, on one [`filter`].
#![forbid(unsafe_code)]

pub mod filter;
pub mod tai64n;
pub mod tai64nlocal;
