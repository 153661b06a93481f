//! The programs under test.
//!
//! `CARGO_BIN_EXE_*` is known only to the tests of the package that a program is in. The tests of the other crates need
//! `multilog` too: they find it where cargo puts it, and have it built if it is missing or older than its source.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

/// A program of the package `logyard`.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    program_directory().join(name)
}

/// The directory of the programs of the package `logyard`.
///
/// # Panics
///
/// If they cannot be built.
#[must_use]
pub fn program_directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(built)
}

/// The program of a package in `crates` that has the same name, for the tests of other packages.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn program_of_crate(name: &str) -> PathBuf {
    // One after the other: cargo waits for itself anyway.
    static BUILDS: Mutex<()> = Mutex::new(());
    let _turn = BUILDS.lock().unwrap_or_else(PoisonError::into_inner);
    let program = directory().join(name);
    if !is_up_to_date(&program, &root().join("crates").join(name).join("src")) {
        build(&["--package", name, "--bin", name]);
    }
    program
}

/// Where cargo puts programs.
fn directory() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    test.ancestors().nth(2).expect("a test is in target/PROFILE/deps").to_owned()
}

fn build(targets: &[&str]) {
    let profile = if directory().ends_with("release") { "release" } else { "dev" };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--profile", profile]).args(targets);
    let status = build.current_dir(root()).status().expect("cargo can be started");
    assert!(status.success(), "{build:?} failed");
}

/// The directory of the programs, which are up to date.
fn built() -> PathBuf {
    let directory = directory();
    // Cargo builds all programs of a package before it runs the package's tests.
    let is_of_logyard = std::env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == "logyard");
    if !is_of_logyard && !is_up_to_date(&directory.join("multilog"), &root().join("src")) {
        build(&["--package", "logyard", "--bins"]);
    }
    directory
}

fn is_up_to_date(program: &Path, source: &Path) -> bool {
    let Ok(built) = program.metadata().and_then(|program| program.modified()) else { return false };
    newest(source) <= built
}

/// When something in a directory of source was last changed.
fn newest(directory: &Path) -> SystemTime {
    let entries = std::fs::read_dir(directory).expect("the source can be read");
    let times = entries.map(|entry| {
        let entry = entry.expect("the source can be read");
        let metadata = entry.metadata().expect("the source can be read");
        if metadata.is_dir() { newest(&entry.path()) } else { metadata.modified().expect("files have times") }
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in crates/");
    crates.parent().expect("crates/ is in the checkout")
}
