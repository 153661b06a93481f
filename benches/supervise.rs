//! How supervision scales: time until many services are up and down again, memory of an idle supervisor beside 0.76's,
//! wake-ups of an idle tree, processor time to start and to restart a service, and how soon a new service is up.
//!
//! `cargo bench --bench supervise [-- COUNT]`: so many services without logs (1,000 by default, which is the most that 0.76
//! starts), then half as many pairs of service and log, and as many (2,500 and 5,000 by default). The services are `sleep` and `cat`, on whatever the temporary directory is. Both families run the same directories, one after the
//! other; every service has to come up. 5,000 pairs take some 20,000 processes, and svscan 5,000 descriptors. With half of the
//! pairs svscan is also killed, and another one takes its place.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A report is printed, and a failed run is no measurement.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// 0.76 does not start more.
const LIMIT_OF_THEIRS: usize = 1000;
/// How long an idle tree is looked at.
const IDLE: Duration = Duration::from_secs(60);

fn main() {
    let ours = Path::new(env!("CARGO_BIN_EXE_svscan")).parent().unwrap().to_owned();
    let theirs = PathBuf::from("/usr/bin");
    let count = std::env::args().find_map(|word| word.parse().ok());
    let both =
        if theirs.join("svscan").exists() { vec![("ours", &ours), ("0.76", &theirs)] } else { vec![("ours", &ours)] };

    println!("one service that comes while svscan runs:");
    new_service(&ours);
    for (name, bin) in &both {
        let tree = Tree::start(bin, count.unwrap_or(1000).min(LIMIT_OF_THEIRS), false);
        tree.report(name);
        if *name == "ours" {
            tree.idle();
        }
        tree.end(*name == "ours");
    }
    let pairs = count.unwrap_or(5000);
    let mut halves = Vec::new();
    for part in [pairs / 2, pairs] {
        let mut tree = Tree::start(&ours, part, true);
        tree.report("ours");
        halves.push(tree.processor_time());
        tree.idle();
        tree.restart();
        if part < pairs {
            // It takes five descriptors for each pair.
            tree.replace_killed_svscan(&ours);
        }
        tree.end(true);
    }
    println!("twice as many pairs take {:.2} times the processor time to start", halves[1] / halves[0]);
}

