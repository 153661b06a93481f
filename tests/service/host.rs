//! A whole system: setup in a bare root, a boot, a service that is linked into `/service`, a reboot, the removal.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use testkit::{skipped, until};

use super::root::Root;

/// The variable that names the root directory of a Debian made by debootstrap, to be tried on a copy.
const DEBIAN_ROOT: &str = "LOGYARD_DEBIAN_ROOT";

/// Puts a service with a logger where services are stored.
fn store_service(root: &Root) {
    root.script("/etc/sv/clock/run", "echo the clock starts\nexec sleep 1000");
    root.script("/etc/sv/clock/log/run", "exec multilog t ./main");
}

/// The lines of the service's log, oldest first, their moments left out.
fn log(root: &Root) -> Vec<String> {
    let main = "/etc/sv/clock/log/main";
    let files = fs::read_dir(root.at(main)).into_iter().flatten();
    let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    // What an unclean end has left is archived; names of archives sort before current.
    names.retain(|name| name.starts_with('@') || name == "current");
    names.sort();
    let text: String = names.iter().map(|name| root.text(&format!("{main}/{name}"))).collect();
    text.lines().map(|line| line.split_once(' ').map_or("", |(_, rest)| rest).to_owned()).collect()
}

/// The whole story, with `init` as process 1 of the system.
fn live(root: &Root, init: &[&str]) {
    store_service(root);
    root.receive_programs("/root/built");
    let before = root.listing();

    let said = root.run(&["/root/built/logyard-setup"]);
    assert!(said.contains("make directory /service\n"), "{said}");

    let system = root.boot(init);
    symlink("/etc/sv/clock", root.at("/service/clock")).unwrap();
    until("the new service's log appears", || log(root) == ["the clock starts"]);
    let status = || root.run(&["/usr/local/bin/svstat", "/service/clock", "/service/clock/log"]);
    until("svstat shows both up", || status().matches(": up (pid ").count() == 2);
    system.kill();

    let system = root.boot(init);
    until("it is started again by the next boot", || log(root).len() == 2);
    fs::remove_file(root.at("/service/clock")).unwrap();
    root.run(&["/command/svc", "-dx", "/etc/sv/clock", "/etc/sv/clock/log"]);
    until("the supervisors have left", || status_of(root, "/etc/sv/clock").contains("supervise not running"));
    system.kill();

    let said = root.run(&["/root/built/logyard-setup", "--remove"]);
    assert!(said.contains("remove directory /service\n"), "{said}");
    for place in ["/etc/sv/clock/supervise", "/etc/sv/clock/log/supervise", "/etc/sv/clock/log/main"] {
        fs::remove_dir_all(root.at(place)).unwrap();
    }
    let after = root.listing();
    let changed: Vec<_> = after.iter().filter(|(name, what)| before.get(*name) != Some(*what)).collect();
    // A table or script is written anew without its line, so its inode is another.
    let is_rewritten = |name: &str| ["etc/inittab", "etc/rc.local"].contains(&name);
    assert!(changed.iter().all(|(name, _)| is_rewritten(name)), "left behind: {changed:?}");
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "nothing is missing");
}

fn status_of(root: &Root, service: &str) -> String {
    let svstat = Command::new(env!("CARGO_BIN_EXE_svstat")).arg(root.at(service)).output().unwrap();
    String::from_utf8(svstat.stdout).unwrap()
}

// Shown by: on a bare root: setup, reboot stand-in, a service added by ln -s, logs appear; --remove leaves nothing behind.
#[test]
fn a_bare_host_boots_by_inittab_with_a_real_init() {
    let Some(root) = Root::bare() else { return };
    let table = "::sysinit:/bin/mkdir -p /root\n";
    root.write("/etc/inittab", table);

    // busybox's init reads the table that setup has written into.
    live(&root, &["/sbin/init"]);

    assert_eq!(root.read("/etc/inittab"), table);
}

#[test]
fn a_bare_host_boots_by_rc_local() {
    let Some(root) = Root::bare() else { return };

    // What a boot comes to on such a host: a process 1 that runs the script and collects orphans.
    live(&root, &["/bin/sh", "-c", "/etc/rc.local; while :; do sleep 1; done"]);
}

#[test]
fn a_debian_host_runs_a_service_and_removes_everything() {
    let Some(debian) = std::env::var_os(DEBIAN_ROOT) else {
        skipped(format_args!("{DEBIAN_ROOT} names no Debian root, so setup was tried on bare roots only"));
        return;
    };
    let Some(root) = Root::bare() else { return };
    // Debian's own directories take the place of the bare ones.
    for entry in fs::read_dir(root.path()).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    let copied = Command::new("cp").arg("-a").arg(Path::new(&debian).join(".")).arg(root.path()).status().unwrap();
    assert!(copied.success());

    // Whatever Debian boots with starts svscanboot in the end.
    live(&root, &["/bin/sh", "-c", "/command/svscanboot & while :; do sleep 1; done"]);
}
