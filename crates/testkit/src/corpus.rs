//! Logs to test with: the corpus, and what lies beside the checkout.

use std::path::{Path, PathBuf};

use crate::programs::root;

/// A file of the corpus.
pub fn path(name: &str) -> PathBuf {
    root().join("corpus").join(name)
}

/// Every log of the corpus, and every log of `../shared/logs` where that directory exists, by name.
pub fn logs() -> Vec<(String, Vec<u8>)> {
    let shared = root().join("../shared/logs");
    if !shared.is_dir() {
        crate::skipped("there is no ../shared/logs, so only the corpus was logged");
    }
    let mut paths: Vec<PathBuf> = [path("."), shared]
        .iter()
        .filter_map(|directory| std::fs::read_dir(directory).ok())
        .flat_map(|entries| entries.map(|entry| entry.expect("the directory can be read").path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    paths.sort();
    let name = |path: &Path| path.file_name().expect("a listed file has a name").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).expect("a log can be read"))).collect()
}
