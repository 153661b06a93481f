//! Every letter in every state, given by 0.76's svc and by ours, to 0.76's supervise and to ours.

use std::fs;
use std::thread;

use testkit::service_fixture::{Maker, ServiceFixture, masked};
use testkit::until;

/// The letters of 0.76.
const LETTERS: [char; 11] = ['u', 'd', 'o', 'x', 'p', 'c', 'h', 'a', 'i', 't', 'k'];

/// How a service is brought into a state, and what 0.76's svstat says of it then.
const STATES: [(&str, &[&str], &str, [u8; 2]); 4] = [
    ("up", &[], "up (pid N) N seconds", [0, b'u']),
    ("down", &["-d"], "down N seconds, normally up", [0, b'd']),
    ("once", &["-o"], "up (pid N) N seconds", [0, 0]),
    ("paused", &["-p"], "up (pid N) N seconds, paused", [1, b'u']),
];

/// What a letter leads to: the line of svstat, the last two bytes of the status, and whether the process is another one.
/// `None` for the line: the supervisor has left.
fn outcome(state: &str, letter: char) -> (Option<&'static str>, [u8; 2], bool) {
    let (_, _, line, [paused, want]) = *STATES.iter().find(|(name, ..)| *name == state).unwrap();
    let up = Some("up (pid N) N seconds");
    let up_paused = Some("up (pid N) N seconds, paused");
    let down = Some("down N seconds, normally up");
    let is_up = line.starts_with("up");
    match (letter, is_up) {
        ('u', true) if paused == 1 => (up_paused, [1, b'u'], false),
        ('u', true) => (up, [0, b'u'], false),
        ('u', false) => (up, [0, b'u'], true),
        ('d', true) => (down, [0, b'd'], true),
        ('d', false) => (down, [0, b'd'], false),
        ('o', true) if paused == 1 => (up_paused, [1, 0], false),
        ('o', true) => (up, [0, 0], false),
        ('o', false) => (up, [0, 0], true),
        ('x', true) => (if paused == 1 { up_paused } else { up }, [paused, want], false),
        ('x', false) => (None, [0, b'd'], false),
        ('p', true) => (up_paused, [1, want], false),
        ('p', false) => (down, [0, b'd'], false),
        ('c', true) => (up, [0, want], false),
        ('c', false) => (down, [0, b'd'], false),
        // The signals end the service, except that a stopped one notices only KILL.
        ('k', true) if want == 0 => (Some("down N seconds, normally up"), [0, 0], true),
        ('k', true) => (up, [0, b'u'], true),
        (_, true) if paused == 1 => (up_paused, [1, want], false),
        (_, true) if want == 0 => (Some("down N seconds, normally up"), [0, 0], true),
        (_, true) => (up, [0, b'u'], true),
        (_, false) => (Some(line), [paused, want], false),
    }
}

