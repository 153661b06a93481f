//! `--version`: which version is installed.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use logyard::setup::layout::COMMANDS;
use logyard::setup::pages::PAGES;

use testkit::{Workdir, program};

/// Its argument is the text that it shows.
const WITHOUT: &str = "readproctitle";

fn command(name: &str, arguments: &[&str], directory: &Workdir) -> Command {
    let mut command = Command::new(program(name));
    command.args(arguments).current_dir(directory.path()).stdin(Stdio::null());
    command
}

#[test]
fn each_program_prints_its_version() {
    let dir = Workdir::new();
    for name in COMMANDS.into_iter().filter(|&name| name != WITHOUT) {
        let output = command(name, &["--version"], &dir).output().unwrap();

        let expected = format!("{name} {} (logyard)\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]), "{name}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing else has been done");
}

#[test]
fn each_manual_page_says_how_to_learn_the_version() {
    for (page, text) in PAGES.iter().filter(|(page, _)| !page.ends_with(".5")) {
        assert_eq!(text.contains("\\-\\-version"), *page != "readproctitle.8", "{page}");
    }
}

#[test]
fn beside_other_arguments_the_word_means_what_it_means_to_0_76() {
    let dir = Workdir::new();
    std::fs::write(dir.join("input"), "-version\nother\n").unwrap();
    let mut multilog = command("multilog", &["--version", "./main"], &dir);
    let output = multilog.stdin(std::fs::File::open(dir.join("input")).unwrap()).output().unwrap();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    assert_eq!(std::fs::read_to_string(dir.join("main/current")).unwrap(), "other\n");

    std::fs::create_dir(dir.join("--version")).unwrap();
    let output = command("svstat", &["--", "--version"], &dir).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "--version: unable to open supervise/ok: file does not exist\n"
    );
    let output = command("setlock", &["--version", "lock", "true"], &dir).output().unwrap();
    assert!(output.status.success() && dir.join("lock").exists(), "{output:?}");
}

#[test]
fn a_version_that_cannot_be_written_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();

    let output = command("svok", &["--version"], &Workdir::new()).stdout(full).output().unwrap();

    assert_eq!(output.status.code(), Some(111));
    assert_eq!(output.stderr, b"svok: fatal: unable to write output: out of disk space\n");
}
