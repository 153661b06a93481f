//! svscan and supervise are replaced by other programs while services run: the services, their loggers and the pipes
//! between them continue, and the old program continues if the new one cannot take over.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use testkit::replaced_programs::ReplacedPrograms;
use testkit::service_fixture::{ServiceFixture, kill_by_id, masked, send};
use testkit::{executable, is_root, strace, tool, until};

use super::numbered;

const LOGGER: &str = "multilog n100000 ./main";

/// svscan with services that number their lines, each with a logger.
struct Tree<'f> {
    fixture: &'f ServiceFixture,
    programs: ReplacedPrograms<'f>,
    services: Vec<String>,
    svscan: i32,
}

impl Tree<'_> {
    fn new(fixture: &ServiceFixture, count: usize) -> Tree<'_> {
        Tree::run_by(fixture, count, |programs| programs.command("svscan", &["sv"]))
    }

    fn run_by<'f>(
        fixture: &'f ServiceFixture,
        count: usize,
        command: impl Fn(&ReplacedPrograms<'f>) -> Command,
    ) -> Tree<'f> {
        let programs = ReplacedPrograms::new(fixture);
        let services: Vec<String> = (0..count).map(|number| format!("s{number}")).collect();
        for service in &services {
            fixture.script(&format!("sv/{service}/log/run"), &format!("exec {LOGGER}"));
            fixture.script(&format!("sv/{service}/run"), numbered::SERVICE);
        }
        let svscan = fixture.start_command("out", command(&programs));
        let tree = Tree { fixture, programs, services, svscan };
        tree.until_moving();
        tree
    }

    /// How many processes svscan and the supervisors are.
    fn count(&self) -> usize {
        1 + 2 * self.services.len()
    }

    /// Replaces the programs, and waits until they are executed.
    fn replace(&self) {
        self.programs.replace();
        send(self.svscan, Signal::SIGURG);
        self.programs.until_executed(self.count());
    }

    /// The processes of the services and loggers, as their supervisors tell them.
    fn pids(&self) -> Vec<i32> {
        let dirs = self.services.iter().flat_map(|service| [format!("sv/{service}"), format!("sv/{service}/log")]);
        dirs.map(|dir| self.fixture.pid(&dir)).collect()
    }

    /// Waits until each service is supervised, and lines that it writes now are logged.
    fn until_moving(&self) {
        for service in &self.services {
            let seen = numbered::logged(self.fixture, service).len();
            let dir = format!("sv/{service}");
            until(&format!("{service} is logged; {}", self.fixture.read("out")), || {
                let is_kept = |dir: &str| self.fixture.pid(dir) != 0 && self.fixture.is_supervised(dir);
                is_kept(&dir) && is_kept(&format!("{dir}/log")) && {
                    let logged = numbered::logged(self.fixture, service);
                    logged.len() > seen && logged.last().is_some_and(|(copy, _)| *copy == self.fixture.pid(&dir))
                }
            });
        }
    }

    /// Ends svscan by TERM, and checks what was logged.
    fn end(self) {
        send(self.svscan, Signal::SIGTERM);
        assert_eq!(self.fixture.wait(self.svscan), Some(0), "{}", self.fixture.read("out"));
        until("nothing is left", || {
            self.fixture.processes().iter().all(|seen| seen.command.starts_with("sleep 0.") || seen.state == 'Z')
        });
        for service in &self.services {
            numbered::check(self.fixture, service);
        }
    }
}

