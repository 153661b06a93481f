//! Kills at random moments, and two shippers of the same directory, with a local store.

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use testkit::logger::Running;

use crate::{Fixture, assert_says};

/// How often shippers are killed.
const KILLS: u32 = 25;

/// Kills shippers until so many were killed at work. Every second time, two shippers run at once.
fn ship_with_kills(
    fixture: &Fixture,
    arguments: &[&str],
    environment: &[(&str, &str)],
    kills: u32,
    mut within: Duration,
) {
    let (mut killed, mut round) = (0, 0);
    while killed < kills {
        let start = || {
            let mut command = fixture.command(arguments);
            command.envs(environment.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null());
            Running::start(&mut command)
        };
        let mut shippers: Vec<Running> = (0..1 + round % 2).map(|_| start()).collect();
        // Spread over a whole run, in an order that is not that of time.
        sleep(within.mul_f64(f64::from(round * 7 % kills) / f64::from(kills)));
        let alive: u32 = shippers.iter_mut().map(|shipper| u32::from(shipper.is_alive())).sum();
        shippers.into_iter().for_each(Running::kill);
        killed += alive;
        round += 1;
        if alive == 0 {
            // The store fills, and the machine may be faster than it was.
            within /= 2;
        }
    }
}

/// Kills shippers to a store, and checks that everything arrived once.
pub(crate) fn assert_exactly_once(fixture: &Fixture, store: &[&str], environment: &[(&str, &str)], kills: u32) {
    let services = ["mail", "web", "dns"];
    for service in services {
        fixture.archives(service, 16, 400);
    }
    let logs = ["mail/log/main", "web/log/main", "dns/log/main"];
    let with = |command: &[&str]| {
        [command, &store[1..], &logs, &store[..1]].concat().iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    let run = |command: &[&str]| {
        let words = with(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        fixture.command(&words).envs(environment.iter().copied()).output().unwrap()
    };
    // How long a run takes that finds nothing there, in another place.
    let start = Instant::now();
    let trial: Vec<String> = with(&["ship", "--once", "--host", "h1"]);
    let trial: Vec<String> =
        trial.into_iter().map(|word| if word == store[0] { format!("{word}-trial") } else { word }).collect();
    let words: Vec<&str> = trial.iter().map(String::as_str).collect();
    assert_says(&fixture.command(&words).envs(environment.iter().copied()).output().unwrap(), 0, "48 archives shipped");
    let whole = start.elapsed();

    let words = with(&["ship", "--once", "--host", "h1"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // Early in a run, so that many kills meet a store that is not full.
    ship_with_kills(fixture, &words, environment, kills, whole / 4);

    assert_says(&run(&["ship", "--once"]), 0, "0 failed, 0 lost");
    assert_says(
        &run(&["verify", "--content"]),
        0,
        "48 archives (19200 lines) are in the store, 0 are missing, 0 differ",
    );
}

#[test]
fn everything_is_in_the_store_once_whenever_shippers_are_killed() {
    let fixture = Fixture::new();
    let url = fixture.url();

    assert_exactly_once(&fixture, &[&url], &[], KILLS);

    let names: Vec<String> = fixture.objects().into_keys().collect();
    assert_eq!(names.len(), 48, "an object for each archive and no other name: {names:#?}");
    for service in ["mail", "web", "dns"] {
        testkit::assert_same(fixture.get(service), fixture.joined(service));
    }
}

#[test]
fn two_shippers_at_once_ship_each_archive_once() {
    let fixture = Fixture::new();
    fixture.archives("mail", 20, 100);
    let url = fixture.url();
    let arguments = ["ship", "--once", "--host", "h1", "mail/log/main", &url];
    let start = || fixture.command(&arguments).stderr(Stdio::piped()).spawn().unwrap();

    let shippers: Vec<_> = (0..4).map(|_| start()).collect();

    let outputs: Vec<_> = shippers.into_iter().map(|shipper| shipper.wait_with_output().unwrap()).collect();
    let shipped: u32 = outputs
        .iter()
        .map(|output| {
            assert_says(output, 0, "0 failed, 0 lost");
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            words.lines().last().unwrap().split(' ').nth(1).unwrap().parse::<u32>().unwrap()
        })
        .sum();
    assert_eq!(shipped, 20, "each was created by one of them");
    assert_eq!(fixture.objects().len(), 20);
    testkit::assert_same(fixture.get("mail"), fixture.joined("mail"));
}
