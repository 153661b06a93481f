//! `host:/path`: over Debian's sshd on the loopback interface, and with commands in the place of ssh.

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use logyard::sys::signal::Signal;

use super::follow::{follower, text};
use super::{lines, log_directory, printed, readlog, run, second, ten_seconds_each};
use testkit::logger::Running;
use testkit::{Workdir, assert_same, skipped, tool, until};

/// Names that a shell would not leave as they are.
const NAMES: [&str; 8] = [
    "plain",
    "with space",
    "it's",
    "double\"quote",
    "$(touch planted)",
    "new\nline",
    "back\\slash `x`",
    "-o ProxyCommand=x;&|<>*?~#!",
];

/// A program in the directory `bin`.
fn program(dir: &Workdir, name: &str, script: &str) {
    std::fs::create_dir_all(dir.join("bin")).unwrap();
    let path = dir.join("bin").join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// A command in the place of ssh that runs the last argument in a shell, where readlog is the one that is tested.
fn stand_in(dir: &Workdir, before: &str) -> String {
    let readlog = Path::new(env!("CARGO_BIN_EXE_readlog")).parent().unwrap().display().to_string();
    program(dir, "ssh", &format!("{before}\nfor last; do :; done\nPATH='{readlog}':$PATH exec /bin/sh -c \"$last\""));
    dir.join("bin/ssh").display().to_string()
}

fn shown(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// An sshd of its own, at which the hosts `h1` to `h20` arrive. Nobody listens at the host `down`.
struct Sshd {
    _server: Running,
    ssh: String,
}

impl Sshd {
    fn start(dir: &Workdir) -> Option<Sshd> {
        let (sshd, keygen, ssh) = (tool("sshd")?, tool("ssh-keygen")?, tool("ssh")?);
        let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(dir.path()).unwrap()) == 0;
        if is_root && std::fs::create_dir_all("/run/sshd").is_err() {
            skipped("sshd has no /run/sshd here, so no host was logged in at");
            return None;
        }
        for key in ["host-key", "user-key"] {
            let key = Command::new(&keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.join(key)).status();
            assert!(key.unwrap().success());
        }
        // What the remote readlog prints is kept, to be counted.
        let real = env!("CARGO_BIN_EXE_readlog");
        let at = dir.path().display();
        program(
            dir,
            "readlog",
            &format!(
                "case \" $* \" in *' --follow '*) exec '{real}' \"$@\";; esac\n\
                 '{real}' \"$@\" >'{at}'/sent.$$; code=$?; cat '{at}'/sent.$$; exit $code"
            ),
        );
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // With the user's HOME the shell would run the user's start-up files. By default sshd refuses some of more than 10
        // connections that are not yet authenticated.
        let server = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host-key\nAuthorizedKeysFile {at}/user-key.pub\n\
             StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nMaxStartups 100\n\
             SetEnv HOME={at} PATH={at}/bin:/usr/bin:/bin TZ=Asia/Tokyo\n"
        );
        let client = format!(
            "Host h*\n HostName 127.0.0.1\n Port {port}\nHost down\n HostName 127.0.0.1\n Port 1\nHost *\n\
             IdentityFile {at}/user-key\n IdentitiesOnly yes\n BatchMode yes\n StrictHostKeyChecking no\n\
             UserKnownHostsFile {at}/known-hosts\n LogLevel ERROR\n"
        );
        std::fs::write(dir.join("sshd.conf"), server).unwrap();
        std::fs::write(dir.join("ssh.conf"), client).unwrap();
        let log = File::create(dir.join("sshd.log")).unwrap();
        let mut command = Command::new(sshd);
        command.arg("-D").arg("-e").arg("-f").arg(dir.join("sshd.conf")).stdin(Stdio::null()).stderr(log);
        let mut server = Running::start(&mut command);
        until("sshd listens", || text(dir, "sshd.log").contains("Server listening") || !server.is_alive());
        let trial = Command::new(ssh).arg("-F").arg(dir.join("ssh.conf")).args(["h1", "true"]).output().unwrap();
        if !trial.status.success() {
            skipped(format_args!("sshd lets nobody in here, so no host was logged in at: {trial:?}"));
            return None;
        }
        Some(Sshd { _server: server, ssh: format!("ssh -F '{at}/ssh.conf'") })
    }
}

/// Something of each kind: `log NAME` with lines of one a second, beginning with second `first`, every `step` seconds.
fn write_log(dir: &Workdir, name: &str, first: u64, step: u64, count: u64) -> Vec<(u64, String)> {
    let lines: Vec<(u64, String)> = (0..count)
        .map(|i| {
            (first + i * step, if i % 3 == 0 { format!("wanted {i} of {}", name.len()) } else { format!("other {i}") })
        })
        .collect();
    let text: String = lines.iter().map(|(at, line)| format!("{} {line}\n", second(*at))).collect();
    log_directory(dir, name, &[("current", text.as_bytes())]);
    lines
}

