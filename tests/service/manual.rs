//! The manual pages: one for each command, rendered without a warning.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use logyard::setup::layout::{COMMANDS, OPTIONAL};
use logyard::setup::pages::PAGES;

use testkit::skipped;

/// The pages' directory.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/man")
}

/// The names of the programs that the package builds.
fn programs() -> BTreeSet<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    let names = std::fs::read_dir(sources).unwrap().map(|entry| entry.unwrap().path());
    names.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn setup_installs_every_program_and_every_manual_page() {
    let installed: BTreeSet<String> = COMMANDS.iter().chain(&OPTIONAL).map(|&name| name.to_owned()).collect();
    let missing: Vec<_> = programs().difference(&installed).cloned().collect();
    assert!(missing.is_empty(), "setup does not know {missing:?}");
    for command in COMMANDS {
        assert!(programs().contains(command), "setup knows {command}, which is not built");
    }

    let carried: BTreeSet<String> = PAGES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let written: BTreeSet<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(carried, written, "setup carries the pages of doc/man");
}

#[test]
fn every_command_has_a_manual_page() {
    let pages: BTreeSet<&str> = PAGES.iter().map(|(name, _)| *name).collect();
    for command in programs() {
        let has_page = [1, 8].iter().any(|section| pages.contains(format!("{command}.{section}").as_str()));
        if !has_page && OPTIONAL.contains(&command.as_str()) {
            skipped(format_args!("{command} has no manual page yet"));
            continue;
        }
        assert!(has_page, "{command} has no manual page");
    }
}

#[test]
fn every_manual_page_renders_without_a_warning() {
    let renderers: [&[&str]; 3] = [
        &["mandoc", "-T", "lint", "-W", "warning"],
        &["groff", "-ww", "-man", "-T", "utf8", "-z"],
        &["man", "--warnings", "-E", "UTF-8", "-l"],
    ];
    for renderer in renderers {
        for (name, _) in PAGES {
            let rendered = Command::new(renderer[0]).args(&renderer[1..]).arg(directory().join(name)).output();
            let Ok(rendered) = rendered else {
                skipped(format_args!("{} is not installed, so the manual pages were not checked with it", renderer[0]));
                break;
            };
            // mandoc says what it found on standard output, and warns of things that it has to leave to the reader's eye.
            let mut words = String::from_utf8_lossy(&rendered.stderr).into_owned();
            if renderer[0] == "mandoc" {
                words += &String::from_utf8_lossy(&rendered.stdout);
            }
            assert!(rendered.status.success() && words.is_empty(), "{} on {name}: {words}", renderer[0]);
        }
    }
}

#[test]
fn every_manual_page_begins_with_examples() {
    for (name, text) in PAGES {
        let sections: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let first = sections.iter().find(|section| !["NAME", "SYNOPSIS"].contains(section));
        assert_eq!(first, Some(&"EXAMPLES"), "{name} has {sections:?}");
        if name.ends_with(".8") {
            assert!(sections.contains(&"EXIT STATUS"), "{name} says how the program ends");
        }
    }
}