/// Waits like `until`, and shows the processes and messages if it fails.
#[track_caller]
fn until_shown(fixture: &ServiceFixture, what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < testkit::DEADLINE,
            "waited in vain until {what}: {:#?}\n{}\n{}",
            fixture.processes(),
            fixture.read("out"),
            fixture.read("sv/a/order"),
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn services_and_loggers_keep_their_processes() {
    let fixture = ServiceFixture::new();
    fixture.script("sv/quiet/run", "exec sleep 1000");
    fixture.script("sv/down/run", "exec sleep 1000");
    fixture.write("sv/down/down", "");
    let tree = Tree::new(&fixture, 2);
    fixture.until_stat("sv/quiet", "up");
    fixture.until_stat("sv/down", "down");
    fixture.svc(&["-p", "sv/quiet"]);
    fixture.until_stat("sv/quiet", "paused");
    let lines = || ["sv/quiet", "sv/down", "sv/s0", "sv/s1/log"].map(|dir| masked(&fixture.stat(dir)));
    let supervisors = || tree.programs.running().into_iter().map(|(pid, _)| pid).collect::<Vec<_>>();
    let before = (tree.pids(), lines(), supervisors());

    for _ in 0..3 {
        tree.programs.replace();
        send(tree.svscan, Signal::SIGURG);
        tree.programs.until_executed(tree.count() + 2);
        tree.until_moving();

        assert_eq!((tree.pids(), lines(), supervisors()), before);
    }
    assert_eq!(fixture.read("out"), "");

    // The services are still children, and are controlled as before.
    fixture.svc(&["-c", "sv/quiet"]);
    fixture.svc(&["-k", "sv/quiet"]);
    until("the end was noticed", || fixture.read("sv/quiet/supervise/last-exit") == "signal 9\n");
    until("it was started again", || fixture.read("sv/quiet/supervise/starts") == "2\n");
    fixture.until_stat("sv/quiet", "up");
    fixture.svc(&["-u", "sv/down"]);
    fixture.until_stat("sv/down", "up");
    let supervisor = fixture.processes_of("supervise down")[0];
    let service = fixture.pid("sv/down");
    // A process that is recorded and does not run yet ends with its supervise.
    let line = || fs::read(format!("/proc/{service}/cmdline")).unwrap_or_default();
    until("the service runs", || line() == b"sleep\x001000\0");
    kill_by_id(supervisor);
    until_shown(&fixture, "svscan has started another supervise", || {
        let running = fixture.processes_of("supervise down");
        !running.is_empty() && running != [supervisor] && fixture.is("sv/down", "up")
    });
    assert_eq!(fixture.pid("sv/down"), service, "it was adopted");
    tree.end();
}

#[test]
fn svc_replaces_a_single_supervise_with_an_adopted_service() {
    let fixture = ServiceFixture::with_service("echo started >>starts; exec sleep 1000");
    fixture.write("sv/a/notification-fd", "5\n");
    let programs = ReplacedPrograms::new(&fixture);
    let first = fixture.start_command("out", programs.command("supervise", &["sv/a"]));
    let service = fixture.until_runs("sv/a");
    kill_by_id(first);
    fixture.wait(first);
    let second = fixture.start_command("out", programs.command("supervise", &["sv/a"]));
    until("it has adopted the service", || fixture.is("sv/a", "up"));

    programs.replace();
    fixture.svc(&["-e", "sv/a"]);
    programs.until_executed(1);
    assert_eq!(fixture.pid("sv/a"), service);
    kill_by_id(service);

    until("its end was noticed", || fixture.read("sv/a/starts") == "started\nstarted\n");
    assert_eq!(fixture.read("out"), "");
    fixture.svc(&["-dx", "sv/a"]);
    assert_eq!(fixture.wait(second), Some(0));
}

#[test]
fn a_service_that_the_new_program_starts_inherits_the_same() {
    // What it has inherited: signals, the limit on descriptors, descriptors, our variables.
    let run = "{ grep '^Sig[BI]' /proc/self/status; ulimit -Sn; ls /proc/$$/fd; env | grep '^LOGYARD'; } >seen
        echo $$ >started; exec sleep 1000";
    let fixture = ServiceFixture::with_service(run);
    fixture.script("sv/a/log/run", run);
    let programs = ReplacedPrograms::new(&fixture);
    let mut command = fixture.command("/bin/sh", &["-c", "ulimit -Sn 100; exec \"$@\"", "sh"]);
    command.arg(programs.path("svscan")).arg("sv").env("PATH", programs.directories());
    let svscan = fixture.start_command("out", command);
    let dirs = ["sv/a", "sv/a/log"];
    let until_started = |old: [i32; 2]| {
        until("other copies have started", || {
            dirs.iter().zip(old).all(|(dir, old)| {
                let process = fixture.pid(dir);
                process != old && fixture.read(&format!("{dir}/started")) == format!("{process}\n")
            })
        });
    };
    until_started([0, 0]);
    let seen = || dirs.map(|dir| fixture.read(&format!("{dir}/seen")));
    let before = seen();
    assert!(before[0].contains("\n100\n"), "{before:?}");

    programs.replace();
    send(svscan, Signal::SIGURG);
    programs.until_executed(3);
    // New services of the supervisors, and after that new supervisors of svscan.
    for round in 0..2 {
        if round == 1 {
            for supervisor in ["supervise a", "supervise a/log"] {
                let process = fixture.processes_of(supervisor)[0];
                kill_by_id(process);
                until("another one came", || {
                    let running = fixture.processes_of(supervisor);
                    !running.is_empty() && !running.contains(&process)
                });
            }
            dirs.iter().for_each(|dir| fixture.until_stat(dir, "up"));
        }
        let old = dirs.map(|dir| fixture.pid(dir));
        fixture.svc(&["-t", "sv/a", "sv/a/log"]);
        until_started(old);

        assert_eq!(seen(), before, "round {round}");
    }
}

#[test]
fn a_request_that_comes_while_a_new_program_starts_is_not_missed() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    let programs = ReplacedPrograms::new(&fixture);
    let supervise = fixture.start_command("out", programs.command("supervise", &["sv/a"]));
    fixture.until_stat("sv/a", "up");

    for round in 0..40 {
        send(supervise, Signal::SIGURG);
        std::thread::sleep(Duration::from_micros(round * 500));
        programs.replace();
        send(supervise, Signal::SIGURG);
        programs.until_executed(1);
    }
    assert_eq!(fixture.read("out"), "");
    fixture.svc(&["-dx", "sv/a"]);
    assert_eq!(fixture.wait(supervise), Some(0));
}

