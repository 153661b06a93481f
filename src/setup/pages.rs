//! The manual pages, carried in the program: `cargo install` installs programs and nothing else.

/// Each page's file name and text.
pub const PAGES: [(&str, &str); 0] = [];
