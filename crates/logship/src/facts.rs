//! What an object says about its archive.

/// What an object says about its archive: enough to tell whether it holds the same lines, whichever version encoded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The SHA-256 of the archive's bytes, unpacked, in hexadecimal digits.
    pub(crate) sha256: String,
    /// How many lines the archive has, an incomplete last one included.
    pub(crate) lines: u64,
    /// How many bytes the archive has, unpacked.
    pub(crate) bytes: u64,
}

/// The names of the facts in an object's metadata. Azure accepts only names that a program could use.
const SHA256: &str = "sha256";
const LINES: &str = "lines";
const BYTES: &str = "bytes";

impl Facts {
    /// The facts as metadata.
    pub(crate) fn to_metadata(&self) -> [(&'static str, String); 3] {
        [(SHA256, self.sha256.clone()), (LINES, self.lines.to_string()), (BYTES, self.bytes.to_string())]
    }

    /// Reads the facts from metadata; `None` if one is missing or is no number.
    pub(crate) fn from_metadata<'m>(value: impl Fn(&str) -> Option<&'m str>) -> Option<Facts> {
        Some(Facts {
            sha256: value(SHA256)?.to_owned(),
            lines: value(LINES)?.parse().ok()?,
            bytes: value(BYTES)?.parse().ok()?,
        })
    }
}
