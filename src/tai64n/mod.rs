//! Labels: times as daemontools writes them, `@` and 24 hexadecimal digits.
//!
//! A TAI64N label holds 8 bytes of seconds and 4 bytes of nanoseconds, big-endian, so that labels sort as bytes, as
//! text and as file names in the order of time.
//!
//! # The time scale
//!
//! 0.76 writes 2^62 + 10 + Unix seconds: the 10 seconds by which TAI was ahead of UTC in 1970, and no leap second
//! since. So do runit and daemontools-encore, and so do we: a label that one program writes, another reads back as
//! the same local time. (s6 and nosh add the leap seconds; their labels are 27 seconds ahead today.)
//!
//! The types are those of the crate `tai64`; its `now()` and `UNIX_EPOCH` use a third scale, 27 seconds ahead at every
//! date, and are never called here.
//!
//! - [`Label`]: the moment. [`Stamp`]: the 26 bytes that stand before a line. [`StampForm`]: other forms of these.
//! - [`Boundary`]: where a local hour or day begins.
//! - [`zone`]: the local time zone; [`posix`]: the rules that `TZ` may say.
#![forbid(unsafe_code)]

mod boundary;
mod label;
mod nanoseconds;
pub mod posix;
mod stamp;
mod stamp_form;
pub mod zone;

pub use boundary::Boundary;
pub use label::{InvalidLabel, Label};
pub(crate) use label::{parse_hex, unix_seconds};
pub use nanoseconds::put_nanoseconds;
pub use stamp::Stamp;
pub use stamp_form::StampForm;
pub use zone::Zone;
