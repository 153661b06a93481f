//! Messages survive the end of every process that they pass through.
//!
//! Senders number their messages. Meanwhile the reader, its supervisor, svscan and multilog are killed. Afterwards each
//! number must be in the log directory once, and in order.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::service_fixture::{ServiceFixture, kill_by_id};
use testkit::until;

use crate::receiver::SOCKLOG;

const SENDERS: usize = 8;

/// The service `sv/log`, which reads `socket` and logs to `sv/log/log/main`.
pub(crate) fn service(options: &str) -> ServiceFixture {
    let fixture = ServiceFixture::new();
    fs::create_dir_all(fixture.path("sv/log/log")).unwrap();
    fixture.script("sv/log/run", &format!("exec {SOCKLOG} {options} unix {}", socket(&fixture).display()));
    fixture.script("sv/log/log/run", "exec multilog s1000000 n1000 ./main");
    fixture.svscan("sv");
    until("the socket is kept", || is_kept(&fixture, 2));
    fixture
}

pub(crate) fn socket(fixture: &ServiceFixture) -> PathBuf {
    fixture.path("socket")
}

/// Whether the supervisor that runs keeps so many descriptors, and all that are in its list.
pub(crate) fn is_kept(fixture: &ServiceFixture, count: usize) -> bool {
    let [supervisor] = fixture.processes_of("supervise log")[..] else { return false };
    let open = fs::read_dir(format!("/proc/{supervisor}/fd")).into_iter().flatten().flatten();
    let open: Vec<u64> = open.filter_map(|entry| Some(fs::metadata(entry.path()).ok()?.ino())).collect();
    let list = fixture.read("sv/log/supervise/stored");
    let stored = list.lines().filter_map(|line| line.split(' ').nth(1)?.parse::<u64>().ok());
    let stored: Vec<u64> = stored.collect();
    stored.len() >= count && stored.iter().all(|inode| open.contains(inode))
}

/// Everything that was logged, in order.
pub(crate) fn logged(fixture: &ServiceFixture) -> Vec<u8> {
    let main = fixture.path("sv/log/log/main");
    let names = fs::read_dir(&main).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut archives: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with('@')).collect();
    archives.sort();
    let files = archives.iter().map(PathBuf::from).chain(["previous".into(), "current".into()]);
    files.flat_map(|file| fs::read(main.join(file)).unwrap_or_default()).collect()
}

/// Sends numbered messages at full speed, but only as many as belong to the kills so far, `every` of them to each: the reader
/// is always killed under load.
fn send(socket: &Path, sender: usize, count: u64, every: u64, kills: &AtomicU64) {
    let connection = UnixDatagram::unbound().unwrap();
    connection.connect(socket).unwrap();
    for number in 0..count {
        while number >= (kills.load(Ordering::Relaxed) + 1) * every {
            thread::sleep(Duration::from_micros(200));
        }
        connection.send(format!("<13>sender {sender} message {number}").as_bytes()).unwrap();
    }
}

/// Fails unless each sender's numbers are there once and in order.
#[track_caller]
fn verify(logged: &[u8], count: u64) {
    let mut next = [0_u64; SENDERS];
    let mut wrong = Vec::new();
    for line in logged.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let text = String::from_utf8_lossy(line);
        let numbers = text.strip_prefix("user.notice: sender ").and_then(|rest| {
            let (sender, number) = rest.split_once(" message ")?;
            Some((sender.parse::<usize>().ok()?, number.parse::<u64>().ok()?))
        });
        match numbers {
            Some((sender, number)) if next[sender] == number => next[sender] += 1,
            Some((sender, number)) => {
                wrong.push(format!("sender {sender}: {number} and not {}", next[sender]));
                next[sender] = number + 1;
            }
            None => wrong.push(format!("torn: {text}")),
        }
    }
    assert!(wrong.is_empty(), "{} wrong, the first: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
    assert_eq!(next, [count; SENDERS], "all are there");
}

/// The only process of a command, once there is one.
fn process(fixture: &ServiceFixture, command: &str) -> i32 {
    let mut found = 0;
    until(&format!("{command} runs"), || {
        let all = fixture.processes_of(command);
        found = all.first().copied().unwrap_or(0);
        all.len() == 1
    });
    found
}

/// Waits until another process of a command runs than the one that was killed.
fn successor(fixture: &ServiceFixture, command: &str, killed: i32) {
    until(&format!("another {command} runs"), || process(fixture, command) != killed);
}

/// Sends `count` messages from each sender while processes are killed, the reader at least `reader_kills` times.
fn torture(count: u64, reader_kills: usize) {
    let fixture = service("");
    let socket = socket(&fixture);
    let reader = format!("{SOCKLOG} unix {}", socket.display());
    let (mut kills, start) = ([0_usize; 4], Instant::now());
    let (every, kills_so_far) = (count.div_ceil(reader_kills as u64 + 1), AtomicU64::new(0));
    thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (socket, kills) = (&socket, &kills_so_far);
                scope.spawn(move || send(socket, sender, count, every, kills))
            })
            .collect();
        for round in 1.. {
            if kills[0] >= reader_kills || senders.iter().all(thread::ScopedJoinHandle::is_finished) {
                break;
            }
            // Not always at the same moment of a batch.
            thread::sleep(Duration::from_micros(500 + 7_919 * round % 20_000));
            let killed = process(&fixture, &reader);
            kill_by_id(killed);
            kills[0] += 1;
            kills_so_far.fetch_add(1, Ordering::Relaxed);
            if round % 4 == 1 {
                kill_by_id(process(&fixture, "multilog s1000000 n1000 ./main"));
                kills[1] += 1;
            }
            if round % 4 == 2 {
                // When both are gone, so is the socket.
                successor(&fixture, &reader, killed);
                let killed = process(&fixture, "supervise log");
                kill_by_id(killed);
                successor(&fixture, "supervise log", killed);
                kills[2] += 1;
                until("the next supervisor has the socket", || is_kept(&fixture, 2));
            }
            if round % 4 == 3 {
                kill_by_id(process(&fixture, "svscan sv"));
                kills[3] += 1;
                fixture.svscan("sv");
            }
            successor(&fixture, &reader, killed);
        }
    });
    let last = format!("message {}\n", count - 1);
    until("everything is logged", || {
        let logged = String::from_utf8_lossy(&logged(&fixture)).into_owned();
        logged.matches(&last).count() >= SENDERS
    });
    verify(&logged(&fixture), count);
    assert_eq!(kills[0], reader_kills, "the reader was killed while messages came");
    let [readers, multilogs, supervisors, svscans] = kills;
    testkit::report(format_args!(
        "{} messages from {SENDERS} senders in {:?}: reader killed {readers} times, multilog {multilogs}, supervise \
         {supervisors}, svscan {svscans}: each once and in order",
        count * SENDERS as u64,
        start.elapsed()
    ));
}

#[test]
fn no_kill_loses_or_doubles_a_message() {
    torture(20_000, 12);
}

#[test]
#[ignore = "some minutes: .ci/torture runs it"]
fn torture_no_kill_loses_or_doubles_one_of_a_million_messages() {
    torture(125_000, 100);
}
