//! The machine on which logbench runs, and the versions of the programs that it compares.

use std::path::Path;
use std::process::{Command, Stdio};

/// The facts about the machine that a reader of the figures needs.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
}

impl Machine {
    /// This machine.
    pub(crate) fn this() -> Machine {
        let word = |path: &str, name: &str| -> Option<String> {
            let text = std::fs::read_to_string(path).ok()?;
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = word("/proc/meminfo", "MemTotal");
        let kibibytes = memory.and_then(|text| text.split(' ').next()?.parse::<u64>().ok()).unwrap_or(0);
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Machine {
            processor: word("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            processors: std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
            memory_bytes: kibibytes * 1024,
            kernel: format!("Linux {}", kernel.trim()),
        }
    }

    /// In one line.
    pub(crate) fn in_words(&self) -> String {
        let Machine { processor, processors, memory_bytes, kernel } = self;
        let gigabytes = *memory_bytes as f64 / 1e9;
        format!("{processor}, {processors} processors, {gigabytes:.0} GB, {kernel}")
    }
}

/// The package that a program came with, and its version, if Debian's tools know them.
pub(crate) fn package_version(program: &Path) -> Option<String> {
    let ask = |arguments: &[&str]| -> Option<String> {
        let mut query = Command::new("dpkg-query");
        let answer = query.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(answer.stdout).ok()?;
        Some(text.trim().to_owned()).filter(|text| answer.status.success() && !text.is_empty())
    };
    let owner = ask(&["-S", program.to_str()?])?;
    let package = owner.split(": ").next()?;
    let version = ask(&["-W", "-f", "${Version}", package])?;
    Some(format!("{package} {version}"))
}