#[test]
fn twenty_hosts_are_merged_and_only_what_matches_travels() {
    let dir = Workdir::new();
    let Some(sshd) = Sshd::start(&dir) else { return };
    let mut arguments: Vec<std::ffi::OsString> =
        ["--ssh", &sshd.ssh, "-o", "tai64n", "-g", "wanted"].map(Into::into).into();
    let mut expected: Vec<(u64, usize, String)> = Vec::new();
    for host in 0..20 {
        let name = format!("logs/{host} {}", NAMES[host % NAMES.len()]);
        let lines = write_log(&dir, &name, host as u64, 20, 60);
        expected
            .extend(lines.into_iter().filter(|(_, line)| line.contains("wanted")).map(|(at, line)| (at, host, line)));
        arguments.push(format!("h{}:{}", host + 1, dir.join(name).display()).into());
    }
    expected.sort();

    let output = run(dir.path(), &arguments);

    let (code, found, messages) = shown(&output);
    assert_eq!((code, &messages[..]), (Some(0), ""));
    let expected: String = expected.iter().map(|(at, _, line)| format!("{} {line}\n", second(*at))).collect();
    assert_same(&found, &expected);
    let sent: u64 = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().as_bytes().starts_with(b"sent."))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    assert_eq!(sent, expected.len() as u64, "the bytes of the matching lines, and no other");
    assert!(!dir.join("planted").exists() && !dir.join("logs/planted").exists());
}

#[test]
fn a_host_that_is_down_is_named_and_the_others_go_on() {
    let dir = Workdir::new();
    let Some(sshd) = Sshd::start(&dir) else { return };
    ten_seconds_each(&dir, "svc/log/main", 1);
    let at = dir.path().display();

    let hosts = [format!("down:{at}/svc"), format!("h1:{at}/svc"), format!("h2:{at}/nothing")];
    let output = run(
        dir.path(),
        &[&["--ssh", &sshd.ssh, "-o", "cat", "--service=always", "-n2"], &hosts.each_ref().map(|host| &host[..])[..]]
            .concat(),
    );

    let (code, found, messages) = shown(&output);
    assert_eq!((code, &found[..]), (Some(1), "h1:svc     line 18\nh1:svc     line 19\n"));
    assert!(messages.contains("readlog: warning: down: ssh: connect to host "), "{messages}");
    assert!(
        messages.contains(&format!("readlog: warning: unable to read down:{at}/svc: ssh failed (exit code 255)\n"))
    );
    assert!(
        messages
            .contains(&format!("readlog: warning: h2: unable to open directory {at}/nothing: file does not exist\n"))
    );
    assert_eq!(messages.lines().count(), 3, "{messages}");

    std::fs::remove_file(dir.join("bin/readlog")).unwrap();
    let (code, _, messages) = shown(&run(dir.path(), &["--ssh", &sshd.ssh, &hosts[1]]));
    assert_eq!(code, Some(1));
    assert!(messages.ends_with("no readlog in the PATH of that host (exit code 127)\n"), "{messages}");
}

#[test]
fn hosts_are_followed_and_their_readers_end_with_this_one() {
    let dir = Workdir::new();
    let Some(sshd) = Sshd::start(&dir) else { return };
    let at = dir.path().display().to_string();
    for (name, first) in [("one", 0), ("two", 1), ("here", 2)] {
        let text: String = (0..5).map(|i| format!("{} {name} {i}\n", second(first + 3 * i))).collect();
        log_directory(&dir, name, &[("current", text.as_bytes())]);
    }
    let expected = |from: u64, to: u64| -> String {
        (from..to).map(|i| format!("{} {}\n", ["one", "two", "here"][i as usize % 3], i / 3)).collect()
    };
    for lines in [None, Some(4)] {
        let _ = std::fs::remove_file(dir.join("out"));
        let number = lines.map(|lines| format!("-n{lines}"));
        let mut arguments = vec!["-f", "--ssh", &sshd.ssh, "-o", "cat"];
        arguments.extend(number.as_deref());
        let hosts = [format!("h1:{at}/one"), format!("h2:{at}/two")];
        arguments.extend([&hosts[0][..], &hosts[1], "here"]);
        let mut reader = follower(&dir, &arguments);
        let was_there = expected(lines.map_or(0, |lines| 15 - lines), 15);
        until("what was there was printed", || text(&dir, "out") == was_there);

        // The later lines first: another host's earlier ones come a moment after them.
        for (name, which) in [("here", 2), ("two", 1), ("one", 0)] {
            let line = format!("{} {name} 5\n", second(15 + which));
            File::options()
                .append(true)
                .open(dir.join(name).join("current"))
                .unwrap()
                .write_all(line.as_bytes())
                .unwrap();
        }

        until("what is new was printed", || text(&dir, "out").len() == was_there.len() + expected(15, 18).len());
        assert_eq!(text(&dir, "out"), was_there + &expected(15, 18));
        // With kill -9 nothing can be done at the end: the other ends notice.
        reader.signal(if lines.is_some() { Signal::SIGKILL } else { Signal::SIGINT });
        let code = reader.end().code();
        assert_eq!(code, lines.is_none().then_some(130));
        until("the readers have ended", || readers_of(&at) == 0);
        for name in ["one", "two", "here"] {
            let path = dir.join(name).join("current");
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text.lines().take(5).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        }
    }
    assert_eq!(words_of_readlog(&text(&dir, "err")), Vec::<&str>::new());
}

