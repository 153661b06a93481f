//! Windows, ends, cursors and following, beside a reader that is slow and obviously right.
//!
//! The reader reads every file from end to end, oldest name first, and asks each line for its own label or else that of
//! the line before. Directories are made at random: lines that go on in the next files, lines without labels, clocks that
//! were set back within files and between them, equal labels, files cut short by an outage, packed and empty files.

use std::fmt::Write as _;
use std::io::Write as _;

use super::follow::{follower, text};
use super::{label, log_directory, packed, printed};
use logyard::sys::signal::Signal;
use testkit::{Workdir, until};

/// Random numbers that are the same at every run: splitmix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// What a directory is made of.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// One line in so many is preceded by a clock that is set back; 0 for never.
    pub back_once_in: u64,
    /// Whether files may be packed.
    pub is_packed: bool,
    /// The bytes of a file, about.
    pub file_bytes: u64,
}

const SECOND: u64 = 1_000_000_000;

/// The files of a directory, by name, with `current` last.
pub fn generate(dice: &mut Dice, kind: Kind) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut now = 100_000 * SECOND + dice.below(1000) * SECOND;
    let count = 1 + dice.below(8);
    // What is still to be written of a line that was begun.
    let mut rest: Vec<u8> = Vec::new();
    for i in 0..count {
        let is_current = i + 1 == count;
        let mut bytes = Vec::new();
        let target = if dice.one_in(6) { 0 } else { dice.below(2 * kind.file_bytes) as usize };
        let mut is_cut = false;
        while bytes.len() < target || !rest.is_empty() {
            if rest.is_empty() {
                tick(dice, kind, &mut now);
                rest = line(dice, now, bytes.len() + files.len() > 0);
            }
            let ends_here = bytes.len() + rest.len() > target && !dice.one_in(3);
            if rest.len() > 1000 && ends_here && (!is_current || dice.one_in(2)) {
                // Not within the label: multilog cuts a line of more than 2000 bytes only.
                let take = 100 + dice.below(rest.len() as u64 - 200) as usize;
                bytes.extend(rest.drain(..take));
                is_cut = true;
                break;
            }
            bytes.append(&mut rest);
        }
        if dice.one_in(3) {
            tick(dice, kind, &mut now);
        }
        now += 1;
        if is_current {
            if !is_cut && dice.one_in(4) && bytes.len() > 10 {
                let cut = bytes.len() - 1 - dice.below(5) as usize;
                bytes.truncate(cut);
            }
            files.push(("current".to_owned(), bytes));
            continue;
        }
        let mut code = ".s";
        if !is_cut && dice.one_in(8) {
            // An outage: the file ends anywhere, and the next begins with a new line, which has a label.
            code = ".u";
            bytes.truncate(bytes.len() - (dice.below(60) as usize).min(bytes.len()));
            tick(dice, kind, &mut now);
            rest = format!("{} after the outage\n", label(now)).into_bytes();
        }
        while files.iter().any(|(name, _)| name[..25] == label(now)) {
            now += 1;
        }
        files.push((format!("{}{code}", label(now)), bytes));
    }
    let current = files.pop().unwrap();
    files.sort();
    files.push(current);
    files
}

fn tick(dice: &mut Dice, kind: Kind, now: &mut u64) {
    *now += match dice.below(8) {
        0 | 1 => 0,
        2..=4 => dice.below(1000),
        5 | 6 => dice.below(SECOND),
        _ => dice.below(100 * SECOND),
    };
    if kind.back_once_in > 0 && dice.one_in(kind.back_once_in) {
        let step = match dice.below(4) {
            0 => dice.below(SECOND),
            1 | 2 => dice.below(20 * SECOND),
            _ => dice.below(10_000 * SECOND),
        };
        *now = now.saturating_sub(step).max(SECOND);
    }
}

fn line(dice: &mut Dice, now: u64, may_lack_label: bool) -> Vec<u8> {
    let number = dice.below(1_000_000);
    let mut line = match dice.below(12) {
        0 | 1 if may_lack_label => format!(" trace {number}"),
        2 if may_lack_label => {
            ["@4000 half a label", "2026-11 half a date", "@", ""][dice.below(4) as usize].to_owned()
        }
        _ => format!("{} line {number}", label(now)),
    };
    match dice.below(10) {
        0 => line.push_str(&"long ".repeat(400 + dice.below(2000) as usize)),
        1..=4 => line.push_str(&"x".repeat(dice.below(200) as usize)),
        _ => {}
    }
    line.push('\n');
    line.into_bytes()
}

fn label_of(line: &[u8]) -> Option<String> {
    let text = line.get(..25)?;
    let is_label = text[0] == b'@'
        && text[1..].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && !matches!(line.get(25), Some(b'0'..=b'9' | b'a'..=b'f'));
    is_label.then(|| String::from_utf8(text.to_vec()).unwrap())
}

