//! Two hosts with three services each, whose shippers are killed at random moments: DuckDB compares every line with its source.

use std::process::Stdio;
use std::thread::sleep;
use std::time::Instant;

use testkit::logger::Running;

use crate::python::{self, CREDENTIALS, Moto};
use crate::{Fixture, assert_says};

const HOSTS: [&str; 2] = ["h1", "h2"];
const SERVICES: [&str; 3] = ["mail", "web", "dns"];
/// Six directories: 50 archives.
const ARCHIVES: [u64; 6] = [9, 9, 8, 8, 8, 8];
const LINES: u64 = 200;
/// A run is killed within this part of the time that it takes when nothing is in the store.
const KILLED_WITHIN: f64 = 0.8;

/// Where the shippers of a test ship to.
enum Target {
    Directory,
    S3(Moto),
}

impl Target {
    /// The store of a round, and what the comparison calls it.
    fn of_round(&self, fixture: &Fixture, round: u32) -> (Vec<String>, String) {
        match self {
            Target::Directory => {
                let path = fixture.workdir.join(format!("store{round}")).display().to_string();
                (vec![format!("file://{path}")], path)
            }
            Target::S3(moto) => {
                let url = moto.url();
                let store = vec![format!("s3://logs/raw{round}"), "--endpoint".to_owned(), url.clone()];
                (store, format!("{url}/logs/raw{round}"))
            }
        }
    }
}

/// Numbers that look random. The same seed gives the same ones.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number from 0 to 1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 33).unwrap()) / f64::from(1_u32 << 31)
    }
}

fn words(host: &str, command: &[&str], store: &[String]) -> Vec<String> {
    let logs = SERVICES.map(|service| format!("{host}/{service}/log/main"));
    command.iter().map(|word| (*word).to_owned()).chain(logs).chain(store.iter().cloned()).collect()
}

fn start(fixture: &Fixture, host: &str, store: &[String]) -> Running {
    let words = words(host, &["ship", "--once", "--host", host], store);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Running::start(fixture.command(&words).envs(CREDENTIALS).stdout(Stdio::null()).stderr(Stdio::null()))
}

/// Kills shippers so many times, in as many stores as that takes, and compares each store with the source.
fn kill_and_compare(target: &Target, kills: u32) {
    let fixture = Fixture::new();
    let directories = HOSTS.iter().flat_map(|host| SERVICES.map(|service| format!("{host}/{service}")));
    for (directory, archives) in directories.zip(ARCHIVES) {
        fixture.archives(&directory, archives, LINES);
    }
    // How long a run takes that is not killed.
    let (trial, _) = target.of_round(&fixture, 0);
    let begin = Instant::now();
    HOSTS.map(|host| start(&fixture, host, &trial)).iter_mut().for_each(|shipper| assert!(shipper.end().success()));
    let within = begin.elapsed().mul_f64(KILLED_WITHIN);

    let mut random = Random(u64::from(kills));
    let (mut killed, mut attempt, mut round) = (0, 0_u32, 0);
    while killed < kills {
        round += 1;
        let (store, compared_as) = target.of_round(&fixture, round);
        // Every second time, each directory has two shippers.
        while killed < kills {
            attempt += 1;
            let mut shippers: Vec<Running> =
                HOSTS.iter().flat_map(|host| (0..1 + attempt % 2).map(|_| start(&fixture, host, &store))).collect();
            sleep(within.mul_f64(random.next()));
            let alive = shippers.iter_mut().filter_map(|shipper| shipper.is_alive().then_some(())).count();
            shippers.into_iter().for_each(Running::kill);
            killed += u32::from(alive > 0);
            if alive == 0 {
                break;
            }
        }
        for host in HOSTS {
            assert!(start(&fixture, host, &store).end().success());
            let verify = words(host, &["verify", "--content"], &store);
            let verify: Vec<&str> = verify.iter().map(String::as_str).collect();
            let output = fixture.command(&verify).envs(CREDENTIALS).output().unwrap();
            assert_says(&output, 0, " are in the store, 0 are missing, 0 differ");
        }
        let logs = fixture.workdir.path().display().to_string();
        let said = python::run_with(include_str!("compare.py"), &[&logs, &compared_as]);
        assert_eq!(said, format!("{} lines, each once, in 50 objects\n", 50 * LINES));
    }
    testkit::report(format_args!("shippers were killed at {killed} moments, into {round} stores: {within:?} at most"));
}

#[test]
fn each_line_of_two_hosts_is_in_a_directory_once() {
    if python::has("duckdb") {
        kill_and_compare(&Target::Directory, 6);
    }
}

#[test]
fn each_line_of_two_hosts_is_in_s3_once() {
    if python::has("duckdb")
        && let Some(moto) = Moto::start()
    {
        kill_and_compare(&Target::S3(moto), 3);
    }
}

#[test]
#[ignore = "takes a minute; .ci/torture runs it"]
fn each_line_of_two_hosts_is_in_a_directory_once_after_100_kills() {
    if python::has("duckdb") {
        kill_and_compare(&Target::Directory, 100);
    }
}

#[test]
#[ignore = "takes some minutes; .ci/torture runs it"]
fn each_line_of_two_hosts_is_in_s3_once_after_100_kills() {
    if python::has("duckdb")
        && let Some(moto) = Moto::start()
    {
        kill_and_compare(&Target::S3(moto), 100);
    }
}