/// What readlog said, here or at a host. The start-up files of the account's shell may print something too: that comes with the
/// host's name before it.
fn words_of_readlog(said: &str) -> Vec<&str> {
    let is_of_shell = |line: &str| {
        let rest = line.strip_prefix("readlog: warning: ").and_then(|rest| rest.split_once(": "));
        rest.is_some_and(|(host, words)| ["h0", "h1", "h2"].contains(&host) && !words.starts_with("readlog"))
    };
    said.lines().filter(|line| !is_of_shell(line)).collect()
}

/// How many processes read below a directory.
fn readers_of(directory: &str) -> usize {
    let is_reader = |command: &[u8]| {
        let command = String::from_utf8_lossy(command);
        command.contains("--announce") && command.contains(directory)
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .filter(|command| is_reader(command))
        .count()
}

#[test]
fn what_is_no_host_is_refused_or_on_this_one() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "a:b", 1);

    assert_eq!(printed(&dir, &["--ssh", "false", "-o", "tai64n", "a:b"]), lines(0, 20));
    assert_eq!(printed(&dir, &["--ssh", "false", "-o", "tai64n", "./a:b"]), lines(0, 20));
    for host in ["-oProxyCommand=touch planted:/x", "me@-x:/x", "a b:/x", "$(touch planted):/x", ":/x", "web1:"] {
        let (code, found, messages) = shown(&run(dir.path(), &["--ssh", "touch planted", "--", host]));

        assert_eq!((code, &found[..]), (Some(100), ""), "{host}: {messages}");
    }
    for options in [&["--cursor", "seen"][..], &["-g", "x", "-C1", "-n"], &["--ssh", "'"], &["--ssh", ""]] {
        let (code, _, messages) = shown(&run(dir.path(), &[options, &["web1:/x"]].concat()));

        assert_eq!(code, Some(100), "{options:?}: {messages}");
    }
    assert!(!dir.join("planted").exists());
}

#[test]
fn ssh_gets_the_host_behind_two_hyphens_and_one_quoted_command() {
    let dir = Workdir::new();
    program(&dir, "ssh", &format!("for word; do printf '%s\\0' \"$word\" >>'{}'/words; done", dir.path().display()));
    let ssh = format!("'{}' -p 22 -o 'A b'", dir.join("bin/ssh").display());

    let arguments = ["--ssh", &ssh, "-S", "@1790000000", "-g", "it's; x", "me@[::1]:/a 'b' $(c)\nd"];
    let _ = run(dir.path(), &arguments);

    let words = std::fs::read_to_string(dir.join("words")).unwrap();
    let words: Vec<&str> = words.split_terminator('\0').collect();
    let [before @ .., command] = &words[..] else { panic!("{words:?}") };
    assert_eq!(before, ["-p", "22", "-o", "A b", "--", "me@::1"]);
    // A shell reads the words that were meant.
    let said =
        Command::new("/bin/sh").arg("-c").arg(command.replacen("exec readlog", "printf '%s\\0'", 1)).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let said: Vec<&str> = said.split_terminator('\0').collect();
    assert!(said.contains(&"--grep=it's; x") && said.contains(&&format!("--since={}", second(0))[..]), "{said:?}");
    assert_eq!(said[said.len() - 2..], ["--", "/a 'b' $(c)\nd"]);
}

