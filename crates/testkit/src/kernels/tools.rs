//! Commands that run to their end, each under each refusal.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::{Outcome, Refusal, play};
use crate::Workdir;
use crate::logdir::mask_labels;

/// Command lines for a shell, each with its name.
pub type Commands = &'static [(&'static str, &'static str)];

/// The directory in which the commands run, and the socket of a syslogd in it.
pub fn workdir() -> (Workdir, UnixDatagram) {
    let workdir = Workdir::new();
    for directory in ["main", "env", "root"] {
        fs::create_dir(workdir.join(directory)).unwrap();
    }
    fs::write(workdir.join("env/ONE"), "value\n").unwrap();
    let first = format!("@{} first\n", "400000003ce2403d00000000");
    fs::write(workdir.join("main/@400000003ce2403e00000000.s"), first).unwrap();
    fs::write(workdir.join("main/current"), "@400000003ce2403f00000000 second\n@400000003ce2404000000000 third\n")
        .unwrap();
    let socket = UnixDatagram::bind(workdir.join("socket")).unwrap();
    (workdir, socket)
}

/// Runs all the commands in one shell; returns for each its output with standard error, and its exit code at the end.
fn run_all(
    commands: Commands,
    directory: &Path,
    command: &dyn Fn(&Path, &[&str], &Path) -> std::process::Command,
) -> BTreeMap<&'static str, String> {
    let (workdir, _socket) = workdir();
    let script: String = commands
        .iter()
        .enumerate()
        .map(|(number, (_, command))| format!("({command}) >out.{number} 2>&1; echo $? >>out.{number}\n"))
        .collect();
    let mut shell = command(Path::new("/bin/sh"), &["-c", &script], &workdir.join("stdout"));
    let path = format!("{}:/usr/bin:/bin", directory.display());
    let done = shell.current_dir(workdir.path()).env("PATH", path).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = |number: usize| {
        let bytes = fs::read(workdir.join(format!("out.{number}"))).unwrap_or_default();
        let text = String::from_utf8_lossy(&mask_labels(&bytes)).into_owned();
        text.replace(&workdir.path().display().to_string(), "WORK")
    };
    commands.iter().enumerate().map(|(number, (name, _))| (*name, said(number))).collect()
}

/// Every command says the same as without a refusal, or one warning more, or why it cannot.
fn does_the_same(
    commands: Commands,
    directory: &Path,
    refusal: &Refusal,
    unrefused: &BTreeMap<&str, String>,
) -> Outcome {
    let refused =
        run_all(commands, directory, &|program, arguments, output| refusal.command(program, arguments, Some(output)));
    let mut outcome = Vec::new();
    for (name, said) in refused {
        let expected = &unrefused[name];
        if said == *expected {
            continue;
        }
        let lines: Vec<&str> = said.lines().collect();
        let without_warnings: String =
            lines.iter().filter(|line| !line.contains(": warning: ")).map(|line| format!("{line}\n")).collect();
        let [.., message, "111"] = lines[..] else {
            let warnings = lines.iter().filter(|line| line.contains(": warning: ")).count();
            assert!(without_warnings == *expected && warnings == 1, "{name}: {said}\nand not\n{expected}");
            outcome.push(format!("{name} warns: {}", lines.iter().find(|line| line.contains(": warning: ")).unwrap()));
            continue;
        };
        assert!(lines.len() == 2 && message.contains(": fatal: "), "{name}: {said}\nand not\n{expected}");
        outcome.push(format!("{name} declines: {message}"));
    }
    match outcome.is_empty() {
        true => Outcome::Same,
        false if outcome.iter().all(|one| one.contains(" declines: ")) => Outcome::Declined(outcome.join("; ")),
        false => Outcome::Weaker(outcome.join("; ")),
    }
}

/// Runs each command under each refusal; the programs are in `directory`.
#[track_caller]
pub fn every_command_works(commands: Commands, directory: &Path) {
    let unrefused = run_all(commands, directory, &|program, arguments, _| {
        let mut command = std::process::Command::new(program);
        command.args(arguments);
        command
    });
    play("tools", &Refusal::all(), |refusal| does_the_same(commands, directory, refusal, &unrefused));
}
