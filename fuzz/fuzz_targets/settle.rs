//! Whatever the journals of some directories hold, with checksums that are right, and whatever the files and the pipe hold:
//! a logger that finds them neither stumbles nor takes anything away that was in a file, and what was in the pipe is
//! logged, or was logged before.
#![no_main]

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use logyard::cli::Messages;
use logyard::logdir::checksum::hash;
use logyard::logdir::restraint::Restraint;
use logyard::lines::reader::{Source, Taken};
use logyard::multilog::error::Error;
use logyard::multilog::input::{Input, Wake};
use logyard::multilog::journal::journal_file::Journal;
use logyard::multilog::journal::record::{Clause, Heading, Origin, Record, Rules, samples};
use logyard::multilog::journal::layout;
use logyard::multilog::journal::replay::{Replayed, replay};
use logyard::multilog::open_line::OpenLine;
use logyard::multilog::patience::Patience;
use logyard::multilog::pausing::Pausing;
use logyard::multilog::script::Script;
use logyard::multilog::script::automaton::COMPILER;
use logyard::multilog::script::expression::{Expression, use_compiler};
use logyard::multilog::script::pattern::Pattern;
use logyard::multilog::script::head_rule::{Arrival, HeadRule};
use logyard::multilog::writer::extent::Extent;
use logyard::multilog::writer::locked_directory::LockedDirectory;
use logyard::sys;
use logyard::sys::stat::FileId;
use logyard::tai64n::{Label, StampForm};

const ORIGIN: Origin = Origin { pipe: FileId::new(1, 2), boot: 3 };
const NAMES: [&str; 2] = ["a", "b"];

/// A number that is near something, or any.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Small(u8),
    Size,
    Top(u8),
    Any(u64),
}

