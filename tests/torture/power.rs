//! Power cuts: the test copies a file with a file system in it while a logger writes to the file system. The copy is what a
//! disk holds when the power fails. The test replays the journal of the file system, and checks the log in the copy.
//!
//! The copy itself takes time, and what is written meanwhile may be half in it. An image that the checker finds broken
//! beyond its journal is such a copy, and is taken again.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::feed::{Feed, Pace};
use super::lines::{self, Lengths, scramble};
use super::subject::Subject;
use crate::torture::collect;
use testkit::mounted::Mounted;
use testkit::{Workdir, is_root, skipped, tool};

/// How many images are looked at.
const IMAGES: u32 = 100;
/// Of these lines no more may be missing, with the bound at a second.
const BOUND: Duration = Duration::from_millis(1100);

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// A file system in a file, which a logger writes to.
struct Disk {
    dir: Workdir,
    image: PathBuf,
    mounted: Mounted,
    fsck: PathBuf,
}

/// A copy of the file, as a power cut would have left it, and the log directory in it.
struct Cut {
    /// What was on the disk as a complete archive when the copy began.
    settled: BTreeSet<OsString>,
    mounted: Mounted,
}

impl Disk {
    /// Makes and mounts one; `None`, with a notice, where that cannot be done.
    fn new() -> Option<Disk> {
        if !is_root("mount the file systems of power cuts") {
            return None;
        }
        let (mkfs, fsck) = (tool("mkfs.ext4")?, tool("e2fsck")?);
        let dir = Workdir::in_memory();
        let image = dir.join("image");
        fs::File::create(&image).unwrap().set_len(48 << 20).unwrap();
        assert!(runs(Command::new(mkfs).args(["-q", "-F"]).arg(&image)));
        let mounted = Mounted::image(&image, dir.join("disk"), "loop");
        if mounted.is_none() {
            skipped("power cuts: this system mounts no file");
        }
        Some(Disk { mounted: mounted?, dir, image, fsck })
    }

    fn path(&self) -> &Path {
        self.mounted.path()
    }

    fn main(&self) -> PathBuf {
        self.path().join("main")
    }

    /// Copies the file, replays the journal of the copy, and mounts it; `None` if the copy is broken beyond its journal.
    fn cut(&self, options: &str) -> Option<Cut> {
        let copy = self.dir.join("copy");
        let mut settled = if self.main().exists() { collect::archives(&self.main()) } else { BTreeSet::new() };
        settled.retain(|name| name.as_encoded_bytes().ends_with(b".s"));
        fs::copy(&self.image, &copy).unwrap();
        let _ = Command::new(&self.fsck).args(["-p", "-E", "journal_only"]).arg(&copy).output();
        let is_whole = runs(Command::new(&self.fsck).args(["-f", "-n"]).arg(&copy));
        let mounted = is_whole.then(|| Mounted::image(&copy, self.dir.join("looked-at"), options)).flatten()?;
        Some(Cut { settled, mounted })
    }
}

impl Cut {
    fn main(&self) -> PathBuf {
        self.mounted.path().join("main")
    }
}

/// Looks at a log as the power cut left it: lines in order, each `.s` complete that was there before the copy began, and
/// nothing wrong but at the end of a file. Returns how many lines there are.
#[track_caller]
fn look(main: &Path, settled: &BTreeSet<OsString>) -> u64 {
    let mut next = 0;
    let mut read = |file: &Path, may_be_torn: bool| {
        let content = fs::read(file).unwrap();
        let mut pieces: Vec<&[u8]> = content.split(|&byte| byte == b'\n').collect();
        let rest = pieces.pop().unwrap_or_default();
        assert!(may_be_torn || rest.is_empty(), "{} ends within a line", file.display());
        for (at, piece) in pieces.iter().enumerate() {
            match lines::recognise(piece, Lengths::Ordinary) {
                Some(number) => {
                    assert_eq!(number, next, "{}: the lines before are missing", file.display());
                    next += 1;
                }
                None => {
                    assert!(may_be_torn, "{}, line {at} is torn", file.display());
                    return;
                }
            }
        }
    };
    let archives = collect::archives(main);
    for name in &archives {
        read(&main.join(name), !settled.contains(name));
    }
    for name in ["previous", "current"] {
        let file = main.join(name);
        // A previous that has its second name is among the archives.
        let is_alone = fs::metadata(&file).is_ok_and(|stat| std::os::unix::fs::MetadataExt::nlink(&stat) == 1);
        if is_alone {
            read(&file, true);
        }
    }
    next
}

