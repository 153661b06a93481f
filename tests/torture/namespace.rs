//! File systems of any kind, mounted where no other process sees them: a mount namespace of one thread and of what that
//! thread starts. They go with the thread, also when a test fails in the middle.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use testkit::{Workdir, skipped, tool, until};

/// A kind of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ext2,
    Ext3,
    Ext4,
    Xfs,
    Btrfs,
    Vfat,
    Tmpfs,
    Overlay,
    /// FUSE, of what bindfs shows of another directory.
    Bindfs,
    /// The same, past the page cache: where a file may not be mapped for writing, or only since Linux 6.6.
    BindfsDirect,
}

/// A file system that is mounted.
pub struct Scene {
    path: PathBuf,
    server: Option<Child>,
    _holder: Workdir,
}

/// Does something in a mount namespace of its own; where there can be none, says what was not tested.
pub fn in_own_namespace(act: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        let nothing: Option<&str> = None;
        let has_namespace =
            unshare(CloneFlags::CLONE_NEWNS).and_then(|()| mount(nothing, "/", nothing, private, nothing));
        match has_namespace {
            Ok(()) => act(),
            Err(errno) => skipped(format_args!("file systems: only root can mount them ({errno})")),
        }
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

impl Scene {
    /// Mounts a new file system, in a namespace of its own; `None`, with a notice, where that cannot be done.
    pub fn mount(kind: Kind, size: &str) -> Option<Scene> {
        let holder = Workdir::in_memory();
        let path = holder.join("mounted");
        fs::create_dir(&path).unwrap();
        let is_done = match kind {
            Kind::Ext2 => on_image(&holder, &path, size, "mkfs.ext2", &["-q", "-F"]),
            Kind::Ext3 => on_image(&holder, &path, size, "mkfs.ext3", &["-q", "-F"]),
            Kind::Ext4 => on_image(&holder, &path, size, "mkfs.ext4", &["-q", "-F"]),
            Kind::Xfs => on_image(&holder, &path, size, "mkfs.xfs", &["-q"]),
            Kind::Btrfs => on_image(&holder, &path, size, "mkfs.btrfs", &["-q"]),
            Kind::Vfat => on_image(&holder, &path, size, "mkfs.vfat", &[]),
            Kind::Tmpfs => {
                let options = format!("size={size}");
                runs(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path))
            }
            Kind::Overlay => on_layers(&holder, &path),
            Kind::Bindfs | Kind::BindfsDirect => {
                let options: &[&str] = if kind == Kind::Bindfs { &[] } else { &["-o", "direct_io"] };
                return bindfs(holder, path, options);
            }
        };
        if !is_done {
            skipped(format_args!("{kind:?}: it cannot be made and mounted here"));
            return None;
        }
        Some(Scene { path, server: None, _holder: holder })
    }

    /// Stops the server of a file system that has one, until what is returned is dropped.
    pub fn stop_server(&self) -> StoppedServer {
        let server = self.server.as_ref().expect("FUSE has a server");
        let server = Pid::from_raw(i32::try_from(server.id()).unwrap());
        kill(server, Signal::SIGSTOP).unwrap();
        StoppedServer(server)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The server of a FUSE file system, stopped by SIGSTOP: every process that uses the file system waits.
pub struct StoppedServer(Pid);

impl Drop for StoppedServer {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // In the order of their needs: nobody uses the file system, then its server goes, then the directory under it.
        let _ = runs(Command::new("umount").arg(&self.path)) || runs(Command::new("umount").arg("-l").arg(&self.path));
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn runs(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

fn on_image(holder: &Workdir, path: &Path, size: &str, mkfs: &str, options: &[&str]) -> bool {
    let Some(mkfs) = tool(mkfs) else { return false };
    let image = holder.join("image");
    runs(Command::new("truncate").args(["-s", size]).arg(&image))
        && runs(Command::new(mkfs).args(options).arg(&image))
        && runs(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(path))
}

fn on_layers(holder: &Workdir, path: &Path) -> bool {
    for name in ["lower", "upper", "work"] {
        fs::create_dir(holder.join(name)).unwrap();
    }
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| holder.join(name).display().to_string());
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    runs(Command::new("mount").args(["-t", "overlay", "-o", &options, "overlay"]).arg(path))
}

fn bindfs(holder: Workdir, path: PathBuf, options: &[&str]) -> Option<Scene> {
    let program = tool("bindfs")?;
    let under = holder.join("under");
    fs::create_dir(&under).unwrap();
    let mut command = Command::new(program);
    command.arg("-f").args(options).arg(&under).arg(&path);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut scene = Scene { path, server: command.spawn().ok(), _holder: holder };
    let server = scene.server.as_mut()?;
    let shown = scene.path.display().to_string();
    let is_mounted = || fs::read_to_string("/proc/thread-self/mounts").is_ok_and(|mounts| mounts.contains(&shown));
    until("bindfs has mounted, or cannot", || is_mounted() || server.try_wait().is_ok_and(|status| status.is_some()));
    if !is_mounted() {
        skipped("bindfs: it cannot be mounted here");
        return None;
    }
    Some(scene)
}