#[test]
fn the_last_lines_of_all_hosts_are_the_last_of_each_merged() {
    let dir = Workdir::new();
    let ssh = stand_in(&dir, "");
    let at = dir.path().display().to_string();
    let here = ["one", "two", "three"];
    for (i, name) in here.iter().enumerate() {
        let text: String =
            (0..20).map(|line| format!("{} {name} {line}\n trace\n", second(3 * line + i as u64))).collect();
        log_directory(&dir, name, &[("current", text.as_bytes())]);
    }
    let hosts = here.map(|name| format!("{name}:{at}/{name}"));
    let hosts: Vec<&str> = hosts.iter().map(|host| &host[..]).collect();
    for options in [
        &[][..],
        &["-n", "7"],
        &["-n", "0"],
        &["-n", "1"],
        &["-r"],
        &["-r", "-n", "7"],
        &["-r", "-n", "8"],
        &["-g", " 1[0-9]$"],
        &["-v", "-g", "TWO"],
        &["-sv", "-g", "TWO", "-n", "9"],
        &["-S", "2026-09-21 14:13:30", "-U", "2026-09-21 14:13:35"],
        &["--histogram=10s"],
    ] {
        let arguments = [&["--ssh", &ssh, "--service=never"], options].concat();
        let over_ssh = run(dir.path(), &[&arguments[..], &hosts].concat());
        let local = run(dir.path(), &[&arguments[..], &here].concat());

        assert_eq!(shown(&over_ssh), shown(&local), "{options:?}");
        let mixed = run(dir.path(), &[&arguments[..], &[hosts[0], here[1], hosts[2]]].concat());
        assert_eq!(shown(&mixed), shown(&local), "{options:?}, one of them here");
    }
    let context = run(dir.path(), &["--ssh", &ssh, "-o", "cat", "-g", "one (3|9)$", "-A", "1", hosts[0]]);
    assert_eq!(shown(&context).1, "one 3\n trace\none 4\n trace\none 9\n trace\none 10\n trace\n");
}

#[test]
fn at_most_eight_hosts_are_logged_in_at_the_same_time() {
    let dir = Workdir::new();
    let at = dir.path().display().to_string();
    // A login takes until the test says so.
    let ssh = stand_in(&dir, &format!("touch '{at}'/login.$$; while [ ! -e '{at}'/go ]; do sleep 0.01; done"));
    log_directory(&dir, "main", &[("current", lines(0, 2).as_bytes())]);
    let logins = || {
        let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.as_bytes().starts_with(b"login.")).count()
    };
    let hosts: Vec<String> = (0..20).map(|host| format!("h{host}:{at}/main")).collect();
    let mut arguments = vec!["--ssh", &ssh, "-o", "cat"];
    arguments.extend(hosts.iter().map(|host| &host[..]));
    let mut reader = follower(&dir, &arguments);

    until("eight logins have begun", || logins() == 8);
    // A ninth would have begun with them; the time can only hide a fault, never make one.
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(logins(), 8);
    std::fs::write(dir.join("go"), "").unwrap();

    assert!(reader.end().success(), "{}", text(&dir, "err"));
    assert_eq!(logins(), 20);
    assert_eq!(text(&dir, "out"), "line 0\n".repeat(20) + &"line 1\n".repeat(20));
}

#[test]
fn what_a_host_says_is_made_visible_and_never_obeyed() {
    let dir = Workdir::new();
    program(
        &dir,
        "ssh",
        "printf 'readlog: begun\\n\\033]0;title\\007\\377 hello\\n' >&2; printf '%s \\033[2Jtext' '@400000006ab13c8a00000000'",
    );

    let ssh = dir.join("bin/ssh").display().to_string();
    let output = run(dir.path(), &["--ssh", &ssh, "-o", "json", "--output-fields=service,message", "h1:/x\x1b[1m"]);

    let (code, found, messages) = shown(&output);
    assert_eq!(code, Some(0));
    assert_eq!(messages, "readlog: warning: h1: \\x1b]0;title\\x07\\xff hello\n");
    assert_eq!(
        found, "{\"service\":\"h1:x\\u001b[1m\",\"message\":\"\\u001b[2Jtext\"}\n",
        "a line without a newline gets one"
    );
}

#[test]
fn the_environment_names_the_command_too() {
    let dir = Workdir::new();
    let ssh = stand_in(&dir, "");
    log_directory(&dir, "main", &[("current", lines(0, 2).as_bytes())]);
    let host = format!("h1:{}/main", dir.path().display());

    let output = readlog(dir.path(), &["-o", "tai64n", &host]).env("LOGYARD_SSH", &ssh).output().unwrap();
    assert_eq!(shown(&output), (Some(0), lines(0, 2), String::new()));
    let output =
        readlog(dir.path(), &["--ssh", &ssh, "-o", "tai64n", &host]).env("LOGYARD_SSH", "false").output().unwrap();
    assert_eq!(shown(&output), (Some(0), lines(0, 2), String::new()), "the option goes first");

    let output = run(dir.path(), &["--ssh", "no-such-ssh", &host]);
    let complaint = format!("readlog: warning: unable to read {host}: no-such-ssh: file does not exist\n");
    assert_eq!(shown(&output), (Some(1), String::new(), complaint));
}