#[test]
fn who_waits_for_svscan_hears_each_word_once() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    let programs = ReplacedPrograms::new(&fixture);
    let socket = std::os::unix::net::UnixDatagram::bind(fixture.path("socket")).unwrap();
    socket.set_nonblocking(true).unwrap();
    let hear = || {
        let mut room = [0; 100];
        let mut said = String::new();
        while let Ok(count) = socket.recv(&mut room) {
            said += &String::from_utf8_lossy(&room[..count]);
        }
        said
    };
    let mut command = programs.command("svscan", &["sv"]);
    command.env("NOTIFY_SOCKET", fixture.path("socket"));
    let svscan = fixture.start_command("out", command);
    let heard = std::cell::RefCell::new(String::new());
    let until_heard = |words: &str| {
        until(&format!("svscan says {words}"), || {
            heard.borrow_mut().push_str(&hear());
            *heard.borrow() == words
        });
    };
    until_heard("READY=1");

    programs.replace();
    send(svscan, Signal::SIGURG);
    programs.until_executed(2);
    send(svscan, Signal::SIGTERM);
    assert_eq!(fixture.wait(svscan), Some(0));
    until_heard("READY=1STOPPING=1");
}

#[test]
fn finish_and_a_deadline_are_handed_on() {
    let fixture = ServiceFixture::with_service("trap '' TERM; echo run >>order; while :; do sleep 0.01; done");
    fixture.script("sv/a/finish", "echo finish >>order; until [ -e go ]; do sleep 0.01; done; echo \"$@\" >>order");
    fixture.write("sv/a/timeout-kill", "1500\n");
    let programs = ReplacedPrograms::new(&fixture);
    let supervise = fixture.start_command("out", programs.command("supervise", &["sv/a"]));
    until("it runs", || fixture.read("sv/a/order") == "run\n");
    let replace = || {
        programs.replace();
        send(supervise, Signal::SIGURG);
        programs.until_executed(1);
    };

    // It is killed after its time, by the program that was not there when it was asked to end.
    fixture.svc(&["-d", "sv/a"]);
    fixture.until_stat("sv/a", "want down");
    // finish has more time.
    fixture.write("sv/a/timeout-kill", "100000\n");
    replace();
    until("finish runs", || fixture.read("sv/a/order") == "run\nfinish\n");
    replace();
    fixture.svc(&["-u", "sv/a"]);
    replace();
    fixture.write("sv/a/go", "");
    until_shown(&fixture, "run follows finish", || fixture.read("sv/a/order") == "run\nfinish\n-1 9\nrun\n");
    assert_eq!(fixture.read("out"), "");
    fixture.svc(&["-dkx", "sv/a"]);
    assert_eq!(fixture.wait(supervise), Some(0));
}

