//! Whatever files with whatever modes a directory holds, a logger puts them right: it can append, every byte that was in
//! a file is kept, names only increase, and a second look finds nothing more to do.
#![no_main]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use logyard::cli::Messages;
use logyard::multilog::error::Error;
use logyard::multilog::patience::Patience;
use logyard::multilog::script::Script;
use logyard::multilog::writer::locked_directory::LockedDirectory;

#[derive(Arbitrary, Debug)]
enum Name {
    Current,
    Previous,
    Processed,
    State,
    Newstate,
    Lock,
    Journal,
    Archive(u64, bool),
    Other(u8),
}

#[derive(Arbitrary, Debug)]
enum Kind {
    Plain { is_done: bool, content: Vec<u8> },
    Directory,
    Dangling,
    SecondName,
}

/// Nothing may go wrong here for longer than once.
struct Impatient;

impl Patience for Impatient {
    fn pause(&mut self, trouble: Error) -> Result<(), Error> {
        Err(trouble)
    }

    fn complain(&mut self, _: &Error) {}

    fn messages(&self) -> Messages {
        Messages::DROPPED
    }
}

fn put(directory: &Path, name: &Name, kind: &Kind) {
    let name = match name {
        Name::Current => "current".into(),
        Name::Previous => "previous".into(),
        Name::Processed => "processed".into(),
        Name::State => "state".into(),
        Name::Newstate => "newstate".into(),
        Name::Lock => "lock".into(),
        Name::Journal => "journal".into(),
        Name::Archive(label, is_safe) => {
            format!("@4{:015x}{:08x}.{}", label & 0xffff_ffff_ffff, 7, if *is_safe { 's' } else { 'u' })
        }
        Name::Other(number) => format!("other{number}"),
    };
    let path = directory.join(name);
    if path.symlink_metadata().is_ok() {
        return;
    }
    match kind {
        Kind::Plain { is_done, content } => {
            File::create(&path).and_then(|mut file| file.write_all(content)).expect("it can be written");
            let mode = if *is_done { 0o744 } else { 0o644 };
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("the mode can be set");
        }
        Kind::Directory => drop(fs::create_dir(&path)),
        Kind::Dangling => drop(std::os::unix::fs::symlink("nowhere", &path)),
        Kind::SecondName => {
            let first = directory.join("current");
            drop(fs::hard_link(first, &path));
        }
    }
}

/// What the archives and `current` hold, by name.
fn logs(directory: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut logs = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let name = entry.file_name().as_bytes().to_vec();
        if name.starts_with(b"@") && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            logs.insert(name, fs::read(entry.path()).expect("it can be read"));
        }
    }
    logs
}

fuzz_target!(|input: Vec<(Name, Kind)>| {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let world = tempfile::tempdir_in(place).expect("there is a place for files");
    let directory = world.path().join("main");
    fs::create_dir(&directory).expect("it is new");
    for (name, kind) in input.iter().take(12) {
        put(&directory, name, kind);
    }
    let before = logs(&directory);
    let current = fs::read(directory.join("current")).unwrap_or_default();
    let is_plain = directory.join("current").symlink_metadata().is_ok_and(|stat| stat.is_file());
    let path = CString::new(directory.as_os_str().as_bytes()).expect("no NUL is in it");
    let words: [&'static CStr; 2] = [c"n1000", &*Box::leak(path.into_boxed_c_str())];
    let script = Script::parse(&words);

    for _ in 0..2 {
        let Ok(locked) = LockedDirectory::new(&script.directories[0]) else { break };
        let Ok(mut log) = locked.open(false, &mut Impatient) else { break };
        assert!(log.append(b"a line\n").is_ok());
        let _ = log.seal(&mut Impatient);
    }

    let after = logs(&directory);
    assert!(before.iter().all(|(name, content)| after.get(name) == Some(content)), "an archive has changed");
    let now = fs::read(directory.join("current")).unwrap_or_default();
    let is_kept =
        |content: &[u8]| now.starts_with(content) || after.values().any(|archive| archive.starts_with(content));
    assert!(!is_plain || is_kept(&current), "what current held is gone");
    drop(script);
    // SAFETY: leaked above, and the script that borrowed it is gone.
    drop(unsafe { Box::from_raw(std::ptr::from_ref(words[1]).cast_mut()) });
});
