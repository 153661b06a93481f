//! supervise and svscan with a standard error that is full and that nobody reads.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use testkit::service_fixture::{Maker, ServiceFixture, send};
use testkit::unread::{Kind, Unread};
use testkit::{Workdir, until};

fn make_sticky(fixture: &ServiceFixture, service: &str) {
    fs::set_permissions(fixture.path(service), fs::Permissions::from_mode(0o1755)).unwrap();
}

#[test]
fn supervise_works_if_nobody_reads_its_messages() {
    for kind in Kind::ALL {
        let fixture = ServiceFixture::new();
        let dir = Workdir::new();
        let mut unread = Unread::new(kind, &dir);
        // Not to be executed: each attempt is a message.
        fs::create_dir(fixture.path("sv/a")).unwrap();
        fs::write(fixture.path("sv/a/run"), "nonsense").unwrap();
        let command = fixture.command(Maker::Ours.program("supervise"), &["sv/a"]);
        let supervisor = fixture.start_with_stderr(command, unread.stdio());
        let starts = || fixture.read("sv/a/supervise/starts").trim().parse().unwrap_or(0);
        until("it has tried twice", || starts() >= 2);

        // Once run can be run, it is.
        fixture.script("sv/a/run", "exec sleep 1000");
        fixture.until_stat("sv/a", "up");
        assert!(unread.is_blocking());
        fixture.svc(&["-dx", "sv/a"]);
        fixture.wait(supervisor);
        unread.read();
    }
}

#[test]
fn svscan_works_and_obeys_term_if_nobody_reads_its_messages() {
    for kind in Kind::ALL {
        let fixture = ServiceFixture::new();
        let dir = Workdir::new();
        let mut unread = Unread::new(kind, &dir);
        // A sticky service without a log is a message.
        for number in 0..20 {
            fixture.script(&format!("sv/sticky{number}/run"), "exec sleep 1000");
            make_sticky(&fixture, &format!("sv/sticky{number}"));
        }
        fixture.script("sv/a/run", "exec sleep 1000");
        let command = fixture.command(Maker::Ours.program("svscan"), &["sv"]);
        let scanner = fixture.start_with_stderr(command, unread.stdio());
        fixture.until_stat("sv/a", "up");

        send(scanner, Signal::SIGTERM);

        fixture.wait(scanner);
        assert!(unread.is_blocking());
        unread.read();
    }
}

#[test]
fn svscan_says_on_a_terminal_why_a_supervisor_cannot_be_started() {
    let fixture = ServiceFixture::new();
    let dir = Workdir::new();
    let mut terminal = Unread::new(Kind::Terminal, &dir);
    terminal.read();
    fixture.script("sv/a/run", "exec sleep 1000");
    // Where there is no supervise, and without whatever else this test was started with.
    fs::copy(Maker::Ours.program("svscan"), fixture.path("svscan")).unwrap();
    let start = "for fd in /proc/$$/fd/*; do n=${fd##*/}; [ $n -le 2 ] || eval \"exec $n>&-\"; done; exec ./svscan sv";
    let mut command = fixture.command("/bin/bash", &["-c", start]);
    command.env("PATH", "/nonexistent");
    let scanner = fixture.start_with_stderr(command, terminal.stdio());

    terminal.read_until("it says why", |text| text.contains("unable to start supervise a: file does not exist"));

    send(scanner, Signal::SIGTERM);
    fixture.wait(scanner);
}

#[test]
fn svscan_survives_the_end_of_the_reader_of_its_messages() {
    let fixture = ServiceFixture::new();
    fixture.script("sv/sticky/run", "exec sleep 1000");
    make_sticky(&fixture, "sv/sticky");
    fixture.script("sv/zoo/run", "exec sleep 1000");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let command = fixture.command(Maker::Ours.program("svscan"), &["sv"]);
    let scanner = fixture.start_with_stderr(command, writer.into());
    fixture.until_stat("sv/zoo", "up");

    // SIGPIPE would have come before, or comes with the next message.
    fixture.script("sv/later/run", "exec sleep 1000");
    make_sticky(&fixture, "sv/later");
    fixture.script("sv/last/run", "exec sleep 1000");
    fixture.until_stat("sv/last", "up");

    send(scanner, Signal::SIGTERM);
    fixture.wait(scanner);
}