fn check(steering: Maker, steered: Maker) {
    if !steering.is_here() || !steered.is_here() {
        return;
    }
    let fixture = ServiceFixture::new();
    let cases: Vec<(usize, &str, char)> = STATES
        .iter()
        .flat_map(|(state, ..)| LETTERS.map(|letter| (*state, letter)))
        .enumerate()
        .map(|(number, (state, letter))| (number, state, letter))
        .collect();
    for (number, ..) in &cases {
        fixture.script(&format!("sv/{number}/run"), "exec sleep 1000");
        fixture.start("out", steered, "supervise", &[&format!("sv/{number}")]);
    }
    let stat = |dir: &str| masked(String::from_utf8_lossy(&fixture.run(steering, "svstat", &[dir]).stdout).trim_end());
    let bytes = |dir: &str| fs::read(fixture.path(dir).join("supervise/status")).map(|status| [status[16], status[17]]);
    let is = |dir: &str, line: Option<&str>, last: [u8; 2]| {
        let expected = line.map_or(format!("{dir}: supervise not running"), |line| format!("{dir}: {line}"));
        stat(dir) == expected && bytes(dir).is_ok_and(|found| found == last)
    };
    for (number, ..) in &cases {
        let dir = format!("sv/{number}");
        until(&format!("{dir} is up"), || is(&dir, Some("up (pid N) N seconds"), [0, b'u']));
    }
    for (number, state, _) in &cases {
        let (_, letters, ..) = STATES.iter().find(|(name, ..)| name == state).unwrap();
        for letter in *letters {
            fixture.run(steering, "svc", &[letter, &format!("sv/{number}")]);
        }
    }
    let mut before = Vec::new();
    for (number, state, _) in &cases {
        let (_, _, line, last) = STATES.iter().find(|(name, ..)| name == state).unwrap();
        let dir = format!("sv/{number}");
        until(&format!("{dir} is {state}: {} {:?}", stat(&dir), bytes(&dir)), || is(&dir, Some(line), *last));
        before.push(fixture.pid(&dir));
    }
    for (number, _, letter) in &cases {
        let output = fixture.run(steering, "svc", &[&format!("-{letter}"), &format!("sv/{number}")]);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    for ((number, state, letter), before) in cases.iter().zip(before) {
        let dir = format!("sv/{number}");
        let (line, last, is_another) = outcome(state, *letter);
        let what = format!("{letter} while {state}, {steering:?} steering {steered:?}");
        until(&format!("{what}: {} {:?}", stat(&dir), bytes(&dir)), || {
            is(&dir, line, last) && (fixture.pid(&dir) != before) == is_another
        });
        let expected = if line.is_some() { 0 } else { 100 };
        assert_eq!(fixture.run(steering, "svok", &[&dir]).status.code(), Some(expected), "{what}");
    }
}

#[test]
fn every_letter_in_every_state_works_between_ours_and_0_76() {
    let makers = [Maker::Ours, Maker::Theirs];
    thread::scope(|scope| {
        for steering in makers {
            for steered in makers {
                scope.spawn(move || check(steering, steered));
            }
        }
    });
}

#[test]
fn the_new_letters_send_their_signals() {
    let fixture = ServiceFixture::new();
    fixture.script(
        "sv/a/run",
        "for signal in USR1 USR2 QUIT WINCH; do trap \"echo $signal >>got\" $signal; done; echo ready >got
         while :; do sleep 0.05; done",
    );
    fixture.supervise("sv/a");
    until("the traps are set", || fixture.read("sv/a/got") == "ready\n");

    for (letter, signal) in [("-1", "USR1"), ("-2", "USR2"), ("-q", "QUIT"), ("-w", "WINCH")] {
        fixture.svc(&[letter, "sv/a"]);
        until(signal, || fixture.read("sv/a/got").ends_with(&format!("{signal}\n")));
    }
}

#[test]
fn letters_are_obeyed_in_the_order_given() {
    let fixture = ServiceFixture::with_service("echo x >>starts; exec sleep 1000");
    let supervise = fixture.supervise("sv/a");
    until("it runs", || fixture.read("sv/a/starts") == "x\n");

    fixture.svc(&["-pcdx", "sv/a"]);

    assert_eq!(fixture.wait(supervise), Some(0));
    assert_eq!(fixture.read("sv/a/starts"), "x\n");
}

#[test]
fn a_service_that_waits_for_its_restart_obeys_at_once() {
    let fixture = ServiceFixture::with_service("echo x >>starts; exit 1");
    fixture.write("sv/a/restart-delay-max", "1000\n");
    fixture.supervise("sv/a");
    let is_down = || masked(&fixture.stat("sv/a")).starts_with("sv/a: down N seconds");
    until("it waits", || fixture.read("sv/a/starts") == "x\nx\nx\n" && is_down());

    // The next start would be in four seconds; those that are asked for are not put off.
    for starts in 4..10 {
        fixture.svc(&["-u", "sv/a"]);
        // While it runs, the letter would mean nothing.
        let is_started = || fixture.read("sv/a/starts").lines().count() >= starts;
        until("it was started again and has ended", || is_started() && is_down());
    }
    fixture.svc(&["-d", "sv/a"]);
    until("it is down for good", || masked(&fixture.stat("sv/a")) == "sv/a: down N seconds, normally up");
}