fn new_service(bin: &Path) {
    let tree = Tree::start(bin, 1, false);
    let mut times: Vec<Duration> = (0..20)
        .map(|number| {
            let home = tree.dir.path().join(format!("home{number}"));
            service(&home, false);
            let link = tree.scan().join(format!("new{number}"));
            let start = Instant::now();
            std::os::unix::fs::symlink(&home, &link).unwrap();
            while !is_up(&link) {
                sleep(Duration::from_millis(1));
            }
            start.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "  up after {:?} (median of {}), {:?} at most",
        times[times.len() / 2],
        times.len(),
        times[times.len() - 1]
    );
    tree.end(true);
}

/// A scan directory full of services, and the svscan that runs them.
struct Tree {
    dir: tempfile::TempDir,
    svscan: Child,
    services: Vec<PathBuf>,
    /// Until all were up.
    took: Duration,
}

impl Tree {
    fn start(bin: &Path, count: usize, with_logs: bool) -> Tree {
        let dir = tempfile::tempdir().unwrap();
        let scan = dir.path().join("service");
        let mut services = Vec::new();
        for number in 0..count {
            let home = scan.join(number.to_string());
            service(&home, with_logs);
            if with_logs {
                services.push(home.join("log"));
            }
            services.push(home);
        }
        let start = Instant::now();
        let svscan = svscan(bin, &scan);
        let mut tree = Tree { dir, svscan, services, took: Duration::ZERO };
        let mut waiting: Vec<&PathBuf> = tree.services.iter().collect();
        // One after the other: to look at all of them again and again would take a processor of its own.
        while let Some(service) = waiting.last() {
            if is_up(service) {
                waiting.pop();
                continue;
            }
            assert!(start.elapsed() < Duration::from_secs(300), "{} services are not up", waiting.len());
            sleep(Duration::from_millis(10));
        }
        tree.took = start.elapsed();
        tree
    }

    fn scan(&self) -> PathBuf {
        self.dir.path().join("service")
    }

    fn supervisors(&self) -> Vec<i32> {
        let is_ours = |pid: &i32| {
            let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
            comm == "supervise\n" && cwd.starts_with(self.dir.path())
        };
        let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.to_str()?.parse().ok()).filter(is_ours).collect()
    }

    fn report(&self, name: &str) {
        let supervisors = self.supervisors();
        assert_eq!(supervisors.len(), self.services.len());
        let pss: u64 = supervisors.iter().map(|pid| kilobytes(*pid, "Pss:")).sum();
        println!("{name}: {} supervised services:", self.services.len());
        println!("  up after {:.2} s", self.took.as_secs_f64());
        println!("  a supervise holds {:.1} kB (Pss)", pss as f64 / supervisors.len() as f64);
        let svscan = self.svscan.id().cast_signed();
        let descriptors = fs::read_dir(format!("/proc/{svscan}/fd")).unwrap().count();
        println!("  svscan holds {} kB (Rss), {descriptors} descriptors", kilobytes(svscan, "Rss:"));
        let processor_time = self.processor_time();
        let each = processor_time / self.services.len() as f64;
        println!(
            "  svscan and all supervise took {processor_time:.2} s of processor time, {:.2} ms for each",
            each * 1e3
        );
    }

    /// What svscan and all supervise have taken since they were started, in seconds.
    fn processor_time(&self) -> f64 {
        let all = self.supervisors().into_iter().chain([self.svscan.id().cast_signed()]);
        all.map(nanoseconds).sum::<u64>() as f64 / 1e9
    }

    /// Restarts some services, and says what that takes.
    fn restart(&self) {
        let services = &self.services[..self.services.len().min(1000)];
        let old: Vec<u32> = services.iter().map(|service| pid(service)).collect();
        let (before, start) = (self.processor_time(), Instant::now());
        for part in services.chunks(100) {
            let svc = Path::new(env!("CARGO_BIN_EXE_svc"));
            assert!(Command::new(svc).arg("-t").args(part).status().unwrap().success());
        }
        for (service, old) in services.iter().zip(&old) {
            while [0, *old].contains(&pid(service)) {
                assert!(start.elapsed() < Duration::from_secs(60), "services are not up again");
                sleep(Duration::from_millis(10));
            }
        }
        let took = start.elapsed();
        let each = (self.processor_time() - before) / services.len() as f64;
        println!(
            "  {} services up again after {:.2} s; {:.3} ms of supervise for each",
            old.len(),
            took.as_secs_f64(),
            each * 1e3
        );
    }

    /// Kills svscan; another one has to take over the services as they are.
    fn replace_killed_svscan(&mut self, bin: &Path) {
        let pids = |services: &[PathBuf]| services.iter().map(|service| pid(service)).collect::<Vec<_>>();
        let old = pids(&self.services);
        self.svscan.kill().unwrap();
        self.svscan.wait().unwrap();
        let start = Instant::now();
        self.svscan = svscan(bin, &self.scan());
        let pid = self.svscan.id().cast_signed();
        // It is done when it has rested for a second.
        let mut last = (u64::MAX, Instant::now());
        while last.1.elapsed() < Duration::from_secs(1) {
            assert!(start.elapsed() < Duration::from_secs(300), "svscan does not come to rest");
            sleep(Duration::from_millis(20));
            let now = nanoseconds(pid);
            if now != last.0 {
                last = (now, Instant::now());
            }
        }
        assert_eq!(pids(&self.services), old, "services go on when svscan is killed");
        assert_eq!(self.supervisors().len(), self.services.len(), "each has one supervise");
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        println!(
            "  after kill -9, another svscan is at rest after {:.2} s, with {descriptors} descriptors",
            (last.1 - start).as_secs_f64()
        );
    }

    fn idle(&self) {
        let wakes = || {
            let all = self.supervisors().into_iter().chain([self.svscan.id().cast_signed()]);
            all.map(switches).sum::<u64>()
        };
        let before = wakes();
        sleep(IDLE);
        println!("  the whole idle tree woke {} times in {IDLE:?}", wakes() - before);
    }

    /// Ends the tree: ours by TERM to svscan, 0.76's by `svc -dx`, as its svscan leaves everything running.
    fn end(mut self, is_orderly: bool) {
        let start = Instant::now();
        kill(Pid::from_raw(self.svscan.id().cast_signed()), Signal::SIGTERM).unwrap();
        let status = self.svscan.wait().unwrap();
        if is_orderly {
            assert!(status.success());
        } else {
            for part in self.services.chunks(100) {
                Command::new("/usr/bin/svc").arg("-dx").args(part).status().unwrap();
            }
            while !self.supervisors().is_empty() {
                sleep(Duration::from_millis(50));
            }
        }
        println!("  all down after {:.2} s", start.elapsed().as_secs_f64());
    }
}

/// A run of ours that fails leaves no services behind; 0.76's svscan leaves its supervise running.
impl Drop for Tree {
    fn drop(&mut self) {
        if self.svscan.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = kill(Pid::from_raw(self.svscan.id().cast_signed()), Signal::SIGTERM);
            let _ = self.svscan.wait();
        }
    }
}

fn svscan(bin: &Path, scan: &Path) -> Child {
    let mut svscan = Command::new(bin.join("svscan"));
    // The environment is that of svscanboot: each supervise holds a copy.
    svscan.arg(scan).env_clear().env("PATH", format!("{}:/usr/bin:/bin", bin.display())).stdin(Stdio::null());
    svscan.spawn().unwrap()
}

fn service(home: &Path, with_log: bool) {
    let script = |dir: &Path, command: &str| {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("run"), format!("#!/bin/sh\nexec {command}\n")).unwrap();
        fs::set_permissions(dir.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    };
    script(home, "sleep 1000000");
    if with_log {
        script(&home.join("log"), "cat >/dev/null");
    }
}

fn is_up(service: &Path) -> bool {
    pid(service) != 0
}

/// The pid of a service; 0 if it is not up.
fn pid(service: &Path) -> u32 {
    let status = fs::read(service.join("supervise/status")).unwrap_or_default();
    status.get(12..16).map_or(0, |pid| u32::from_le_bytes(pid.try_into().unwrap()))
}

/// How long a process has run.
fn nanoseconds(pid: i32) -> u64 {
    let times = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    times.split_ascii_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn kilobytes(pid: i32, what: &str) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find(|line| line.starts_with(what)).unwrap_or_default();
    line.split_ascii_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn switches(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches:")).unwrap_or_default();
    line.split_ascii_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}