impl Number {
    fn get(self, size: u64) -> u64 {
        match self {
            Number::Small(number) => number.into(),
            Number::Size => size,
            Number::Top(below) => u64::MAX - u64::from(below),
            Number::Any(number) => number,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Share {
    directory: u8,
    is_its_current: bool,
    offset: Number,
    output: Number,
    is_doubtful: bool,
    goes_to: [bool; 2],
}

#[derive(Arbitrary, Debug)]
enum Rule {
    Select(Vec<u8>),
    Deselect(Vec<u8>),
    Find(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
struct Page {
    is_ours: bool,
    number: u8,
    stamp: u8,
    prefix: Vec<u8>,
    rules: Vec<Rule>,
    shares: Vec<Share>,
    input: Number,
    fits: bool,
    adds_newline: bool,
    is_open: [bool; 2],
    arrivals: [([u8; 12], i32); 2],
    is_consumed: bool,
    wrong: Option<(u16, u8)>,
}

#[derive(Arbitrary, Debug)]
struct World {
    pages: [Option<Page>; 2],
    raw: Option<Vec<u8>>,
    currents: [Option<(bool, Vec<u8>)>; 2],
    pipe: Vec<u8>,
    names_both: bool,
}

struct Pipe(VecDeque<u8>);

impl Source for Pipe {
    fn take(&mut self, _: &[u8], _: &mut [u8]) -> sys::Result<Option<Taken>> {
        Ok(Some(Taken::End))
    }

    fn consume(&mut self, logged: &[u8], last: &mut [u8]) -> sys::Result<bool> {
        last[0] = self.0[logged.len() - 1];
        self.0.drain(..logged.len());
        Ok(true)
    }
}

impl Input for Pipe {
    fn wait(&mut self, _: Option<Duration>) -> sys::Result<Wake> {
        Ok(Wake::Input)
    }

    fn rest(&mut self, _: Duration) -> bool {
        false
    }

    fn wait_for(&mut self, _: BorrowedFd<'_>) -> sys::Result<bool> {
        Ok(true)
    }

    fn keeps_rest(&self) -> bool {
        true
    }

    fn removed<'r>(&'r self, _unwritten: &'r [u8]) -> &'r [u8] {
        &[]
    }

    fn put_back(&mut self, _: usize) -> bool {
        false
    }

    fn origin(&self) -> Option<Origin> {
        Some(ORIGIN)
    }

    fn peek_again(&mut self, bytes: usize) -> sys::Result<Vec<u8>> {
        Ok(self.0.iter().take(bytes).copied().collect())
    }

    fn look_anew(&mut self) {}
}

struct Impatient;

impl Patience for Impatient {
    fn pause(&mut self, error: Error) -> Result<(), Error> {
        Err(error)
    }

    fn complain(&mut self, _: &Error) {}

    fn messages(&self) -> Messages {
        Messages::DROPPED
    }
}

fn identity(path: &Path) -> FileId {
    path.symlink_metadata().map_or(FileId::default(), |stat| FileId::new(stat.dev(), stat.ino()))
}

fn head_of(page: &Page) -> HeadRule {
    const FORMS: [Option<StampForm>; 6] = [
        None,
        Some(StampForm::Label),
        Some(StampForm::Local),
        Some(StampForm::LocalWithOffset),
        Some(StampForm::Utc),
        Some(StampForm::Epoch),
    ];
    HeadRule { stamp: FORMS[usize::from(page.stamp) % FORMS.len()], prefix: page.prefix.clone() }
}

/// The journal that a page makes, in a world that is made.
fn journal_of(page: &Page, world: &World, place: &Path) -> Vec<u8> {
    let shares = &page.shares[..page.shares.len().min(3)];
    let mut clauses: Vec<Clause> = page
        .rules
        .iter()
        .take(8)
        .map(|rule| match rule {
            Rule::Select(pattern) => Clause::Select(Pattern::star(pattern)),
            Rule::Deselect(pattern) => Clause::Deselect(Pattern::star(pattern)),
            Rule::Find(text) => Clause::Select(Expression::new(text).map_or_else(|_| Pattern::star(text), Pattern::Expression)),
        })
        .collect();
    clauses.extend(shares.iter().map(|_| Clause::Log(Restraint::default())));
    let origin = if page.is_ours { ORIGIN } else { Origin { pipe: FileId::new(1, 9), ..ORIGIN } };
    let name = |share: &Share| hash([place.join(NAMES[usize::from(share.directory) % 2]).as_os_str().as_bytes()]);
    let heading = Heading {
        origin,
        number: page.number.into(),
        rules: Rules { head: head_of(page), clauses },
        names: shares.iter().map(name).collect(),
    };
    let input_bytes = page.input.get(world.pipe.len() as u64);
    let covered = &world.pipe[..usize::try_from(input_bytes).unwrap_or(usize::MAX).min(world.pipe.len())];
    let goes_to = |after: usize| shares.iter().map(|share| share.goes_to[after]).collect();
    let record = Record {
        input_bytes,
        adds_newline: page.adds_newline,
        last_byte: if page.fits { covered.last().copied().unwrap_or(0) } else { 7 },
        samples: samples(if page.fits { covered } else { b"" }),
        arrivals: page.arrivals.map(|(label, offset_seconds)| Arrival {
            label: Label::from_bytes(label).unwrap_or_else(|_| Label::now()),
            offset_seconds,
        }),
        open_lines: [0, 1].map(|after| OpenLine { is_open: page.is_open[after], goes_to: goes_to(after), is_copied: false }),
        extents: shares
            .iter()
            .map(|share| {
                let directory = place.join(NAMES[usize::from(share.directory) % 2]);
                let current = directory.join("current");
                let size = current.metadata().map_or(0, |stat| stat.len());
                Extent {
                    directory: identity(&directory),
                    current: if share.is_its_current { identity(&current) } else { FileId::new(5, 5) },
                    offset_bytes: share.offset.get(size),
                    output_bytes: share.output.get(size),
                    is_doubtful: share.is_doubtful,
                }
            })
            .collect(),
        changes: vec![],
        told: None,
    };
    let mut kept = Journal::new(vec![0; layout::file_bytes(&heading)], &heading);
    kept.begin(&record);
    if page.is_consumed {
        kept.land(|last| last[0] = record.last_byte);
    }
    let mut file = kept.into_memory();
    if let Some((at, byte)) = page.wrong {
        let at = usize::from(at) % file.len();
        file[at] = byte;
    }
    file
}

fuzz_target!(|world: World| {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let dir = tempfile::tempdir_in(place).expect("there is a place for files");
    for (name, current) in NAMES.iter().zip(&world.currents) {
        let directory = dir.path().join(name);
        fs::create_dir(&directory).expect("it is new");
        if let Some((is_done, content)) = current {
            let path = directory.join("current");
            fs::write(&path, content).expect("it can be written");
            let mode = if *is_done { 0o744 } else { 0o644 };
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("the mode can be set");
        }
    }
    for (name, page) in NAMES.iter().zip(&world.pages) {
        if let Some(page) = page {
            let file = journal_of(page, &world, dir.path());
            fs::write(dir.path().join(name).join("journal"), file).expect("it can be written");
        }
    }
    if let Some(raw) = &world.raw {
        fs::write(dir.path().join("a/journal"), raw).expect("it can be written");
    }
    let words: Vec<&'static CStr> = NAMES[..if world.names_both { 2 } else { 1 }]
        .iter()
        .map(|name| {
            let path = CString::new(dir.path().join(name).as_os_str().as_bytes()).expect("no NUL is in it");
            &*Box::leak(path.into_boxed_c_str())
        })
        .collect();
    use_compiler(COMPILER);
    let script = Script::parse(&words);
    let locked: Vec<_> = script.directories.iter().map(|one| LockedDirectory::new(one).expect("it is there")).collect();
    let mut pipe = Pipe(world.pipe.iter().copied().collect());

    let legacy = replay(Some(ORIGIN), &locked, &mut Pausing::new(&mut pipe, Messages::DROPPED)).expect("nothing fails here");

    for (number, locked) in locked.into_iter().enumerate() {
        let directory = dir.path().join(NAMES[number]);
        let before = world.currents[number].as_ref().map_or(&b""[..], |(_, content)| content);
        let settled = fs::read(directory.join("current")).unwrap_or_default();
        assert!(settled.starts_with(before), "what current held is gone");
        let is_whole = legacy.is_whole[number];
        let is_torn = legacy.is_torn(number);
        let log = locked.prepare(is_whole, is_torn, &mut Impatient).expect("nothing fails here");
        log.mark_open().expect("nothing fails here");
        let kept = fs::read_dir(&directory).expect("it can be read").flatten().any(|entry| {
            let name = entry.file_name();
            (name == "current" || name.as_bytes().starts_with(b"@"))
                && fs::read(entry.path()).is_ok_and(|bytes| bytes.starts_with(&settled))
        });
        assert!(kept, "what current held is gone");
    }
    if matches!(legacy.replayed, Replayed::Nothing | Replayed::Torn) {
        assert_eq!(pipe.0.len(), world.pipe.len(), "bytes are consumed that nobody logged");
    }
    if let Some(line) = legacy.open_line() {
        assert_eq!(line.goes_to.len(), legacy.is_whole.len());
    }
    drop(script);
    for word in words {
        // SAFETY: leaked above, and the script that borrowed it is gone.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(word).cast_mut()) });
    }
});
