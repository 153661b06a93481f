//! The qmail server of the article, end to end: Debian's tcpserver before a stand-in for qmail-popup, started as the
//! article starts it, moved from syslog to multilog, and then to a supervised service. A hundred sessions each, and every
//! line of tcpserver is in the log.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testkit::service_fixture::{Maker, ServiceFixture};
use testkit::{executable, peer, skipped, until};

use super::syslogd::Rsyslogd;

/// How many sessions there are, and how many at a time.
const SESSIONS: usize = 100;
const AT_A_TIME: usize = 5;

/// What tcpserver says: its port and its status at the start; then, of each session, its process, who it is, its end, and
/// the status before and after.
const LINES: usize = 2 + 5 * SESSIONS;

/// qmail-popup's place is taken by a script that greets and waits for QUIT.
const POPUP: &str = "printf '+OK <%s.1@%s>\\r\\n' \"$$\" \"$1\"
while read -r line; do
	case $line in QUIT*) printf '+OK\\r\\n'; exit 0 ;; *) printf -- '-ERR\\r\\n' ;; esac
done";

/// The server's command line, with what a test needs: a port that is free, which `-1` prints, and no questions to DNS.
const TCPSERVER: &str = "tcpserver -1 -v -R -H -l 0 127.0.0.1 0 ./qmail-popup pop.example.jp 2>&1";

/// A fixture with the stand-in in it; `None` where tcpserver is not installed.
fn fixture() -> Option<ServiceFixture> {
    peer("tcpserver")?;
    let fixture = ServiceFixture::new();
    fixture.script("qmail-popup", POPUP);
    Some(fixture)
}

/// Starts the rc script of the article with its log going through `logger`.
fn start_by_rc_script(fixture: &ServiceFixture, logger: &str, socket: &Path) {
    fixture.script("rc", &format!("case \"$1\" in\nstart)\n\t{TCPSERVER} \\\n\t\t| {logger} &\n\t;;\nesac"));
    let mut rc = fixture.command(fixture.path("rc"), &["start"]);
    rc.env("SPLOGGER_SOCKET", socket);
    assert!(rc.status().unwrap().success(), "the script comes back at once");
}

/// Holds all sessions; returns the ports at our end of them.
fn hold_sessions(port: u16) -> BTreeSet<u16> {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..AT_A_TIME)
            .map(|_| scope.spawn(|| (0..SESSIONS / AT_A_TIME).map(|_| session(port)).collect::<Vec<_>>()))
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

fn session(port: u16) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let own = stream.local_addr().unwrap().port();
    let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut answer = || answers.next().unwrap().unwrap();
    assert!(answer().starts_with("+OK <"), "the greeting");
    stream.write_all(b"QUIT\r\n").unwrap();
    assert_eq!(answer(), "+OK");
    own
}

/// Waits for the server, holds the sessions, and looks for each line. `log` reads the lines that have been logged by now,
/// as tcpserver wrote them.
fn all_is_logged(log: impl Fn() -> Vec<String>) {
    let port = || log().iter().find_map(|line| line.parse().ok());
    until("the server's port is in the log", || port().is_some());

    let clients = hold_sessions(port().unwrap());
    until("the last line is in the log", || log().len() >= LINES);

    let lines = log();
    assert_eq!(lines.len(), LINES, "{}", lines.join("\n"));
    let ours = |line: &&String| line.starts_with("tcpserver: ");
    assert_eq!(lines.iter().filter(ours).count(), LINES - 1, "all but the port");
    assert_eq!(lines.iter().filter(|line| line.starts_with("tcpserver: status: ")).count(), 1 + 2 * SESSIONS);
    let mut seen = BTreeSet::new();
    for line in lines.iter().filter(|line| line.starts_with("tcpserver: ok ")) {
        let process = line.split(' ').nth(2).unwrap();
        let count = |text: String| lines.iter().filter(|line| **line == text).count();
        assert!(count(format!("tcpserver: pid {process} from 127.0.0.1")) >= 1, "{line}");
        assert!(count(format!("tcpserver: end {process} status 0")) >= 1, "{line}");
        seen.insert(line.rsplit(':').next().unwrap().parse().unwrap());
    }
    assert_eq!(seen, clients, "every session is in the log under its port");
}

/// The lines of a log directory that has not been rotated, their moments left out.
fn logged(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("current")).unwrap_or_default();
    text.lines().map(|line| line.split_once(' ').unwrap_or_default().1.to_owned()).collect()
}

// The article, page 1: `2>&1 | /var/qmail/bin/splogger pop3d 3 &`
#[test]
fn the_server_of_the_article_logs_through_splogger() {
    let Some(fixture) = fixture() else { return };
    let Some(mut syslog) = Rsyslogd::installed() else { return };
    syslog.start();

    start_by_rc_script(&fixture, "splogger pop3d 3", &syslog.socket());

    all_is_logged(|| {
        let messages = syslog.messages();
        // `daemon.info<30> pop3d: 1018607882.966157 tcpserver: status: 0/40`
        let text = |message: &String| {
            let (head, text) = message.split_once(" pop3d: ")?;
            (head.starts_with("daemon.info")).then(|| text.split_once(' ').unwrap_or_default().1.to_owned())
        };
        messages.iter().filter_map(text).collect()
    });
}

#[test]
fn the_server_of_the_article_logs_through_multilog() {
    let Some(fixture) = fixture() else { return };

    start_by_rc_script(&fixture, "multilog t s1000000 n10 ./pop3d-log", Path::new(""));

    all_is_logged(|| logged(&fixture.path("pop3d-log")));
}

#[test]
fn the_server_of_the_article_runs_as_a_supervised_service() {
    let Some(fixture) = fixture() else { return };
    fs::create_dir_all(fixture.path("service")).unwrap();
    fixture.script("sv/pop3d/run", &format!("cd ../..\nexec {TCPSERVER}"));
    fs::create_dir_all(fixture.path("sv/pop3d/log/main")).unwrap();
    let main = fixture.path("sv/pop3d/log/main");
    if nix::unistd::geteuid().is_root() {
        // The log user reaches its directory and its program, wherever both are.
        fs::set_permissions(fixture.path("."), fs::Permissions::from_mode(0o755)).unwrap();
        executable::copy(&Maker::Ours.program("multilog"), &fixture.path("multilog"));
        std::os::unix::fs::chown(&main, Some(65534), Some(65534)).unwrap();
        fixture.script("sv/pop3d/log/run", "exec setuidgid nobody ../../../multilog t s1000000 n10 ./main");
    } else {
        skipped("only root can run the article's logger as another user");
        fixture.script("sv/pop3d/log/run", "exec multilog t s1000000 n10 ./main");
    }
    fixture.start("svscan.out", Maker::Ours, "svscan", &["service"]);

    std::os::unix::fs::symlink("../sv/pop3d", fixture.path("service/pop3d")).unwrap();

    all_is_logged(|| logged(&main));
    if nix::unistd::geteuid().is_root() {
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(main.join("current")).unwrap());
        assert_eq!(owner, 65534, "written by the log user");
    }
}
