//! Root directories of systems made for a test, and systems that run in them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use logyard::setup::layout::COMMANDS;

use testkit::logger::Running;
use testkit::{Workdir, executable, is_root, program, program_directory, skipped};

/// A root directory.
pub(super) struct Root {
    directory: Workdir,
    /// What is installed from outside.
    stand_ins: LazyLock<Workdir>,
}

impl Root {
    pub(super) fn new() -> Root {
        Root::at_directory(Workdir::in_memory())
    }

    fn at_directory(directory: Workdir) -> Root {
        Root { directory, stand_ins: LazyLock::new(stand_ins) }
    }

    /// One that a system can run in: busybox for a shell and an init, some accounts, and nothing else. `None`, with a
    /// notice, where that cannot be.
    pub(super) fn bare() -> Option<Root> {
        let busybox = busybox_to_boot_with()?;
        let root = Root::at_directory(Workdir::new());
        // Users other than root live in it.
        fs::set_permissions(root.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for directory in ["bin", "sbin", "etc", "dev", "proc", "root"] {
            fs::create_dir(root.at(directory)).unwrap();
        }
        executable::copy(busybox, &root.at("/bin/busybox"));
        for applet in ["sh", "sleep", "mkdir", "chown", "date", "hostname"] {
            symlink("busybox", root.at("/bin").join(applet)).unwrap();
        }
        symlink("/bin/busybox", root.at("/sbin/init")).unwrap();
        let accounts = "root:x:0:0:root:/root:/bin/sh\nlogger:x:4711:4711::/:/bin/sh\n";
        Some(root.with("/etc/passwd", accounts))
    }

    /// That of the container image, made of our programs. `None`, with a notice, where it cannot be started.
    pub(super) fn of_image() -> Option<Root> {
        let busybox = busybox_to_boot_with()?;
        let root = Root::at_directory(Workdir::new());
        fs::set_permissions(root.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut image = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/image"));
        image.arg("--programs").arg(program_directory()).arg("--busybox").arg(busybox);
        let made = image.arg(root.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(root)
    }

    /// Puts a file in place, and the directories that it is in.
    pub(super) fn with(self, path: &str, text: &str) -> Root {
        self.write(path, text);
        self
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes an executable script.
    pub(super) fn script(&self, path: &str, body: &str) {
        executable::script(&self.at(path), body);
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.directory.join(path.trim_start_matches('/'))
    }

    #[track_caller]
    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// What there is in a file by now.
    pub(super) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    /// Adds a stand-in for a program that is not in every installation.
    pub(super) fn with_program(self, name: &str) -> Root {
        fs::write(self.stand_ins.join(name), format!("the program {name}\n")).unwrap();
        self
    }

    /// Setup, run on it from outside with the stand-ins, and without a word yet of what to do.
    pub(super) fn command(&self) -> Command {
        let mut setup = Command::new(self.stand_ins.join("logyard-setup"));
        setup.arg("--root").arg(self.directory.path());
        setup
    }

    /// The same, run.
    pub(super) fn setup(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Runs setup, which has to succeed, and returns what it said.
    #[track_caller]
    pub(super) fn said(&self, arguments: &[&str]) -> String {
        let done = self.setup(arguments);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Copies our programs into it, and nothing that says where they belong.
    pub(super) fn receive_programs(&self, directory: &str) {
        fs::create_dir_all(self.at(directory)).unwrap();
        for command in COMMANDS {
            strip(&program(command), &self.at(directory).join(command));
        }
    }

    /// Runs a program in it, and returns what it said.
    #[track_caller]
    pub(super) fn run(&self, command: &[&str]) -> String {
        let done = Command::new("chroot").arg(self.path()).args(command).output().unwrap();
        assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Starts a system in it: its process 1, in namespaces of its own. It ends with the value.
    pub(super) fn boot(&self, init: &[&str]) -> Running {
        self.boot_into(init, Stdio::null())
    }

    /// The same, with a standard output.
    pub(super) fn boot_into(&self, init: &[&str], output: impl Into<Stdio>) -> Running {
        let prepare = "mount --bind /dev \"$0/dev\" && mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \"$@\"";
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", prepare]).arg(self.path()).args(init);
        unshare.env_clear().env("PATH", "/command:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        unshare.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped());
        Running::start(&mut unshare)
    }

    /// All that there is: what it is, its mode, what is in it. Directories that a system is mounted on are left out.
    pub(super) fn listing(&self) -> BTreeMap<String, String> {
        let mut listing = BTreeMap::new();
        list(self.directory.path(), self.directory.path(), &mut listing);
        listing
    }
}

/// The busybox for systems that are started in a directory of their own. `None`, with a notice, where they cannot be started.
fn busybox_to_boot_with() -> Option<&'static Path> {
    if !is_root("start a system in a directory of its own") {
        return None;
    }
    let mut busybox = ["/usr/bin/busybox", "/bin/busybox"].into_iter().map(Path::new);
    let Some(busybox) = busybox.find(|path| is_static(path)) else {
        skipped("busybox-static is not installed, so no system was started in a directory of its own");
        return None;
    };
    let can_unshare = Command::new("unshare").args(["--mount", "--pid", "--fork", "--kill-child", "true"]).output();
    if !can_unshare.is_ok_and(|done| done.status.success()) {
        skipped("unshare is not allowed here, so no system was started in a directory of its own");
        return None;
    }
    Some(busybox)
}

fn list(root: &Path, directory: &Path, listing: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let stat = fs::symlink_metadata(&path).unwrap();
        let what = if stat.is_dir() {
            list(root, &path, listing);
            String::new()
        } else if stat.is_symlink() {
            fs::read_link(&path).unwrap().display().to_string()
        } else {
            format!("{} {}", stat.ino(), stat.len())
        };
        let name = path.strip_prefix(root).unwrap().display().to_string();
        listing.insert(name, format!("{:o} {what}", stat.permissions().mode()));
    }
}

/// A directory with setup in it, and beside it small files in the place of the other programs: those are for setup to copy.
fn stand_ins() -> Workdir {
    let directory = Workdir::new();
    for command in COMMANDS.into_iter().filter(|&command| command != "logyard-setup") {
        fs::write(directory.join(command), format!("the program {command}\n")).unwrap();
    }
    strip(Path::new(env!("CARGO_BIN_EXE_logyard-setup")), &directory.join("logyard-setup"));
    directory
}

/// Copies a program without what only a debugger needs, where there is strip.
fn strip(from: &Path, to: &Path) {
    let is_stripped = Command::new("strip").arg("-o").arg(to).arg(from).status().is_ok_and(|status| status.success());
    if !is_stripped {
        executable::copy(from, to);
    }
}

/// Whether a program is there and needs no shared libraries.
fn is_static(program: &Path) -> bool {
    fs::read(program).is_ok_and(|bytes| !bytes.windows(9).any(|window| window == b"/ld-linux"))
}

/// The process that unshare runs as process 1 of its namespace, by its number here.
pub(super) fn init_of(unshare: &Running) -> Option<i32> {
    let pid = unshare.pid();
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?.split_whitespace().next()?.parse().ok()
}
