//! The syslog service (`--syslog`): socklog in the place of a syslog daemon, with the rules of a classic `/etc/syslog.conf`.
//!
//! Two readers of `/dev/log` would each get some of the messages, or the second would take the path from the first. So the
//! service is not installed while another program reads it.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::cli::Shown;
use crate::setup::resource::{Content, Resource};
use crate::setup::whole_file::read_all;
use crate::sys::root_dir::Tree;
use crate::sys::{Errno, unix_socket};

/// What makes svscan start it.
pub const LINK: &str = "/service/syslog";
/// The service directory.
const SERVICE: &str = "/etc/sv/syslog";
/// The socket.
const DEV_LOG: &str = "/dev/log";
/// The user of its logger.
const USER: &str = "syslog";

/// The resources that it needs. The link comes last: a svscan that runs starts the service when it sees the link.
#[must_use]
pub fn things() -> Vec<Resource> {
    let script = |name: &str, text| Resource::file(format!("{SERVICE}/{name}"), 0o755, Content::Text(text));
    vec![
        script("run", include_str!("../../examples/syslog/run")),
        script("log/run", include_str!("../../examples/syslog/log/run")),
        Resource::link(LINK.to_owned(), SERVICE.to_owned()),
    ]
}

/// Says why the service cannot be installed in a root directory.
pub fn check(tree: &Tree, root: &Path, has_socklog: bool) -> Result<(), String> {
    let unable = |why: String| Err(format!("unable to install the syslog service: {why}"));
    if !has_socklog {
        return unable("there is no socklog beside logyard-setup".to_owned());
    }
    let accounts = tree.dir("/etc").and_then(|dir| read_all(&dir, b"passwd")).unwrap_or_default();
    if !accounts.split(|&byte| byte == b'\n').any(|line| line.starts_with(format!("{USER}:").as_bytes())) {
        let command = format!("useradd --system --no-create-home --shell /usr/sbin/nologin {USER}");
        return unable(format!("there is no user {USER}, make it first: {command}"));
    }
    match reader(root) {
        None => Ok(()),
        Some(reader) => unable(format!("{reader} reads {DEV_LOG}, stop it first")),
    }
}

/// Names the program that reads `/dev/log` below a root directory; `None` if none does.
fn reader(root: &Path) -> Option<String> {
    let mut path = root.join(DEV_LOG.trim_start_matches('/'));
    // On a host with systemd it is a link. That of an image does not lead to the host's.
    if root == Path::new("/") {
        path = fs::canonicalize(&path).unwrap_or(path);
    }
    let is_socket = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if !is_socket || unix_socket::Peer::connect(path.as_os_str().as_bytes()).err() == Some(Errno::ECONNREFUSED) {
        return None;
    }
    let processes = sockets_at(&path).iter().flat_map(|inode| processes_with(*inode)).collect::<Vec<i32>>();
    // systemd keeps the socket that it has made for the daemon.
    let process = processes.iter().find(|&&process| process != 1).or(processes.first());
    Some(process.map_or_else(
        || "another program".to_owned(),
        |&process| {
            let name = fs::read(of_process(process).join("comm")).unwrap_or_default();
            format!("{} (pid {process})", Shown(name.trim_ascii_end()))
        },
    ))
}

/// The numbers of the sockets that are bound to a path.
fn sockets_at(path: &Path) -> Vec<u64> {
    let list = fs::read("/proc/net/unix").unwrap_or_default();
    // Num RefCount Protocol Flags Type St Inode Path; the path may have spaces.
    let bound = list.split(|&byte| byte == b'\n').filter_map(|line| {
        let (front, bound) = line.split_at_checked(line.iter().position(|&byte| byte == b'/')?)?;
        let inode = std::str::from_utf8(front).ok()?.split_ascii_whitespace().nth(6)?.parse().ok()?;
        (bound == path.as_os_str().as_bytes()).then_some(inode)
    });
    bound.collect()
}

/// The processes that have a socket open.
fn processes_with(inode: u64) -> Vec<i32> {
    let socket = PathBuf::from(format!("socket:[{inode}]"));
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let has_socket = |process: &i32| {
        let mut open = fs::read_dir(of_process(*process).join("fd")).into_iter().flatten().flatten();
        open.any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == socket))
    };
    numbers.filter(has_socket).collect()
}

fn of_process(process: i32) -> PathBuf {
    Path::new("/proc").join(process.to_string())
}