/// A file that must not be executed in the place of a program.
fn bad_file(kind: &str, good: &Path, new: &Path) {
    match kind {
        "older" => {
            let bytes = fs::read(good).unwrap();
            let header = b"logyard state, version 1, of ";
            let at = bytes.windows(header.len()).position(|window| window == header).expect("the header is there");
            let mut older = bytes;
            older[at + header.len() - "1, of ".len()] = b'0';
            let prepared = new.with_extension("prepared");
            fs::write(&prepared, older).unwrap();
            executable::copy(&prepared, new);
            fs::remove_file(prepared).unwrap();
        }
        "garbage" => {
            executable::script(new, "");
            // No program, but something that a shell would do.
            let prepared = new.with_extension("prepared");
            fs::write(&prepared, format!("echo ran >>{}\n", new.with_file_name("ran").display())).unwrap();
            executable::copy(&prepared, new);
            fs::remove_file(prepared).unwrap();
        }
        "torn" => {
            let prepared = new.with_extension("prepared");
            fs::write(&prepared, &fs::read(good).unwrap()[..3000]).unwrap();
            executable::copy(&prepared, new);
            fs::remove_file(prepared).unwrap();
        }
        "other" => executable::copy(&tool("true").unwrap(), new),
        "before" => executable::script(new, "echo \"${0##*/}: fatal: unable to chdir to $1\" >&2\nexit 111"),
        "writable" => {
            executable::copy(good, new);
            fs::set_permissions(new, fs::Permissions::from_mode(0o775)).unwrap();
        }
        "refused" => {
            executable::copy(good, new);
            fs::set_permissions(new, fs::Permissions::from_mode(0o644)).unwrap();
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_old_programs_continue_where_the_new_ones_cannot_take_over() {
    let fixture = ServiceFixture::new();
    let tree = Tree::new(&fixture, 1);
    let before = (tree.pids(), tree.programs.running());
    let mut said = 0;
    let mut ask = |what: &str, reason: &str| {
        send(tree.svscan, Signal::SIGURG);
        let refusal = format!(", continuing as before: {reason}");
        let all = || fixture.read("out").split_off(said);
        until(&format!("all have refused the {what} file; {}", all()), || {
            all().lines().filter(|line| line.contains(&refusal)).count() == tree.count()
        });
        let text = all();
        for program in ["svscan", "supervise"] {
            let path = tree.programs.path(program).display().to_string();
            assert!(text.contains(&format!("{program}: warning: unable to execute {path}")), "{text}");
        }
        said += text.len();
        tree.until_moving();
        let running: Vec<i32> = tree.programs.running().into_iter().map(|(pid, _)| pid).collect();
        let expected: Vec<i32> = before.1.iter().map(|(pid, _)| *pid).collect();
        assert_eq!((tree.pids(), running), (before.0.clone(), expected), "{what}");
    };

    for (kind, reason) in [
        ("older", "it does not accept the state"),
        ("garbage", "exec format error"),
        ("torn", ""),
        ("other", "it does not accept the state"),
        ("before", "it does not accept the state"),
        ("writable", &format!("{}", fixture.path("bin/").display())),
        ("refused", "access denied"),
    ] {
        for program in ["svscan", "supervise"] {
            let good = fixture.path(format!("versions/0/{program}"));
            tree.programs.put(program, |new| bad_file(kind, &good, new));
        }
        ask(kind, reason);
    }
    assert!(!fixture.exists("bin/ran"), "a shell has run it");
    let text = fixture.read("out");
    assert!(text.contains("svscan: fatal: unable to accept the state: its version is unknown\n"), "{text}");
    assert!(text.contains("supervise: fatal: unable to accept the state: its version is unknown\n"), "{text}");
    for program in ["svscan", "supervise"] {
        fs::remove_file(tree.programs.path(program)).unwrap();
    }
    ask("missing", "file does not exist");
    tree.programs.replace();
    fs::set_permissions(fixture.path("bin"), fs::Permissions::from_mode(0o777)).unwrap();
    ask("folder's", &format!("{} is writable by others", fixture.path("bin").canonicalize().unwrap().display()));
    fs::set_permissions(fixture.path("bin"), fs::Permissions::from_mode(0o755)).unwrap();

    // Nothing of this is in the way of a good one.
    tree.replace();
    assert_eq!(tree.pids(), before.0);
    tree.end();
}

#[test]
fn a_file_that_does_not_answer_holds_nothing_up() {
    let fixture = ServiceFixture::new();
    let tree = Tree::new(&fixture, 1);
    for program in ["svscan", "supervise"] {
        tree.programs.put(program, |new| executable::script(new, "exec sleep 1000"));
    }
    send(tree.svscan, Signal::SIGURG);
    until("all have asked it", || fixture.processes_of("sleep 1000").len() == tree.count());

    let service = fixture.pid("sv/s0");
    fixture.svc(&["-t", "sv/s0"]);
    until("the service was restarted", || ![0, service].contains(&fixture.pid("sv/s0")));
    tree.until_moving();
    let start = Instant::now();
    tree.end();
    assert!(start.elapsed() < Duration::from_secs(30), "nobody waited for the answer");
}

#[test]
fn svscanboot_passes_the_request_on() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    let programs = ReplacedPrograms::new(&fixture);
    let scanned = fixture.path("sv").display().to_string();
    let boot = fixture.start_command("out", programs.command("svscanboot", &[&scanned]));
    fixture.until_stat("sv/a", "up");
    let service = fixture.pid("sv/a");

    programs.replace();
    send(boot, Signal::SIGURG);
    programs.until_executed(2);
    assert_eq!(fixture.pid("sv/a"), service);
    send(boot, Signal::SIGTERM);
    assert_eq!(fixture.wait(boot), Some(0));
}

/// Holds a process up in the next `execve` that it makes, does something, and lets it go.
fn during_execution(strace: &mut Command, process: i32, ask: impl Fn(), act: impl Fn()) {
    let delay = "inject=execve:delay_enter=1500000:when=1";
    strace.args(["-qq", "-o", "/dev/null", "-e", "trace=execve", "-e", delay, "-p", &process.to_string()]);
    let mut tracer = strace.spawn().unwrap();
    let status = |word: &str| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        status.lines().find_map(|line| Some(line.strip_prefix(word)?.trim().to_owned())).unwrap_or_default()
    };
    until("strace traces it", || status("TracerPid:") != "0");
    ask();
    until("it is held up", || {
        (0..20).all(|_| {
            std::thread::sleep(Duration::from_millis(2));
            status("State:").starts_with('t')
        })
    });
    act();
    until("it has executed the program", || !status("State:").starts_with('t'));
    // strace has nothing more to do.
    send(tracer.id().cast_signed(), Signal::SIGTERM);
    tracer.wait().unwrap();
}

#[test]
fn what_arrives_during_the_execution_is_not_missed() {
    let tracer = || strace("nothing was done during the execution of a program");
    if tracer().is_none() {
        return;
    }
    let fixture = ServiceFixture::new();
    let tree = Tree::new(&fixture, 1);
    let executed = || tree.programs.until_executed(tree.count());

    // The service of a supervise ends, and a command comes.
    let [supervise, log] = ["supervise s0", "supervise s0/log"].map(|command| fixture.processes_of(command)[0]);
    let service = fixture.pid("sv/s0");
    tree.programs.replace();
    during_execution(&mut tracer().unwrap(), supervise, || send(tree.svscan, Signal::SIGURG), || kill_by_id(service));
    executed();
    until("its end was noticed", || fixture.read("sv/s0/supervise/last-exit") == "signal 9\n");
    tree.until_moving();
    tree.programs.replace();
    let down = || drop(fixture.svc(&["-d", "sv/s0/log"]));
    during_execution(&mut tracer().unwrap(), log, || send(tree.svscan, Signal::SIGURG), down);
    fixture.until_stat("sv/s0/log", "down");
    fixture.svc(&["-u", "sv/s0/log"]);
    executed();
    tree.until_moving();

    // A supervise is killed while svscan is held up, and a service is added.
    tree.programs.replace();
    let ask = || send(tree.svscan, Signal::SIGURG);
    let service = fixture.pid("sv/s0");
    during_execution(&mut tracer().unwrap(), tree.svscan, ask, || {
        kill_by_id(supervise);
        fixture.script("sv/new/run", "exec sleep 1000");
    });
    fixture.until_stat("sv/new", "up");
    until("another supervise came", || !fixture.processes_of("supervise s0").is_empty());
    tree.until_moving();
    assert_eq!(fixture.pid("sv/s0"), service, "it was adopted");

    // TERM for svscan.
    tree.programs.replace();
    during_execution(&mut tracer().unwrap(), tree.svscan, ask, || send(tree.svscan, Signal::SIGTERM));
    assert_eq!(fixture.wait(tree.svscan), Some(0), "{}", fixture.read("out"));
    until("nothing is left", || {
        fixture.processes().iter().all(|seen| seen.command.starts_with("sleep 0.") || seen.state == 'Z')
    });
    numbered::check(&fixture, "s0");
}

#[test]
fn svscan_as_process_1_is_replaced() {
    if !is_root("run svscan as process 1 of a namespace") {
        return;
    }
    let Some(unshare) = tool("unshare") else { return };
    let may = Command::new(&unshare).args(["--pid", "--fork", "--kill-child", "--mount-proc", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        testkit::skipped("unshare is not allowed here, so svscan was not process 1");
        return;
    }
    let fixture = ServiceFixture::new();
    let mut tree = Tree::run_by(&fixture, 2, |programs| {
        let svscan = programs.path("svscan").display().to_string();
        let mut command =
            fixture.command(&unshare, &["--pid", "--fork", "--kill-child", "--mount-proc", "--", &svscan, "sv"]);
        command.env("PATH", programs.directories());
        command
    });
    let outer = tree.svscan;
    let seen = fixture.processes();
    tree.svscan = seen.iter().find(|seen| seen.parent == outer).expect("unshare has a child").pid;
    let before = tree.pids();

    for _ in 0..3 {
        tree.replace();
        tree.until_moving();
        assert_eq!(tree.pids(), before);
    }
    // An orphan of the namespace is collected.
    fixture.script("sv/orphan/run", "(sleep 0.1 & echo $! >orphan); exec sleep 1000");
    until("it was made", || !fixture.read("sv/orphan/orphan").is_empty());
    fixture.until_stat("sv/orphan", "up");
    until("nothing waits to be collected", || fixture.processes().iter().all(|seen| seen.state != 'Z'));
    send(tree.svscan, Signal::SIGTERM);
    assert_eq!(fixture.wait(outer), Some(0), "{}", fixture.read("out"));
    for service in &tree.services {
        numbered::check(&fixture, service);
    }
}

/// Whom a round kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Nobody,
    Svscan,
    Supervise,
    LogSupervise,
    Service,
    Logger,
}

/// Replaces the programs again and again while all services write. In every second round something is killed a moment after
/// the request, so that it may be killed before, during or after the execution.
fn replace_and_kill(services: usize, rounds: u64) {
    let fixture = ServiceFixture::new();
    let mut tree = Tree::new(&fixture, services);
    let victims = [Victim::Svscan, Victim::Supervise, Victim::LogSupervise, Victim::Service, Victim::Logger];
    for round in 0..rounds {
        let victim = if round % 2 == 0 { Victim::Nobody } else { victims[(round / 2) as usize % victims.len()] };
        let before = tree.pids();
        let service = &tree.services[(round / 2) as usize % services];
        let first = |command: &str| fixture.processes_of(command).into_iter().min();
        let process = match victim {
            Victim::Nobody => None,
            Victim::Svscan => Some(tree.svscan),
            Victim::Supervise => first(&format!("supervise {service}")),
            Victim::LogSupervise => first(&format!("supervise {service}/log")),
            Victim::Service => Some(fixture.pid(&format!("sv/{service}"))),
            Victim::Logger => Some(fixture.pid(&format!("sv/{service}/log"))),
        };
        tree.programs.replace();
        send(tree.svscan, Signal::SIGURG);
        if let Some(process) = process {
            // From the fork of the trial to the first lines of the new program.
            std::thread::sleep(Duration::from_micros(round * 1_777 % 60_000));
            kill_by_id(process);
        }
        if victim == Victim::Svscan {
            fixture.wait(tree.svscan);
            tree.svscan = fixture.start_command("out", tree.programs.command("svscan", &["sv"]));
            // Before that, it has nobody to ask.
            until("svscan has found every supervise", || found_supervisors(tree.svscan) == tree.count() - 1);
        }
        tree.until_moving();
        if victim != Victim::Nobody {
            // A request may be lost with the svscan that has it.
            send(tree.svscan, Signal::SIGURG);
        }
        tree.programs.until_executed(tree.count());
        tree.until_moving();
        let kept = before.iter().zip(tree.pids()).filter(|(before, after)| *before == after).count();
        let ended = usize::from(matches!(victim, Victim::Service | Victim::Logger));
        assert_eq!(kept, before.len() - ended, "round {round}, {victim:?}: {}", fixture.read("out"));
    }
    tree.end();
}

/// How many supervisors a svscan has found running: it holds their FIFOs.
fn found_supervisors(svscan: i32) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{svscan}/fd")).into_iter().flatten().flatten();
    let targets = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    targets.filter(|target| target.ends_with("supervise/ok")).count()
}

#[test]
fn a_kill_at_any_moment_loses_and_doubles_nothing() {
    replace_and_kill(2, 10);
}

#[test]
#[ignore = "the long version"]
fn torture_a_hundred_replacements_with_fifty_kills() {
    replace_and_kill(6, 100);
}
