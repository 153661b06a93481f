//! File systems that are mounted for a test, and unmounted after it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long a file system may stay busy after its test.
const DEADLINE: Duration = Duration::from_secs(20);

/// A mounted file system; unmounted when dropped.
pub struct Mounted(PathBuf);

impl Mounted {
    /// Mounts an image; `None` where that cannot be done.
    pub fn image(image: &Path, at: PathBuf, options: &str) -> Option<Mounted> {
        Mounted::new(Command::new("mount").args(["-o", options]).arg(image), at)
    }

    /// Mounts a new file system in memory; `None` where that cannot be done.
    pub fn memory(at: PathBuf, options: &str) -> Option<Mounted> {
        Mounted::new(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]), at)
    }

    fn new(mount: &mut Command, at: PathBuf) -> Option<Mounted> {
        std::fs::create_dir_all(&at).unwrap();
        mount.arg(&at).output().is_ok_and(|output| output.status.success()).then_some(Mounted(at))
    }

    /// Mounts it again with other options.
    pub fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let output = Command::new("mount").args(["-o", &options]).arg(&self.0).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A process that is ending may hold it for a moment longer.
        let start = Instant::now();
        loop {
            let output = Command::new("umount").arg(&self.0).output().unwrap();
            if output.status.success() {
                return;
            }
            if start.elapsed() > DEADLINE {
                let words = String::from_utf8_lossy(&output.stderr).into_owned();
                // A test that is failing already has said why.
                assert!(std::thread::panicking(), "{} stays mounted: {words}", self.0.display());
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
