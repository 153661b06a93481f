//! The files of a log directory, and what is in them.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// A file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The permission bits.
    pub mode: u32,
    /// How many names it has.
    pub links: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// All plain files of a directory by name, as they were at one moment.
#[derive(Clone, Debug)]
pub struct LogDirFiles(pub BTreeMap<String, Found>);

impl LogDirFiles {
    /// Reads a directory. Files that are renamed meanwhile may be seen twice or not at all.
    #[track_caller]
    pub fn read(directory: &Path) -> LogDirFiles {
        let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let files = entries.map(|entry| entry.expect("the directory can be read")).filter_map(|entry| {
            // A file may be removed meanwhile.
            let about = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            let bytes = std::fs::read(entry.path()).ok()?;
            let name = entry.file_name().into_string().expect("names in log directories are ASCII");
            Some((name, Found { mode: about.permissions().mode() & 0o7777, links: about.nlink(), bytes }))
        });
        LogDirFiles(files.collect())
    }

    /// The archives, oldest first.
    pub fn archives(&self) -> impl Iterator<Item = (&str, &Found)> {
        self.0.iter().filter(|(name, _)| name.starts_with('@')).map(|(name, found)| (name.as_str(), found))
    }

    /// The names that are no archives'.
    pub fn fixed_names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).filter(|name| !name.starts_with('@')).collect()
    }

    /// A file that is there.
    #[track_caller]
    pub fn file(&self, name: &str) -> &Found {
        self.0.get(name).unwrap_or_else(|| panic!("no {name} among {:?}", self.0.keys()))
    }

    /// The log from its oldest archive to the end of current.
    pub fn joined(&self) -> Vec<u8> {
        let current = self.0.get("current").map(|found| &found.bytes[..]);
        self.archives().map(|(_, found)| &found.bytes[..]).chain(current).flatten().copied().collect()
    }
}

/// Tells whether a writer is running in a directory: it has made current its own, and answers to signals.
pub fn is_in_use(directory: &Path) -> bool {
    std::fs::metadata(directory.join("current")).is_ok_and(|about| about.permissions().mode() & 0o7777 == 0o644)
}

/// How long `current` is; nothing while there is none.
pub fn current_bytes(directory: &Path) -> Option<u64> {
    std::fs::metadata(directory.join("current")).ok().map(|about| about.len())
}

/// Tells whether a name is one that multilog gives: `@`, 24 lower-case hexadecimal digits, `.s` or `.u`.
pub fn is_archive_name(name: &str) -> bool {
    let digits = name.strip_prefix('@').and_then(|rest| rest.strip_suffix(".s").or(rest.strip_suffix(".u")));
    digits.is_some_and(|digits| {
        digits.len() == 24 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Replaces what looks like a label, `@` and 24 hexadecimal digits, by one that is always the same.
pub fn mask_labels(log: &[u8]) -> Vec<u8> {
    let mut masked = log.to_vec();
    let mut start = 0;
    while let Some(position) = masked[start..].iter().position(|&byte| byte == b'@') {
        start += position + 1;
        let digits = masked.len().min(start + 24);
        if digits == start + 24 && masked[start..digits].iter().all(u8::is_ascii_hexdigit) {
            masked[start..digits].fill(b'x');
        }
    }
    masked
}

/// The lines of a log without the stamps that stand before them.
pub fn without_stamps(log: &[u8]) -> Vec<u8> {
    let line_without = |line: &'_ [u8]| -> Vec<u8> {
        let is_stamped = line.len() > 26 && line.starts_with(b"@4") && line[25] == b' ';
        line[if is_stamped { 26 } else { 0 }..].to_vec()
    };
    log.split_inclusive(|&byte| byte == b'\n').flat_map(line_without).collect()
}

/// Makes a file with this mode, whatever the umask.
pub fn put(path: &Path, mode: u32, bytes: &[u8]) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    let mut file = options.open(path).expect("the test's own directory can be written");
    std::io::Write::write_all(&mut file, bytes).expect("the test's own directory can be written");
    file.set_permissions(std::fs::Permissions::from_mode(mode)).expect("the file is the test's own");
}
