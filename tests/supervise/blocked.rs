//! Which logger is blocked, and on what: said soon, and no longer said soon after.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use logyard::logdir::logger_state::STATE_BYTES;
use logyard::sys::process::pidfd;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;
use testkit::mounted::Mounted;
use testkit::service_fixture::{ServiceFixture, kill_by_id};
use testkit::{skipped, until};

/// How soon a change must be said.
const SOON: Duration = Duration::from_secs(2);
const FAST: &str = "while :; do echo abcdefghijklmnopqrstuvwxyz; done";
const SLOW: &str = "while :; do echo abcdefghijklmnopqrstuvwxyz; sleep 0.05; done";

fn fixture(run: &str, logger: &str) -> ServiceFixture {
    let fixture = ServiceFixture::new();
    fs::create_dir_all(fixture.path("sv/a/log/main")).unwrap();
    fixture.script("sv/a/run", run);
    fixture.script("sv/a/log/run", &format!("exec multilog {logger}"));
    fixture
}

fn svstat(fixture: &ServiceFixture, arguments: &[&str]) -> (String, i32) {
    let output = fixture.command(testkit::program("svstat"), arguments).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

fn log(fixture: &ServiceFixture) -> Value {
    let (text, _) = svstat(fixture, &["--json", "sv/a"]);
    let service: Value = serde_json::from_str(&text).unwrap();
    service["log"].clone()
}

fn pid(fixture: &ServiceFixture, service: &str) -> Pid {
    let (text, _) = svstat(fixture, &["--json", service]);
    let service: Value = serde_json::from_str(&text).unwrap();
    Pid::from_raw(i32::try_from(service["pid"].as_i64().unwrap()).unwrap())
}

fn set_mode(fixture: &ServiceFixture, path: &str, mode: u32) {
    fs::set_permissions(fixture.path(path), fs::Permissions::from_mode(mode)).unwrap();
}

/// Lets every user look at the services, but not at the log.
fn open_to_others(fixture: &ServiceFixture) {
    for path in ["", "sv", "sv/a", "sv/a/log", "sv/a/supervise", "sv/a/log/supervise"] {
        set_mode(fixture, path, 0o755);
    }
    // svstat can tell that the supervisor runs only if its user may write to this file.
    for path in ["sv/a/supervise/ok", "sv/a/log/supervise/ok"] {
        set_mode(fixture, path, 0o666);
    }
}

/// Runs svstat as a user without rights, in a group.
fn svstat_as(fixture: &ServiceFixture, group: u32, arguments: &[&str]) -> (String, Option<i32>) {
    let svstat = fixture.path("svstat");
    if !svstat.exists() {
        fs::copy(testkit::program("svstat"), &svstat).unwrap();
        // A process that another test has just forked may still hold the copy open for writing.
        until("the copy can be run", || Command::new(&svstat).output().is_ok());
    }
    let mut command = Command::new("./svstat");
    command.args(arguments).current_dir(fixture.path("")).stdin(Stdio::null()).uid(65534).gid(group);
    let output = command.output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

fn until_logging(fixture: &ServiceFixture) {
    until("the logger logs", || {
        let log = log(fixture);
        log["logger"]["state"] == "logging" && log["logger"]["lines"].as_u64() > Some(0)
    });
}

/// Every way of asking says the same.
#[track_caller]
fn until_blocked(fixture: &ServiceFixture, by: Option<(&str, &str)>) {
    let start = Instant::now();
    until("it is said", || log(fixture)["logger"]["by"].as_str() == by.map(|(word, _)| word));
    assert!(start.elapsed() < SOON, "it took {:?}", start.elapsed());
    let (lines, _) = svstat(fixture, &["-l", "sv/a"]);
    let (metrics, _) = svstat(fixture, &["--prometheus", "sv/a"]);
    let (check, code) = svstat(fixture, &["--check", "--backlog", "99999999", "--flapping", "0", "sv/a"]);
    match by {
        Some((word, words)) => {
            assert!(lines.contains(&format!("logger: blocked by {words}")), "{lines}");
            assert!(
                metrics.contains(&format!("logyard_logger_blocked{{service=\"sv/a\",by=\"{word}\"}} 1")),
                "{metrics}"
            );
            assert!(check.contains(&format!("blocked by {words}")) && code == 2, "{check}");
        }
        None => {
            assert!(lines.contains("logger: logs, or waits for input"), "{lines}");
            let mut lines = metrics.lines().filter(|line| line.starts_with("logyard_logger_blocked{"));
            assert!(lines.all(|line| line.ends_with("} 0")), "{metrics}");
            assert!(check.starts_with("SVSTAT OK: 1 service, no problems |") && code == 0, "{check}");
        }
    }
}

#[test]
fn a_full_disk_is_said_until_there_is_room() {
    let fixture = fixture(FAST, "s10000000 ./main");
    let Some(disk) = Mounted::memory(fixture.path("sv/a/log/main"), "size=300k") else {
        skipped("full disks: only root can mount a file system");
        return;
    };
    fixture.svscan("sv");
    until("the disk is full", || fixture.read("out").contains("pausing: out of disk space"));
    until_blocked(&fixture, Some(("full_disk", "a full disk for")));
    let text = log(&fixture)["logger"]["text"].clone();
    assert_eq!(text, "unable to write to ./main/current: out of disk space");
    assert!(log(&fixture)["waiting_bytes"].as_u64() > Some(0));

    disk.remount("size=900m");
    until_blocked(&fixture, None);

    until("nobody uses the disk", || {
        let left = fixture.processes();
        left.iter().for_each(|one| kill_by_id(one.pid));
        left.is_empty()
    });
}

#[test]
fn a_standard_output_that_nobody_reads_is_said_until_somebody_does() {
    let fixture = fixture(FAST, "1b ./main");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut svscan = fixture.command(testkit::program("svscan"), &["sv"]);
    svscan.stdout(writer);
    fixture.start_with_stderr(svscan, Stdio::null());

    until_blocked(&fixture, Some(("reader", "the reader of its standard output for")));

    let reading = std::thread::spawn(move || std::io::copy(&mut { reader }, &mut std::io::sink()).unwrap());
    until_blocked(&fixture, None);
    until("nobody prints", || {
        let left = fixture.processes();
        left.iter().for_each(|one| kill_by_id(one.pid));
        left.is_empty()
    });
    assert!(reading.join().unwrap() > 0);
}

#[test]
fn a_processor_that_hangs_is_said_until_it_ends() {
    let fixture = fixture(FAST, "s4096 '!while test -e ../hang; do sleep 0.01; done' ./main");
    fixture.write("sv/a/log/hang", "");
    fixture.svscan("sv");
    until("two files are full", || fixture.exists("sv/a/log/main/previous"));
    until_blocked(&fixture, Some(("processor", "its processor for")));

    fs::remove_file(fixture.path("sv/a/log/hang")).unwrap();
    until_blocked(&fixture, None);
}

#[test]
fn a_processor_that_fails_is_said() {
    let fixture = fixture(FAST, "s4096 '!exit 7' ./main");
    fixture.svscan("sv");
    until("it has failed", || fixture.read("out").contains("processor failed in ./main, pausing"));
    until("it is said", || log(&fixture)["logger"]["text"] == "processor failed in ./main");
    assert_eq!(log(&fixture)["logger"]["by"], "processor");
}

#[test]
fn a_logger_that_is_stopped_is_said_until_it_goes_on() {
    for run in ["exec multilog ./main", "multilog ./main\nexit 0"] {
        let fixture = fixture(SLOW, "./main");
        fixture.script("sv/a/log/run", run);
        fixture.svscan("sv");
        until_logging(&fixture);
        let is_logger = |seen: &testkit::service_fixture::Seen| seen.command.contains("multilog ./main");
        let logger = fixture.processes().into_iter().find(is_logger).expect("it runs").pid;
        let logger = Pid::from_raw(logger);
        nix::sys::signal::kill(logger, Signal::SIGSTOP).unwrap();
        until_blocked(&fixture, Some(("stop", "SIGSTOP")));
        let stopped_at = log(&fixture)["logger"]["lines"].clone();
        until("bytes wait", || log(&fixture)["waiting_bytes"].as_u64() > Some(0));

        nix::sys::signal::kill(logger, Signal::SIGCONT).unwrap();
        until_blocked(&fixture, None);
        until("lines are counted", || log(&fixture)["logger"]["lines"].as_u64() > stopped_at.as_u64());
    }
}

#[test]
fn what_is_in_the_place_of_the_state_misleads_nobody() {
    let fixture = fixture(SLOW, "./main");
    fixture.svscan("sv");
    until_logging(&fixture);
    let journal = fixture.path("sv/a/log/main/journal");
    let good = fs::read(&journal).unwrap();
    // The logger keeps the file that it has mapped. When it finds another in its place it makes a new one.
    let check = |why: &str, plant: &dyn Fn()| {
        until(why, || {
            let _ = fs::remove_dir(&journal);
            let _ = fs::remove_file(&journal);
            plant();
            log(&fixture)["logger"]["state"] == "unknown"
        });
    };
    let garbage: Vec<u8> = (0..5000_u32).map(|number| (number * 7919 % 251) as u8).collect();
    for (why, bytes) in [
        ("empty", vec![]),
        ("short", good[..STATE_BYTES - 1].to_vec()),
        ("zeros", vec![0; 4096]),
        ("garbage", garbage),
        ("half", good[..good.len() / 2].to_vec()),
        ("of an older version", good[..good.len() - STATE_BYTES].iter().copied().chain([0; STATE_BYTES]).collect()),
    ] {
        check(why, &|| fs::write(&journal, &bytes).unwrap());
    }
    // A state of another process, though its checksums are right.
    let own = pidfd::own().number();
    let mut state = logyard::logdir::logger_state::LoggerState::read(&good[good.len() - STATE_BYTES..]).unwrap();
    state.process = own.into();
    state.start_time = pidfd::start_time(own).unwrap();
    let mut forged = good.clone();
    state.store(&mut forged, good.len() - STATE_BYTES);
    check("another's", &|| fs::write(&journal, &forged).unwrap());
    // Neither links nor other kinds of files are followed or waited for.
    fs::write(fixture.path("good"), &good).unwrap();
    check("a link", &|| std::os::unix::fs::symlink(fixture.path("good"), &journal).unwrap());
    check("a FIFO", &|| nix::unistd::mkfifo(&journal, nix::sys::stat::Mode::S_IRWXU).unwrap());
    check("a directory", &|| fs::create_dir(&journal).unwrap());
}

#[test]
fn escapes_in_a_state_are_made_visible() {
    let fixture = fixture(SLOW, "./main");
    fixture.svscan("sv");
    until_logging(&fixture);
    let journal = fixture.path("sv/a/log/main/journal");
    let mut forged = fs::read(&journal).unwrap();
    let at = forged.len() - STATE_BYTES;
    let mut state = logyard::logdir::logger_state::LoggerState::read(&forged[at..]).unwrap();
    state.task.activity = logyard::logdir::logger_state::Activity::Retrying;
    state.task.text = b"\x1b[2Jgone\xff\"\\\n".to_vec();
    state.store(&mut forged, at);
    let show = |arguments: &[&str], expected: &str| {
        until(expected, || {
            fs::remove_file(&journal).unwrap();
            fs::write(&journal, &forged).unwrap();
            svstat(&fixture, arguments).0.contains(expected)
        });
    };

    show(&["-l", "sv/a"], ": \\x1b[2Jgone\\xff\"\\\\x0a\n");
    show(&["--json", "sv/a"], "\\\\x1b[2Jgone\\\\xff\\\"\\\\\\\\x0a\"");
}

#[test]
fn whoever_may_not_look_is_told_that_nothing_is_known() {
    if !nix::unistd::geteuid().is_root() {
        skipped("another user: only root can become one");
        return;
    }
    let fixture = fixture(SLOW, "./main");
    fixture.svscan("sv");
    until_logging(&fixture);
    open_to_others(&fixture);
    set_mode(&fixture, "sv/a/log/main", 0o700);
    let as_nobody = |arguments: &[&str]| svstat_as(&fixture, 65534, arguments);

    let (lines, _) = as_nobody(&["-l", "sv/a"]);
    assert!(lines.contains("waiting: unknown (access denied)\n    logger: unknown (access denied)\n"), "{lines}");
    let (json, _) = as_nobody(&["--json", "sv/a"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["log"]["waiting_bytes"], Value::Null);
    assert_eq!(json["log"]["logger"]["state"], "unknown");
    let (check, code) = as_nobody(&["--check", "sv/a"]);
    assert!(check.starts_with("SVSTAT UNKNOWN: 1 service, ") && code == Some(3), "{check}");
    let (metrics, _) = as_nobody(&["--prometheus", "sv/a"]);
    assert!(metrics.contains("logyard_logger_known{service=\"sv/a\"} 0"), "{metrics}");
    assert!(!metrics.contains("logyard_log_waiting_bytes{"), "{metrics}");

    // Not even whether a supervisor runs, which is no reason to say that the logger is down.
    set_mode(&fixture, "sv/a/log/supervise/ok", 0o600);
    let (lines, _) = as_nobody(&["-l", "sv/a"]);
    assert!(lines.contains("logger: unknown (access denied)\n"), "{lines}");
    let (json, _) = as_nobody(&["--json", "sv/a"]);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["log"]["logger"]["state"], "unknown");
    let (metrics, _) = as_nobody(&["--prometheus", "sv/a"]);
    assert!(metrics.contains("logyard_service_up{service=\"sv/a\",unit=\"service\"} 1\n"), "{metrics}");
    assert!(!metrics.contains("logyard_service_up{service=\"sv/a\",unit=\"log\"}"), "not known: {metrics}");
}

#[test]
fn a_member_of_the_group_of_the_log_learns_what_the_logger_does() {
    // multilog.8 > "svstat(8)"
    if !nix::unistd::geteuid().is_root() {
        skipped("another user: only root can become one");
        return;
    }
    let fixture = fixture(SLOW, "f=script");
    fixture.write("sv/a/log/script", "g=54321\n./logs\n");
    fixture.svscan("sv");
    until_logging(&fixture);
    open_to_others(&fixture);

    let [(member, _), (other, _)] = [54321, 54322].map(|group| svstat_as(&fixture, group, &["-l", "sv/a"]));

    assert!(member.contains("logger: logs, or waits for input"), "{member}");
    assert!(other.contains("logger: unknown ("), "{other}");
}

#[test]
fn a_file_in_the_place_of_the_log_pipe_is_not_opened_through() {
    let fixture = fixture(SLOW, "./main");
    fixture.svscan("sv");
    until_logging(&fixture);
    let pipe = fixture.path("sv/a/supervise/logpipe");
    fs::remove_file(&pipe).unwrap();
    assert_eq!(log(&fixture)["waiting_bytes"], Value::Null);
    fs::write(&pipe, "text").unwrap();
    assert_eq!(log(&fixture)["waiting_bytes"], Value::Null);
    fs::remove_file(&pipe).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &pipe).unwrap();
    assert_eq!(log(&fixture)["waiting_bytes"], Value::Null);
}

#[test]
fn the_check_tells_what_is_down_flapping_or_far_behind() {
    let fixture = fixture(SLOW, "./main");
    fixture.script("sv/b/run", "exit 3");
    fixture.script("sv/c/run", "exec sleep 1000");
    fixture.script("sv/d/run", "exec sleep 1000");
    fixture.write("sv/d/down", "");
    fixture.svscan("sv");
    until_logging(&fixture);
    let check = |arguments: &[&str]| svstat(&fixture, &[&["--check"], arguments].concat());
    until("b was started twice", || fixture.read("sv/b/supervise/starts").trim().parse::<u32>().unwrap_or(0) > 1);
    // It is up for a moment in each second.
    fixture.script("sv/b/run", "exec sleep 1001");
    until("the new run runs", || !fixture.processes_of("sleep 1001").is_empty());
    until("b flaps", || check(&["sv/b"]).0.contains(", flapping |"));
    assert_eq!(check(&["sv/b"]).1, 1);
    assert_eq!(check(&["--flapping", "0", "sv/b"]).1, 0);

    // It is down as it should be.
    assert_eq!(check(&["sv/d"]).1, 0);
    let (_, code) = check(&["sv/c"]);
    assert_eq!(code, 0);
    let output = fixture.command(testkit::program("svc"), &["-d", "sv/c"]).output().unwrap();
    assert!(output.status.success());
    until("c is down", || check(&["sv/c"]).1 == 2);
    assert!(
        check(&["sv/c"]).0.contains("sv/c down 0 seconds, normally up") || check(&["sv/c"]).0.contains("normally up")
    );
    assert!(check(&["sv/nothing"]).0.starts_with("SVSTAT CRITICAL: 1 service, sv/nothing unable to chdir"));

    let logger = pid(&fixture, "sv/a/log");
    nix::sys::signal::kill(logger, Signal::SIGSTOP).unwrap();
    until("bytes wait", || log(&fixture)["waiting_bytes"].as_u64() > Some(100));
    let (text, code) = check(&["--backlog", "100", "sv/a"]);
    assert!(text.contains("bytes waiting") && code == 2, "{text}");
    nix::sys::signal::kill(logger, Signal::SIGCONT).unwrap();
    for wrong in [&["--backlog", "x", "sv/a"][..], &["--what", "sv/a"], &["--"], &[]] {
        assert_eq!(check(wrong).1, 3, "{wrong:?}");
    }
}

/// The names of an object's members, with those of the objects in it.
fn members(value: &Value) -> Vec<String> {
    let Some(object) = value.as_object() else { return Vec::new() };
    let inner = |(name, value): (&String, &Value)| {
        let inner = members(value).into_iter().map(move |member| format!("{name}.{member}"));
        [name.clone()].into_iter().chain(inner).collect::<Vec<_>>()
    };
    object.iter().flat_map(inner).collect()
}

#[test]
fn json_has_the_same_members_in_every_state() {
    let fixture = fixture(SLOW, "./main");
    fixture.script("sv/b/run", "exec sleep 1000");
    fixture.script("sv/b/log/run", "exec sleep 1000");
    let shape = |service: &str| {
        let (text, _) = svstat(&fixture, &["--json", service]);
        let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        (members(&json), json)
    };
    let (unsupervised, json) = shape("sv/a");
    assert_eq!(json["error"], "unable to open supervise/ok: file does not exist");
    assert_eq!(json["log"]["logger"]["state"], "down");
    let without = |list: &[String], beginning: &str| -> Vec<String> {
        list.iter().filter(|name| !name.starts_with(beginning)).cloned().collect()
    };

    fixture.svscan("sv");
    until_logging(&fixture);
    fixture.until_stat("sv/b/log", "up");

    let (up, json) = shape("sv/a");
    assert_eq!((&json["error"], &json["state"], &json["last_exit"]), (&Value::Null, &"up".into(), &Value::Null));
    assert_eq!(up, unsupervised);
    assert_eq!(shape("sv/b").0, unsupervised, "a logger that says nothing");
    let logger = pid(&fixture, "sv/a/log");
    nix::sys::signal::kill(logger, Signal::SIGSTOP).unwrap();
    until("it is blocked", || log(&fixture)["logger"]["state"] == "blocked");
    assert_eq!(shape("sv/a").0, unsupervised);
    nix::sys::signal::kill(logger, Signal::SIGCONT).unwrap();
    let (missing, json) = shape("sv/nothing");
    assert_eq!(without(&missing, "log."), without(&unsupervised, "log."));
    assert_eq!(json["log"], Value::Null);
    fixture.svc(&["-d", "sv/b"]);
    fixture.until_stat("sv/b", "down");
    let (down, json) = shape("sv/b");
    assert_eq!(json["last_exit"], serde_json::json!({"code": null, "signal": 15}));
    assert_eq!(without(&down, "last_exit."), unsupervised);
}

#[test]
fn an_alert_sees_a_service_without_a_supervisor() {
    let fixture = fixture("exec sleep 1000", "./main");

    let (metrics, _) = svstat(&fixture, &["--prometheus", "sv/a", "sv/nothing"]);

    for service in ["sv/a", "sv/nothing"] {
        for metric in ["up", "supervised"] {
            let line = format!("logyard_service_{metric}{{service=\"{service}\",unit=\"service\"}} 0\n");
            assert!(metrics.contains(&line), "{metrics}");
        }
    }
}

#[test]
fn the_metrics_are_what_promtool_expects() {
    let fixture = fixture(SLOW, "./main");
    fixture.script("sv/b \"\\n/run", "exec sleep 1000");
    fixture.svscan("sv");
    until_logging(&fixture);
    let (metrics, _) = svstat(&fixture, &["--prometheus", "sv/a", "sv/b \"\\n", "sv/nothing"]);
    fixture.write("metrics", &metrics);
    let Ok(promtool) = fixture
        .command("promtool", &["check", "metrics"])
        .stdin(fs::File::open(fixture.path("metrics")).unwrap())
        .output()
    else {
        skipped("metrics: there is no promtool");
        return;
    };
    assert!(promtool.status.success(), "{}{metrics}", String::from_utf8_lossy(&promtool.stderr));
    assert_eq!(String::from_utf8_lossy(&promtool.stdout), "");
}