/// The lines of a directory, each with its label.
pub fn slow(files: &[(String, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let mut stream: Vec<u8> = Vec::new();
    for (_, bytes) in files {
        if stream.last().is_some_and(|&byte| byte != b'\n') && label_of(bytes).is_some() {
            stream.push(b'\n');
        }
        stream.extend_from_slice(bytes);
    }
    if stream.last().is_some_and(|&byte| byte != b'\n') {
        stream.push(b'\n');
    }
    let mut last = None;
    let mut lines = Vec::new();
    for line in stream.split_inclusive(|&byte| byte == b'\n') {
        last = label_of(line).or(last);
        lines.push((last.clone().expect("the first line has a label"), line.to_vec()));
    }
    lines
}

/// A line with a label, and those without behind it.
type Group = (String, Vec<Vec<u8>>);

fn groups(lines: &[(String, Vec<u8>)], since: &str, until: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (label, line) in lines {
        if label_of(line).is_some() {
            groups.push((label.clone(), Vec::new()));
        }
        groups.last_mut().unwrap().1.push(line.clone());
    }
    groups.retain(|(label, _)| &label[..] >= since && &label[..] < until);
    groups
}

/// Several directories as one: of all that come next, the earliest; of equals, that of the directory named first.
fn forward(mut directories: Vec<Vec<Group>>) -> Vec<Group> {
    directories.iter_mut().for_each(|groups| groups.reverse());
    let mut merged = Vec::new();
    loop {
        let next = (0..directories.len()).filter(|&i| !directories[i].is_empty());
        let Some(i) = next.min_by_key(|&i| (directories[i].last().unwrap().0.clone(), i)) else { return merged };
        merged.extend(directories[i].pop());
    }
}

/// The same from the end.
fn backward(mut directories: Vec<Vec<Group>>) -> Vec<Group> {
    let mut merged = Vec::new();
    loop {
        let next = (0..directories.len()).filter(|&i| !directories[i].is_empty());
        let Some(i) = next.max_by_key(|&i| (directories[i].last().unwrap().0.clone(), i)) else { return merged };
        merged.extend(directories[i].pop());
    }
}

fn text_of(groups: &[Group]) -> String {
    String::from_utf8(groups.iter().flat_map(|(_, lines)| lines.concat()).collect()).unwrap()
}

/// The last lines of what is merged from the end.
fn last_lines(groups: &[Group], count: usize) -> String {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for (_, group) in groups {
        for line in group.iter().rev() {
            if lines.len() < count {
                lines.push(line.clone());
            }
        }
    }
    lines.reverse();
    String::from_utf8(lines.concat()).unwrap()
}

fn pack(dice: &mut Dice, name: &str, bytes: &[u8]) -> Vec<u8> {
    if name == "current" || bytes.is_empty() || !dice.one_in(3) {
        return bytes.to_vec();
    }
    if dice.one_in(2) {
        return packed(bytes, [300, 2000, 100_000][dice.below(3) as usize]);
    }
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn store(dir: &Workdir, name: &str, files: &[(String, Vec<u8>)], dice: &mut Dice, kind: Kind) {
    log_directory(dir, name, &[]);
    for (file, bytes) in files {
        let bytes = if kind.is_packed { pack(dice, file, bytes) } else { bytes.clone() };
        std::fs::write(dir.join(name).join(file), bytes).unwrap();
    }
}

/// A moment that is worth asking for: a label, or a bit before or behind one.
fn moment(dice: &mut Dice, lines: &[(String, Vec<u8>)]) -> String {
    let (label, _) = &lines[dice.below(lines.len() as u64) as usize];
    let number = u128::from_str_radix(&label[1..], 16).unwrap();
    let shift = match dice.below(4) {
        0 => u128::from(dice.below(3)) << 32,
        1 => u128::from(dice.below(3000)) << 32,
        _ => 0,
    };
    let number = if dice.one_in(2) { number + shift } else { number - shift };
    format!("@{number:024x}")
}

/// Says where two texts differ first.
fn difference(found: &str, expected: &str) -> Option<String> {
    let short = |line: &str| format!("{} ({} bytes)", line.chars().take(60).collect::<String>(), line.len());
    let (mut one, mut other) = (found.split_inclusive('\n'), expected.split_inclusive('\n'));
    (0_usize..).find_map(|i| match (one.next(), other.next()) {
        (None, None) => Some(None),
        (one, other) if one == other => None,
        (one, other) => Some(Some(format!("line {i}: {:?}, expected {:?}", one.map(short), other.map(short)))),
    })?
}

/// Compares windows of a directory, or of several; tells how many are wrong.
fn compare(seed: u64, windows: u64, kind: Kind) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let dir = Workdir::in_memory();
    let names: &[&str] = if dice.one_in(4) { &["a", "b", "c"] } else { &["a"] };
    let mut all = Vec::new();
    for name in names {
        let mut files = generate(&mut dice, kind);
        // A directory's first line has a label: what it belongs to is known.
        let first = format!("{} first\n", label(SECOND + dice.below(200_000 * SECOND)));
        let oldest = files.iter_mut().find(|(_, bytes)| !bytes.is_empty());
        match oldest {
            Some((_, bytes)) if label_of(bytes).is_none() => drop(bytes.splice(..0, first.into_bytes())),
            Some(_) => {}
            None => files[0].1 = first.into_bytes(),
        }
        store(&dir, name, &files, &mut dice, kind);
        all.push(slow(&files));
    }
    for _ in 0..windows {
        let i = dice.below(all.len() as u64) as usize;
        let mut bounds = [moment(&mut dice, &all[i]), moment(&mut dice, &all[i])];
        bounds.sort_unstable();
        let (mut since, mut until) = (Some(&bounds[0]), Some(&bounds[1]));
        match dice.below(6) {
            0 => since = None,
            1 => until = None,
            _ => {}
        }
        let mut arguments = vec!["-o", "tai64n"];
        since.into_iter().for_each(|since| arguments.extend(["--since", since]));
        until.into_iter().for_each(|until| arguments.extend(["--until", until]));
        let selected: Vec<Vec<Group>> = all
            .iter()
            .map(|lines| groups(lines, since.map_or("", |since| since), until.map_or("~", |until| until)))
            .collect();
        let count = dice.below(20).to_string();
        let expected = match dice.below(4) {
            0 => {
                arguments.push("-r");
                text_of(&backward(selected))
            }
            1 => {
                arguments.extend(["-n", &count]);
                last_lines(&backward(selected), count.parse().unwrap())
            }
            _ => text_of(&forward(selected)),
        };
        arguments.extend(names);
        let found = printed(&dir, &arguments);
        if let Some(difference) = difference(&found, &expected) {
            return Err(format!("seed {seed}, {arguments:?}: {difference}"));
        }
    }
    Ok(())
}

#[track_caller]
fn compare_many(seeds: std::ops::Range<u64>, windows: u64, kind: Kind) {
    let count = seeds.end - seeds.start;
    let wrong: Vec<String> = seeds.filter_map(|seed| compare(seed, windows, kind).err()).collect();
    let shown = wrong.iter().take(5).fold(String::new(), |text, wrong| text + wrong + "\n");
    assert!(wrong.is_empty(), "{} of {count} directories are read wrongly:\n{shown}", wrong.len());
}

const IN_ORDER: Kind = Kind { back_once_in: 0, is_packed: false, file_bytes: 30_000 };

#[test]
fn windows_are_those_of_a_reader_that_reads_everything() {
    compare_many(0..20, 6, IN_ORDER);
    compare_many(0..6, 4, Kind { file_bytes: 300_000, ..IN_ORDER });
}

#[test]
fn windows_are_right_where_the_clock_was_set_back_within_files() {
    compare_many(1000..1020, 6, Kind { back_once_in: 100, ..IN_ORDER });
    compare_many(1000..1006, 5, Kind { back_once_in: 1000, file_bytes: 100_000, ..IN_ORDER });
}

#[test]
fn windows_are_right_where_files_are_packed() {
    compare_many(2000..2010, 5, Kind { is_packed: true, ..IN_ORDER });
    compare_many(2000..2010, 5, Kind { back_once_in: 100, is_packed: true, ..IN_ORDER });
}

#[test]
#[ignore = "takes minutes"]
fn thousands_of_windows_are_right() {
    for file_bytes in [500, 5000, 50_000, 500_000] {
        for is_packed in [false, true] {
            for back_once_in in [0, 10, 100, 1000] {
                compare_many(5000..5020, 15, Kind { back_once_in, is_packed, file_bytes });
            }
        }
    }
}

/// Writes a directory bit by bit, rotating as it goes: the files that are finished, and a part of the one that is written.
struct Writer {
    files: Vec<(String, Vec<u8>)>,
    at: usize,
    written: usize,
}

impl Writer {
    fn new(files: Vec<(String, Vec<u8>)>, dir: &Workdir) -> Writer {
        log_directory(dir, "main", &[("current", b"")]);
        Writer { files, at: 0, written: 0 }
    }

    /// Writes a bit more; `false` when everything is written.
    fn write(&mut self, dir: &Workdir, dice: &mut Dice) -> bool {
        let (name, bytes) = &self.files[self.at];
        let current = dir.join("main/current");
        if self.written == bytes.len() {
            if self.at + 1 == self.files.len() {
                return false;
            }
            std::fs::rename(&current, dir.join("main").join(name)).unwrap();
            std::fs::write(&current, b"").unwrap();
            self.at += 1;
            self.written = 0;
            return true;
        }
        // Often within a label.
        let limit = if dice.one_in(2) { 40 } else { 3000 };
        let end = bytes.len().min(self.written + 1 + dice.below(limit) as usize);
        let mut file = std::fs::File::options().append(true).open(&current).unwrap();
        file.write_all(&bytes[self.written..end]).unwrap();
        self.written = end;
        true
    }
}

/// A directory's files for a writer: no two of them exchanged by a clock that was set back, and at its end a whole line.
fn written(dice: &mut Dice) -> Vec<(String, Vec<u8>)> {
    let kind = Kind { back_once_in: 0, is_packed: false, file_bytes: 1 + dice.below(3000) };
    let mut files = generate(dice, kind);
    let (_, current) = files.last_mut().unwrap();
    if current.last() != Some(&b'\n') {
        current.extend_from_slice(b" end\n");
    }
    let (_, oldest) = files.iter_mut().find(|(_, bytes)| !bytes.is_empty()).expect("current is not empty");
    if label_of(oldest).is_none() {
        oldest.splice(..0, format!("{} first\n", label(SECOND)).into_bytes());
    }
    files
}

fn expected_text(files: &[(String, Vec<u8>)]) -> String {
    String::from_utf8(slow(files).into_iter().flat_map(|(_, line)| line).collect()).unwrap()
}

fn run_with_a_cursor(seed: u64) -> bool {
    let mut dice = Dice::new(seed);
    let dir = Workdir::in_memory();
    let files = written(&mut dice);
    let expected = expected_text(&files);
    let mut writer = Writer::new(files, &dir);
    let mut found = String::new();
    while writer.write(&dir, &mut dice) {
        if dice.one_in(4) {
            found.push_str(&printed(&dir, &["--cursor", "seen", "-o", "tai64n", "main"]));
        }
    }
    found.push_str(&printed(&dir, &["--cursor", "seen", "-o", "tai64n", "main"]));
    found == expected
}

#[test]
fn runs_with_a_cursor_print_each_line_whole_and_once() {
    let wrong: Vec<u64> = (0..12).filter(|&seed| !run_with_a_cursor(seed)).collect();
    assert!(wrong.is_empty(), "wrong for these seeds: {wrong:?}");
}

#[test]
#[ignore = "takes minutes"]
fn hundreds_of_cursors_print_each_line_whole_and_once() {
    let wrong: Vec<u64> = (1000..1400).filter(|&seed| !run_with_a_cursor(seed)).collect();
    assert!(wrong.is_empty(), "wrong for {} seeds: {wrong:?}", wrong.len());
}

/// Follows a directory that is written bit by bit, in a style that shows the labels that are recognised in another form.
fn follow_a_writer(seed: u64, is_from_end: bool) {
    let mut dice = Dice::new(seed);
    let dir = Workdir::in_memory();
    let files = written(&mut dice);
    let expected = slow(&files).into_iter().fold(String::new(), |mut text, (_, line)| {
        let message = if label_of(&line).is_some() { &line[25..] } else { &line[..] };
        let message = message.strip_prefix(b" ").filter(|_| message.len() < line.len()).unwrap_or(message);
        let _ = write!(text, "{}", String::from_utf8_lossy(message));
        text
    });
    let mut writer = Writer::new(files, &dir);
    for _ in 0..dice.below(20) {
        writer.write(&dir, &mut dice);
    }
    let lines: &[&str] = if is_from_end { &["-n", "100000"] } else { &[] };
    let mut reader = follower(&dir, &[&["-f", "-o", "cat", "main"], lines].concat());
    if is_from_end {
        // What is written after its beginning was read comes in another way.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    while writer.write(&dir, &mut dice) {
        if dice.one_in(3) {
            std::thread::yield_now();
        } else if dice.one_in(10) {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
    until("everything was printed", || text(&dir, "out").len() >= expected.len());
    reader.signal(Signal::SIGINT);
    reader.end();
    assert_eq!(difference(&text(&dir, "out"), &expected), None, "seed {seed}");
}

#[test]
fn lines_that_are_written_bit_by_bit_are_followed() {
    (0..6).for_each(|seed| follow_a_writer(seed, seed % 2 == 1));
}

#[test]
#[ignore = "takes minutes"]
fn hundreds_of_writers_are_followed() {
    (1000..1300).for_each(|seed| follow_a_writer(seed, seed % 2 == 1));
}