#[test]
#[ignore = "mounts file systems, and takes minutes: .ci/torture"]
fn a_power_cut_loses_at_most_the_last_second() {
    let Some(disk) = Disk::new() else { return };
    let feed = Feed::pipe(Lengths::Ordinary, Pace::Bursts(5, Duration::from_millis(5)));
    let script = ["s65536", "n200", "y1", "./main"];
    let mut logger = Subject::Ours.start(&script, disk.path(), feed.stdin());
    // When how many lines had been written.
    let mut history: Vec<(Instant, u64)> = Vec::new();
    let (mut looked_at, mut broken, mut random) = (0, 0, 1);
    let mut most_missing = Duration::ZERO;
    while looked_at < IMAGES {
        random = scramble(random);
        let until = Instant::now() + Duration::from_micros(100_000 + random % 400_000);
        while Instant::now() < until {
            history.push((Instant::now(), feed.written()));
            std::thread::sleep(Duration::from_millis(2));
        }
        let moment = Instant::now();
        let Some(cut) = disk.cut("loop,ro") else {
            broken += 1;
            assert!(broken < 3 * IMAGES, "too few images are whole");
            continue;
        };
        let on_disk = if cut.main().exists() { look(&cut.main(), &cut.settled) } else { 0 };
        // The lines that were written so long ago must be there.
        let since = history.iter().find(|&&(_, written)| written > on_disk).map(|&(when, _)| when);
        let missing = since.map_or(Duration::ZERO, |since| moment.saturating_duration_since(since));
        most_missing = most_missing.max(missing);
        assert!(missing <= BOUND, "image {looked_at}: {missing:?} of lines are missing, from number {on_disk}");
        looked_at += 1;
    }
    eprintln!("{looked_at} power cuts, {broken} images taken again, at most {most_missing:?} of lines missing");
    feed.end();
    assert!(logger.end().success());
}

/// The file that a quick processor reads is never fsynced; what it writes is, before that file goes.
#[test]
#[ignore = "mounts file systems, and takes minutes: .ci/torture"]
fn a_power_cut_takes_nothing_from_what_a_processor_has_made() {
    let Some(disk) = Disk::new() else { return };
    let feed = Feed::pipe(Lengths::Ordinary, Pace::Bursts(20, Duration::from_millis(2)));
    let mut logger = Subject::Ours.start(&["s65536", "n100", "!cat", "./main"], disk.path(), feed.stdin());
    let (mut looked_at, mut broken, mut random, mut most_archives) = (0, 0, 1, 0);
    while looked_at < IMAGES {
        random = scramble(random);
        std::thread::sleep(Duration::from_micros(random % 100_000));
        let Some(cut) = disk.cut("loop") else {
            broken += 1;
            assert!(broken < 3 * IMAGES, "too few images are whole");
            continue;
        };
        let (no_input, _) = std::io::pipe().unwrap();
        assert!(Subject::Ours.start(&["n100", "!cat", "./main"], cut.mounted.path(), no_input).end().success());
        // The copy takes a while, so that only of these all of what is on the disk is in it.
        let kept: Vec<&OsString> = cut.settled.iter().filter(|name| cut.main().join(name).exists()).collect();
        let mut numbers = Vec::new();
        for name in &kept {
            let content = fs::read(cut.main().join(name)).unwrap();
            assert!(content.ends_with(b"\n"), "image {looked_at}: {} ends within a line", name.display());
            let lines = content.split_inclusive(|&byte| byte == b'\n').map(|line| &line[..line.len() - 1]);
            numbers.extend(lines.map(|line| lines::recognise(line, Lengths::Ordinary).expect("no line is torn")));
        }
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "image {looked_at}: lines are missing");
        // The oldest may have had to go, and nothing else.
        assert!(cut.settled.iter().rev().take(kept.len()).eq(kept.iter().rev().copied()), "image {looked_at}");
        most_archives = most_archives.max(kept.len());
        looked_at += 1;
    }
    assert!(most_archives > 50, "{most_archives} archives");
    eprintln!("{looked_at} power cuts, {broken} images taken again, up to {most_archives} archives in an image");
    feed.end();
    assert!(logger.end().success());
}

