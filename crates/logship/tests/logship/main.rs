//! Tests of `logship`, run as a program.
//!
//! | behaviour | file |
//! |---|---|
//! | `ship --once` to a directory, `verify`, `ls`, `get`; names; sizes; damaged and hostile archives | `once` |
//! | lines: stamps, bytes that are no text, cut lines, very long lines | `lines` |
//! | the manual page names every option | `manual` |
//! | archives that appear while logship stays; readiness; metrics | `stay` |
//! | a logger that holds archives until they are shipped; the mark; kills of both | `hold` |
//! | kills at random moments, two shippers at once | `kill` |
//! | the program alone in a root, with a store that has a name and a certificate | `empty_root` |
//! | `compact`: kills at each step, archives that come late, two encoders | `compact` |
//! | two hosts: kills into a directory and into S3, each line compared by DuckDB; 100 kills of each | `torture` |
//! | the same with S3 (moto), counted by DuckDB; a store that is away, fails and resets connections | `remote` |
//!
//! A test that cannot run here prints `SKIPPED:` and the reason.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod compact;
mod empty_root;
mod hold;
mod kill;
mod lines;
mod manual;
mod once;
mod python;
mod remote;
mod stay;
mod torture;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use testkit::Workdir;

/// A second in 2026, on which the archives begin.
const START: u64 = 1_790_000_000;

/// A label, so many milliseconds after [`START`].
fn label(milliseconds: u64) -> String {
    let (seconds, rest) = (START + milliseconds / 1000, milliseconds % 1000 * 1_000_000);
    format!("@{:016x}{rest:08x}", (1_u64 << 62) + 10 + seconds)
}

/// Log directories and a local store.
struct Fixture {
    workdir: Workdir,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture { workdir: Workdir::new() }
    }

    /// The log directory of a service.
    fn log(&self, service: &str) -> PathBuf {
        let path = self.workdir.join(service).join("log/main");
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Puts an archive into the log directory of a service, and returns its path.
    fn archive(&self, service: &str, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.log(service).join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Puts archives with lines into the log directory of a service.
    fn archives(&self, service: &str, count: u64, lines: u64) {
        for archive in 0..count {
            let text: String = (0..lines)
                .map(|line| {
                    format!("{} {service} archive {archive} line {line}\n", label(archive * 1000 + line % 1000))
                })
                .collect();
            self.archive(service, &format!("{}.s", label(archive * 1000 + 999)), text);
        }
    }

    fn store(&self) -> PathBuf {
        self.workdir.join("store")
    }

    fn url(&self) -> String {
        format!("file://{}", self.store().display())
    }

    /// The command `logship` with the arguments, in the work directory.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logship"));
        command.args(arguments).current_dir(self.workdir.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Ships log directories to the local store as the host `h1`.
    fn ship(&self, services: &[&str]) -> Output {
        let url = self.url();
        let logs: Vec<String> = services.iter().map(|service| format!("{service}/log/main")).collect();
        let mut arguments = vec!["ship", "--once", "--host", "h1"];
        arguments.extend(logs.iter().map(String::as_str));
        arguments.push(&url);
        self.run(&arguments)
    }

    /// The objects of the local store, by their keys. What is no object is here too.
    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        files_below(&self.store())
    }

    /// The lines of a service in the local store, as `get` prints them.
    fn get(&self, service: &str) -> Vec<u8> {
        let output = self.run(&["get", &self.url(), "--service", service]);
        assert_eq!(code(&output), 0, "{}", messages(&output));
        output.stdout
    }

    /// The archives of a service, one after the other.
    fn joined(&self, service: &str) -> Vec<u8> {
        let archives = files_below(&self.log(service))
            .into_iter()
            .filter(|(name, _)| name.ends_with(".s") || name.ends_with(".u"));
        archives.flat_map(|(_, bytes)| bytes).collect()
    }
}

/// The files below a directory, by their paths.
fn files_below(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(key, fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn messages(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails unless a program ended with this code, and a message with these words.
#[track_caller]
fn assert_says(output: &Output, expected: i32, words: &str) {
    let messages = messages(output);
    assert!(code(output) == expected && messages.contains(words), "{expected}, {words}: {}, {messages}", code(output));
}
