//! What the system allows: memory, descriptors, watches; and where its limits are reached.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use logyard::sys::signal::Signal;

use super::follow::text;
use super::{label, lines, log_directory, printed, second, ten_seconds_each};
use testkit::logger::Running;
use testkit::{Workdir, assert_same, skipped, tool, until};

/// `readlog`, started by a shell that has done something before.
fn after(dir: &Workdir, preparation: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{preparation} && exec \"$@\""), "sh", env!("CARGO_BIN_EXE_readlog")]);
    command.args(arguments).current_dir(dir.path()).env("TZ", "UTC").stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Compresses a file to standard output.
fn pack(tool: &Path, arguments: &[&str], file: &Path) -> Vec<u8> {
    let output = Command::new(tool).args(arguments).arg("-c").arg(file).stderr(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{tool:?}");
    output.stdout
}

/// A directory with one archive that was packed a part at a time, `parts` of them; returns the lines.
fn in_parts(dir: &Workdir, tool: &Path, parts: u64) -> Vec<String> {
    let text = |part: u64| -> String {
        (0..5000).map(|i| format!("{} part {part} {} {i}\n", second(part), "some text ".repeat(60))).collect()
    };
    let mut packed = Vec::new();
    for part in 0..parts {
        std::fs::write(dir.join("part"), text(part)).unwrap();
        packed.extend(pack(tool, &[], &dir.join("part")));
    }
    log_directory(dir, "main", &[(&format!("{}.s", second(parts)), &packed), ("current", b"")]);
    (0..parts).flat_map(|part| text(part).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn a_packed_file_is_read_backwards_in_bounded_memory() {
    for name in ["gzip", "zstd", "xz"] {
        let Some(tool) = tool(name) else { continue };
        let dir = Workdir::new();
        // 38 MB.
        let mut lines = in_parts(&dir, &tool, 12);

        // Address space, of which the program and its libraries take some.
        let bound = "ulimit -v 70000";
        let last = after(&dir, bound, &["-o", "tai64n", "-n", "3", "main"]).output().unwrap();
        assert_eq!((last.status.code(), &words(&last)[..]), (Some(0), ""), "{name}: the last lines");
        assert_eq!(String::from_utf8_lossy(&last.stdout), lines[lines.len() - 3..].join("\n") + "\n");
        lines.reverse();
        let temporary = [(bound.to_owned(), "in a temporary file"), (format!("{bound} && TMPDIR=/nowhere"), "again")];
        for (preparation, how) in &temporary[..if name == "zstd" { 2 } else { 1 }] {
            let preparation = format!("{preparation} && export TMPDIR");
            let all = after(&dir, &preparation, &["-o", "tai64n", "-r", "main"]).output().unwrap();
            assert_eq!((all.status.code(), &words(&all)[..]), (Some(0), ""), "{name}, unpacked {how}");
            let shown = String::from_utf8_lossy(&all.stdout);
            assert_eq!(shown.lines().count(), lines.len(), "{name}, unpacked {how}");
            let wrong = shown.lines().zip(&lines).find(|(shown, line)| shown != line);
            assert_eq!(wrong, None, "{name}, unpacked {how}");
        }
    }
}

#[test]
fn many_short_lines_without_a_label_are_read_backwards_in_bounded_memory() {
    let dir = Workdir::new();
    // Each is a group by itself.
    let text = "\n".repeat(2_500_000) + "last\n";
    log_directory(&dir, "main", &[("current", text.as_bytes())]);

    let last = after(&dir, "ulimit -v 70000", &["-n", "3", "main"]).output().unwrap();

    assert_eq!((last.status.code(), &words(&last)[..]), (Some(0), ""));
    assert_eq!(String::from_utf8_lossy(&last.stdout), "\n\nlast\n");
}

#[test]
fn a_file_packed_with_a_long_window_is_read() {
    let Some(zstd) = tool("zstd") else { return };
    let dir = Workdir::new();
    std::fs::write(dir.join("lines"), lines(0, 10)).unwrap();
    let archive = format!("{}.s", second(10));
    // From a pipe: the size is not known, and the window is what was asked for.
    let script = format!("mkdir main; : >main/current; cat lines | {} --long=31 -c >main/{archive}", zstd.display());
    assert!(Command::new("/bin/sh").args(["-c", &script]).current_dir(dir.path()).status().unwrap().success());

    assert_eq!(printed(&dir, &["-o", "tai64n", "main"]), lines(0, 10));
    assert_eq!(printed(&dir, &["-o", "tai64n", "-n", "3", "main"]), lines(7, 10));
}

#[test]
fn what_takes_too_much_memory_to_unpack_is_not_called_damaged() {
    let Some(xz) = tool("xz") else { return };
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);
    let archive = format!("main/{}.s", second(10));
    let packed = pack(&xz, &["--lzma2=dict=1MiB"], &dir.join(&archive));
    // The dictionary's size is in the header of the block, behind the filter's number and its size; the header ends with
    // its checksum.
    let mut packed = packed;
    let at = packed.windows(2).position(|pair| pair == [0x21, 0x01]).unwrap() + 2;
    packed[at] = 36;
    let length = (usize::from(packed[12]) + 1) * 4;
    let sum = crc32(&packed[12..12 + length - 4]).to_le_bytes();
    packed[12 + length - 4..12 + length].copy_from_slice(&sum);
    std::fs::write(dir.join(&archive), packed).unwrap();

    let output = super::run(dir.path(), &["-o", "tai64n", "main"]);

    let expected = format!("readlog: warning: unable to read {archive}: unpacking it takes too much memory\n");
    assert_eq!((output.status.code(), words(&output)), (Some(1), expected));
}

/// The checksum of xz's headers.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[test]
fn more_directories_are_read_than_the_soft_limit_has_descriptors() {
    let dir = Workdir::new();
    let names: Vec<String> = (0..100).map(|i| format!("s{i:03}")).collect();
    for (i, name) in (0..).zip(&names) {
        log_directory(&dir, name, &[("current", lines(i, i + 1).as_bytes())]);
    }
    let mut arguments = vec!["-o", "tai64n", "--service", "never"];
    arguments.extend(names.iter().map(String::as_str));

    let output = after(&dir, "ulimit -S -n 64", &arguments).output().unwrap();

    assert_eq!((output.status.code(), &words(&output)[..]), (Some(0), ""));
    assert_eq!(String::from_utf8_lossy(&output.stdout), lines(0, 100));
}

#[test]
fn more_archives_are_followed_than_there_are_descriptors() {
    let dir = Workdir::new();
    let line = |i| lines(i, i + 1).replace('\n', &format!("{}\n", " text".repeat(8000)));
    for i in 0..60 {
        log_directory(&dir, "main", &[(&format!("{}.s", second(i + 1)), line(i).as_bytes())]);
    }
    log_directory(&dir, "main", &[("current", line(60).as_bytes())]);
    let mut command = after(&dir, "ulimit -n 40", &["-f", "-o", "tai64n", "main"]);
    let open = |name| std::fs::File::create(dir.join(name)).unwrap();
    let mut reader = Running::start(command.stdout(open("out")).stderr(open("err")));
    until("the lines in the files are printed", || text(&dir, "out").ends_with(&line(60)));
    let mut current = std::fs::File::options().append(true).open(dir.join("main/current")).unwrap();
    write!(current, "{}", line(61)).unwrap();
    until("what was appended was printed", || text(&dir, "out").ends_with(&line(61)));

    reader.signal(Signal::SIGINT);

    assert_eq!((reader.end().code(), &text(&dir, "err")[..]), (Some(130), ""));
    assert_same(text(&dir, "out"), (0..62).map(line).collect::<String>());
}

#[test]
fn very_many_small_archives_are_followed_with_few_descriptors() {
    let dir = Workdir::new();
    for i in 0..100 {
        log_directory(&dir, "main", &[(&format!("{}.s", second(i + 1)), lines(i, i + 1).as_bytes())]);
        // An empty archive has no line that would move the reader on.
        log_directory(&dir, "main", &[(&format!("{}.s", label(i * 1_000_000_000 + 1)), b"")]);
    }
    log_directory(&dir, "main", &[("current", lines(100, 101).as_bytes())]);
    let mut command = after(&dir, "ulimit -n 40", &["-f", "-o", "tai64n", "main"]);
    let open = |name| std::fs::File::create(dir.join(name)).unwrap();
    let mut reader = Running::start(command.stdout(open("out")).stderr(open("err")));
    until("everything was printed", || text(&dir, "out").ends_with(&lines(100, 101)) || !text(&dir, "err").is_empty());

    reader.signal(Signal::SIGINT);

    assert_eq!((reader.end().code(), &text(&dir, "err")[..]), (Some(130), ""));
    assert_same(text(&dir, "out"), lines(0, 101));
}

/// A shell in a user namespace that may have so few inotify instances and watches; `None`, with a notice, where there can
/// be none.
fn with_few(what: &str, count: u32) -> Option<String> {
    let tool = tool("unshare")?;
    let shell = format!("echo {count} >/proc/sys/user/max_inotify_{what}");
    let unshare = format!("{} --user --map-root-user /bin/sh -c '{shell}'", tool.display());
    if !Command::new("/bin/sh").args(["-c", &unshare]).stderr(Stdio::null()).status().unwrap().success() {
        skipped("no user namespace can be made, so inotify's limits were not reached");
        return None;
    }
    // The positional parameters are the command that is to be run in it.
    Some(format!("set -- {} --user --map-root-user /bin/sh -c '{shell}; exec \"$@\"' sh \"$@\"", tool.display()))
}

#[test]
fn directories_that_cannot_be_watched_are_followed_all_the_same() {
    for (what, count) in [("instances", 0), ("watches", 0), ("watches", 1), ("watches", 3)] {
        let Some(preparation) = with_few(what, count) else { return };
        let dir = Workdir::new();
        ten_seconds_each(&dir, "one", 1);
        ten_seconds_each(&dir, "two", 1);
        let mut command = after(&dir, &preparation, &["-f", "-o", "cat", "--service", "never", "one", "two", "late"]);
        let open = |name| std::fs::File::create(dir.join(name)).unwrap();
        let mut reader = Running::start(command.stdout(open("out")).stderr(open("err")));
        let count_of = |line: &str| text(&dir, "out").lines().filter(|other| *other == line).count();
        until("the lines in the files are printed", || count_of("line 19") == 2);

        // Appended, rotated, and a directory that comes later.
        for name in ["one", "two"] {
            let mut current = std::fs::File::options().append(true).open(dir.join(name).join("current")).unwrap();
            write!(current, "{}", lines(20, 25)).unwrap();
        }
        until("what was appended was printed", || count_of("line 24") == 2);
        for name in ["one", "two"] {
            let path = dir.join(name);
            let mut current = std::fs::File::options().append(true).open(path.join("current")).unwrap();
            write!(current, "{}", lines(25, 30)).unwrap();
            std::fs::rename(path.join("current"), path.join(format!("{}.s", second(30)))).unwrap();
            log_directory(&dir, name, &[("current", lines(30, 31).as_bytes())]);
        }
        until("what was rotated was printed", || count_of("line 30") == 2);
        log_directory(&dir, "late", &[("current", lines(40, 41).as_bytes())]);
        until("what came later was printed", || count_of("line 40") == 1);

        reader.signal(Signal::SIGINT);
        assert_eq!(reader.end().code(), Some(130));
        let out = text(&dir, "out");
        assert!((0..31).all(|i| count_of(&format!("line {i}")) == 2), "{what} {count}: {out}");
        let messages = text(&dir, "err");
        let limit = messages.lines().filter(|line| line.contains("inotify")).count();
        assert_eq!(limit, 1, "{what} {count}: {messages}");
        assert!(!messages.contains("disk"), "{messages}");
    }
}
