//! Programs of a test that are replaced by others while they run, as a package manager replaces them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::service_fixture::ServiceFixture;
use crate::{DEADLINE, executable, program};

/// What is replaced.
const REPLACED: [&str; 2] = ["svscan", "supervise"];

/// Copies of svscan and supervise in a directory of the fixture, beside the programs that they need.
pub struct ReplacedPrograms<'f> {
    fixture: &'f ServiceFixture,
    version: AtomicUsize,
}

impl ReplacedPrograms<'_> {
    pub fn new(fixture: &ServiceFixture) -> ReplacedPrograms<'_> {
        for name in REPLACED {
            for version in 0..2 {
                executable::copy(&program(name), &fixture.path(format!("versions/{version}/{name}")));
            }
        }
        fs::create_dir(fixture.path("bin")).expect("a directory can be made");
        // Whatever the umask is: a program is not replaced by one that others can write to.
        fs::set_permissions(fixture.path("bin"), fs::Permissions::from_mode(0o755)).expect("it is ours");
        std::os::unix::fs::symlink(program("multilog"), fixture.path("bin/multilog")).expect("a link can be made");
        // svscanboot looks for the others where it is itself, through links.
        for name in ["svscanboot", "readproctitle"] {
            executable::copy(&program(name), &fixture.path("bin").join(name));
        }
        let programs = ReplacedPrograms { fixture, version: AtomicUsize::new(0) };
        programs.replace();
        programs
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.fixture.path("bin").join(name)
    }

    /// A command that finds these programs first.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.fixture.command(self.path(name), arguments);
        command.env("PATH", self.directories());
        command
    }

    /// The search path that finds these programs first.
    pub fn directories(&self) -> String {
        format!("{}:/usr/bin:/bin", self.fixture.path("bin").display())
    }

    /// Puts another file in the place of each program.
    pub fn replace(&self) {
        let version = self.version.fetch_add(1, Ordering::Relaxed) % 2;
        for name in REPLACED {
            let file = self.fixture.path(format!("versions/{version}/{name}"));
            self.put(name, |new| fs::hard_link(&file, new).expect("a file can have a second name"));
        }
    }

    /// Puts what `make` makes in the place of a program.
    pub fn put(&self, name: &str, make: impl Fn(&Path)) {
        let new = self.fixture.path("bin").join(format!(".{name}.new"));
        let _ = fs::remove_file(&new);
        make(&new);
        fs::rename(&new, self.path(name)).expect("a file can be given its name");
    }

    /// The processes of svscan and the supervisors, and whether each executes the file that is at its path now.
    pub fn running(&self) -> Vec<(i32, bool)> {
        let file_of = |path: PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.ino());
        let seen = self.fixture.processes().into_iter().filter(|seen| seen.state != 'Z');
        let running = seen.filter_map(|seen| {
            let program = seen.command.split(' ').next()?.rsplit('/').next()?.to_owned();
            let name = REPLACED.into_iter().find(|name| *name == program)?;
            // The child that is asked whether it accepts the state.
            let is_asked = seen.command.ends_with("--check-state");
            let is_new = file_of(format!("/proc/{}/exe", seen.pid).into()) == file_of(self.path(name));
            (!is_asked).then_some((seen.pid, is_new))
        });
        running.collect()
    }

    /// Waits until svscan and all supervisors, at least `count` of them, execute the files that are at their paths now.
    #[track_caller]
    pub fn until_executed(&self, count: usize) {
        let start = Instant::now();
        loop {
            let running = self.running();
            if running.len() >= count && running.iter().all(|(_, is_new)| *is_new) {
                return;
            }
            let fixture = self.fixture;
            assert!(
                start.elapsed() < DEADLINE,
                "waited in vain until {count} processes execute the new files: {running:?}\n{:#?}\n{}",
                fixture.processes(),
                fixture.read("out")
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
