//! Archives that appear while logship stays.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use testkit::logger::Running;
use testkit::until;

use crate::{Fixture, assert_says, label};

fn start(command: &mut Command, messages: &Path) -> Running {
    Running::start(command.stdout(Stdio::null()).stderr(fs::File::create(messages).unwrap()))
}

#[test]
fn an_archive_is_shipped_when_it_appears() {
    let fixture = Fixture::new();
    fixture.archives("mail", 2, 10);
    let (url, messages) = (fixture.url(), fixture.workdir.join("messages"));
    let metrics = fixture.workdir.join("metrics");
    let metrics_path = metrics.to_str().unwrap();
    let mut command = fixture.command(&["ship", "--host", "h1", "--metrics", metrics_path, "mail/log/main", &url]);
    let mut shipper = start(&mut command, &messages);
    until("what was there is shipped", || fixture.objects().len() == 2);

    // As multilog does it: the file gets its name when it is complete.
    let previous = fixture.archive("mail", "previous", format!("{} late\n", label(7000)));
    fs::hard_link(&previous, fixture.log("mail").join(format!("{}.s", label(7000)))).unwrap();
    fs::remove_file(previous).unwrap();

    until("the new archive is shipped", || fixture.objects().len() == 3);
    until("the metrics say so", || {
        let text = fs::read_to_string(&metrics).unwrap_or_default();
        text.contains("\nlogship_archives_shipped_total 3\n") && text.contains("\nlogship_lines_shipped_total 21\n")
    });
    assert!(shipper.is_alive());
    shipper.kill();
    assert_eq!(fs::read_to_string(messages).unwrap(), "");
}

#[test]
fn the_supervisor_is_notified_when_the_store_was_probed() {
    let fixture = Fixture::new();
    fixture.log("mail");
    let url = fixture.url();
    let (mut reader, writer) = std::io::pipe().unwrap();
    // Shells know descriptors of one digit only.
    let script =
        format!("exec {} ship --ready-fd 3 mail/log/main {url} 3>&1 1>/dev/null", env!("CARGO_BIN_EXE_logship"));
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script]).current_dir(fixture.workdir.path()).stdin(Stdio::null()).stdout(writer);
    let shipper = Running::start(command.stderr(fs::File::create(fixture.workdir.join("messages")).unwrap()));
    drop(command);
    let mut byte = [0];

    reader.read_exact(&mut byte).unwrap();

    assert_eq!(byte, *b"\n");
    shipper.kill();
}

#[test]
fn a_descriptor_that_is_closed_is_an_error() {
    let fixture = Fixture::new();
    fixture.log("mail");

    let output = fixture.run(&["ship", "--ready-fd", "9", "mail/log/main", &fixture.url()]);

    assert_says(&output, 111, "unable to use descriptor 9");
}

#[test]
fn a_directory_that_is_moved_ends_the_program() {
    let fixture = Fixture::new();
    fixture.archives("mail", 1, 1);
    let messages = fixture.workdir.join("messages");
    let mut shipper = start(&mut fixture.command(&["ship", "mail/log/main", &fixture.url()]), &messages);
    until("it is at work", || fixture.objects().len() == 1);

    fs::rename(fixture.log("mail"), fixture.workdir.join("elsewhere")).unwrap();

    assert_eq!(shipper.end().code(), Some(111));
    let words = "logship: fatal: directory mail/log/main was moved or removed\n";
    assert_eq!(fs::read_to_string(messages).unwrap(), words);
}

#[test]
fn an_archive_that_is_trimmed_while_the_store_is_away_is_counted_and_named() {
    let fixture = Fixture::new();
    fixture.archives("mail", 1, 1);
    let (messages, metrics) = (fixture.workdir.join("messages"), fixture.workdir.join("metrics"));
    let metrics_path = metrics.to_str().unwrap();
    let mut command = fixture.command(&["ship", "--metrics", metrics_path, "mail/log/main", &fixture.url()]);
    let shipper = start(&mut command, &messages);
    until("it is at work", || fixture.objects().len() == 1);
    fs::rename(fixture.store(), fixture.workdir.join("away")).unwrap();
    fs::write(fixture.store(), "no directory").unwrap();
    fixture.archive("mail", &format!("{}.s", label(5000)), "waits\n");
    until("it waits", || fs::read_to_string(&messages).unwrap().contains(", retrying\n"));

    let trimmed = fixture.archive("mail", &format!("{}.s", label(6000)), "trimmed\n");
    fs::remove_file(trimmed).unwrap();
    fs::remove_file(fixture.store()).unwrap();
    fs::rename(fixture.workdir.join("away"), fixture.store()).unwrap();

    until("what waits is shipped", || fixture.objects().len() == 2);
    let words = format!("logship: warning: mail/log/main/{}.s was removed before it was shipped\n", label(6000));
    until("the other is named", || fs::read_to_string(&messages).unwrap().contains(&words));
    until("and counted", || fs::read_to_string(&metrics).unwrap().contains("\nlogship_archives_lost_total 1\n"));
    shipper.kill();
}

#[test]
fn an_object_that_is_none_does_not_stop_the_others() {
    let fixture = Fixture::new();
    fixture.archives("mail", 1, 1);
    fixture.ship(&["mail"]);
    let key = fixture.objects().into_keys().next().unwrap();
    fs::write(fixture.store().join(&key), "half an obj").unwrap();
    fixture.archives("mail", 3, 1);
    let messages = fixture.workdir.join("messages");

    let arguments = ["ship", "--parallel", "1", "mail/log/main", &fixture.url()];
    let shipper = start(&mut fixture.command(&arguments), &messages);

    until("the others are shipped", || fixture.objects().len() == 3);
    let words = format!("{key} is no object of logship\n");
    assert!(fs::read_to_string(&messages).unwrap().ends_with(&words), "{}", fs::read_to_string(&messages).unwrap());
    shipper.kill();
}