/// The journal of the copy was made in this boot of the machine, on what is another disk now. Nothing that it says may be
/// believed of what a power cut has left.
#[test]
#[ignore = "mounts file systems, and takes minutes: .ci/torture"]
fn kills_and_power_cuts_duplicate_nothing() {
    const RUNS: u64 = 100;
    const LINES: u64 = 20;
    let Some(disk) = Disk::new() else { return };
    let script = ["s16384", "n200", "y1", "./main"];
    let (reading_end, mut writing_end) = std::io::pipe().unwrap();
    let start = |place: &Path, stdin: std::io::PipeReader| Subject::Ours.start(&script, place, stdin);
    let live = disk.main();
    let logged = |place: &Path| if place.exists() { collect::all(place) } else { Vec::new() };
    let (mut looked_at, mut written_bytes, mut random) = (0, 0, 1);
    for run in 0..RUNS {
        let logger = start(disk.path(), reading_end.try_clone().unwrap());
        let mut lines = Vec::new();
        (run * LINES..run * LINES + LINES).for_each(|number| lines::push(number, Lengths::Ordinary, &mut lines));
        std::io::Write::write_all(&mut writing_end, &lines).unwrap();
        written_bytes += lines.len();
        // Some are killed in the midst of it, some while they wait.
        random = scramble(random);
        if random % 3 == 0 {
            std::thread::sleep(Duration::from_micros(random % 3000));
        } else {
            testkit::until("the lines are logged", || logged(&live).len() >= written_bytes);
            std::thread::sleep(Duration::from_millis(random % 100));
        }
        logger.kill();
        if run % 10 != 9 {
            continue;
        }
        let Some(cut) = disk.cut("loop") else { continue };
        let main = cut.main();
        let before = if main.join("current").exists() { fs::read(main.join("current")).unwrap() } else { Vec::new() };
        // Only from a pipe is a journal believed.
        let (no_input, _) = std::io::pipe().unwrap();
        assert!(start(cut.mounted.path(), no_input).end().success());
        let archives = collect::archives(&main);
        let is_archived = |name: &OsString| {
            name.as_encoded_bytes().ends_with(b".u") && fs::read(main.join(name)).unwrap().starts_with(&before)
        };
        assert!(before.is_empty() || archives.iter().any(is_archived), "a file that lost its power is appended to");
        for name in &cut.settled {
            let is_the_same = fs::read(main.join(name)).ok() == fs::read(live.join(name)).ok();
            assert!(is_the_same, "{} was on the disk", name.display());
        }
        // An unfinished archive may lack what was not on the disk.
        let log = logged(&main);
        let whole = log.split(|&byte| byte == b'\n').filter_map(|line| lines::recognise(line, Lengths::Ordinary));
        assert!(whole.is_sorted_by(|one, next| one < next), "run {run}: lines are there twice, or in another order");
        looked_at += 1;
    }
    assert!(looked_at > RUNS / 20, "{looked_at} images were whole");
    drop(writing_end);
    assert!(start(disk.path(), reading_end).end().success());
    let log = logged(&live);
    let numbers: Vec<Option<u64>> = log
        .split_inclusive(|&byte| byte == b'\n')
        .map(|line| lines::recognise(line.strip_suffix(b"\n").unwrap_or(line), Lengths::Ordinary))
        .collect();
    assert!(numbers == (0..RUNS * LINES).map(Some).collect::<Vec<_>>(), "{} lines", numbers.len());
    eprintln!("{RUNS} kills, {looked_at} power cuts, {} archives", collect::archives(&live).len());
}
