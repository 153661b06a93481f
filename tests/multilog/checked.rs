//! `--check`: what it says of a script is what a logger does that runs it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Command, Stdio};

use logyard_corpus::Random;
use testkit::Workdir;
use testkit::logdir::{LogDirFiles, mask_labels, without_stamps};
use testkit::logger::Multilog;

/// What a multilog did: its exit code, what it explained, what it said.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    out: String,
    said: String,
}

/// Runs our multilog to its end.
#[track_caller]
fn run(directory: &Path, arguments: &[impl AsRef<OsStr>], input: &[u8]) -> Answer {
    let mut command = Command::new(Multilog::Ours.path());
    command.args(arguments).current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A logger that cannot start reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Answer { code: output.status.code(), out: text(output.stdout), said: text(output.stderr) }
}

#[track_caller]
fn check(directory: &Path, script: &[impl AsRef<OsStr>]) -> Answer {
    let mut arguments = vec![OsStr::new("--check")];
    arguments.extend(script.iter().map(AsRef::as_ref));
    run(directory, &arguments, b"")
}

/// Puts a script in a file.
fn put_script(workdir: &Workdir, text: &[u8]) {
    fs::write(workdir.join("script"), text).unwrap();
}

#[test]
fn an_action_that_no_directory_follows_is_named_and_changes_nothing_for_a_logger() {
    // multilog.8 > "holds for no directory: none follows"
    let workdir = Workdir::new();
    let script = ["t", "s1000", "./main", "n5", "-*x*"];

    let checked = check(workdir.path(), &script);

    assert_eq!(checked.code, Some(100));
    assert_eq!(
        checked.out,
        "t: puts a timestamp before each line\n\
         s1000: holds for the directories that follow; counts as s4096\n\
         ./main: logs selected lines: at most 10 files of at most 4096 bytes\n\
         n5: holds for no directory: none follows\n\
         -*x*: has no effect: no action that writes follows\n"
    );
    assert_eq!(
        checked.said,
        "multilog: warning: the action n5 holds for no directory: none follows\n\
         multilog: warning: the action -*x* has no effect: no action that writes follows\n"
    );
    let logger = run(workdir.path(), &script, b"one\nx\n");
    assert_eq!((logger.code, logger.said.as_str()), (Some(0), ""));
    assert_eq!(without_stamps(&LogDirFiles::read(&workdir.join("main")).joined()), b"one\nx\n");
}

#[test]
fn a_script_in_which_nothing_is_written_is_right_only_if_it_asks_for_nothing() {
    let workdir = Workdir::new();
    let note = "no action writes: every line is dropped\n";
    for script in [&[][..], &["t"], &["T@utc", "p=x"], &["-*"]] {
        let checked = check(workdir.path(), script);
        assert_eq!((checked.code, checked.said.as_str()), (Some(0), ""), "{script:?}");
        assert!(checked.out.ends_with(note), "{checked:?}");
    }
    for script in [&["e"][..], &["t", "e"], &["=status"], &["1"]] {
        let checked = check(workdir.path(), script);
        assert_eq!((checked.code, checked.said.as_str()), (Some(0), ""), "{script:?}");
        assert_eq!(checked.out.lines().count(), script.len());
    }
    for script in [&["t", "s1000", "n5"][..], &["main"], &["t s1000000 n10 ./main"], &["B1M"], &["+*x*"], &[""]] {
        let checked = check(workdir.path(), script);
        assert_eq!(checked.code, Some(100), "{script:?}");
        assert!(checked.out.ends_with(note) && checked.said.ends_with(note), "{checked:?}");
    }
}

#[test]
fn a_script_file_that_says_nothing_is_named() {
    let workdir = Workdir::new();
    for text in [&b""[..], b"\n \n", b"# t\n# ./main", b"# a comment may end so\r\n"] {
        put_script(&workdir, text);
        for rest in [&[][..], &["./main"]] {
            let checked = check(workdir.path(), &[&["f=script"], rest].concat());
            assert_eq!(checked.code, Some(100));
            assert!(checked.said.contains("multilog: warning: the script file has no action\n"), "{checked:?}");
        }
    }
    assert!(!workdir.join("main").exists());
}

#[test]
fn a_script_file_that_cannot_be_used_is_named_as_a_logger_names_it() {
    let workdir = Workdir::new();
    fs::create_dir(workdir.join("directory")).unwrap();
    let cases: [(&str, &[u8], &str); 6] = [
        ("directory", b"", "not a plain file"),
        ("none", b"", "file does not exist"),
        ("directory/script/x", b"", "file does not exist"),
        ("script", b"t\n./ma\0in\n", "NUL or carriage return in line 2"),
        ("script", b"t\r\n./main\r\n", "NUL or carriage return in line 1"),
        ("script", &[b'-'; 1 << 20], "more than 262144 bytes"),
    ];
    for (name, text, cause) in cases {
        put_script(&workdir, text);
        let script = [format!("f={name}")];

        let [checked, logger] = [check(workdir.path(), &script), run(workdir.path(), &script, b"x\n")];

        let message = format!("unable to read script {name}: {cause}\n");
        assert_eq!((checked.code, checked.said), (Some(100), format!("multilog: warning: {message}")));
        assert_eq!((logger.code, logger.said), (Some(111), format!("multilog: fatal: {message}")));
    }
}

#[test]
fn what_cannot_be_seen_at_the_end_of_a_line_is_named() {
    // multilog.8 > "ends in"
    let workdir = Workdir::new();
    put_script(&workdir, "\u{feff}t\nn5 \ns5000\u{a0}\n./main \n".as_bytes());

    let checked = check(workdir.path(), &["f=script", "-*x ", "=status\r"]);

    assert_eq!(checked.code, Some(100));
    let ignoring = "multilog: warning: ignoring the action";
    assert_eq!(
        checked.said,
        format!(
            "{ignoring} \u{feff}t: no such action; a log directory begins with . or / (it begins with a byte order mark)\n\
             {ignoring} n5 : something follows the number (it ends in a blank)\n\
             {ignoring} s5000\u{a0}: what follows the size is no k, M or G (it ends in the invisible character U+00A0)\n\
             multilog: warning: the action ./main  ends in a blank\n\
             multilog: warning: the action =status\\x0d ends in a carriage return\n"
        )
    );
    let shown = [
        "n5 : holds for the directories that follow; ends in a blank\n",
        "-*x : deselects the lines that match; ends in a blank\n",
    ];
    assert!(shown.iter().all(|line| checked.out.contains(line)), "{}", checked.out);
}

#[test]
fn a_check_in_a_script_is_no_action_as_its_first_argument() {
    let workdir = Workdir::new();
    let warning = "multilog: warning: the script begins with --check: multilog would only check it\n";

    let twice = check(workdir.path(), &["--check", "./main"]);
    assert_eq!((twice.code, twice.said.as_str()), (Some(100), warning));

    put_script(&workdir, b"--check\n./main\n");
    let in_a_file = check(workdir.path(), &["f=script"]);
    assert_eq!((in_a_file.code, in_a_file.said.as_str()), (Some(0), ""));
    assert!(in_a_file.out.starts_with("--check: deselects the lines that match\n"));
    assert_eq!(run(workdir.path(), &["f=script"], b"-check\nx\n").code, Some(0));
    assert_eq!(LogDirFiles::read(&workdir.join("main")).joined(), b"x\n");
}

#[test]
fn what_no_logger_can_start_with_is_found() {
    for script in [&["./main", "e", "././main/"][..], &["="], &["=./x/.."], &["t", "./a", "=x/"]] {
        let workdir = Workdir::new();
        assert_eq!(check(workdir.path(), script).code, Some(100), "{script:?}");
        assert_eq!(run(workdir.path(), script, b"").code, Some(111), "{script:?}");
    }
}

#[test]
fn a_name_that_is_not_utf_8_is_shown_and_used() {
    let workdir = Workdir::new();
    let script = [OsString::from_vec(b"./\xff\x1b".to_vec())];

    let checked = check(workdir.path(), &script);

    assert_eq!(
        checked.out,
        "./\\xff\\x1b: logs selected lines: at most 10 files of at most 99999 bytes; ends in the invisible character U+001B\n"
    );
    assert_eq!(run(workdir.path(), &script, b"x\n").code, Some(0));
    assert_eq!(LogDirFiles::read(&workdir.join(OsStr::from_bytes(b"\xff\x1b"))).joined(), b"x\n");
}

/// The two numbers of `at most 10 files of at most 99999 bytes`.
fn files_and_bytes(explanation: &str) -> [usize; 2] {
    let (_, numbers) = explanation.split_once(": at most ").unwrap();
    let mut numbers = numbers.split(|character: char| !character.is_ascii_digit()).filter_map(|word| word.parse().ok());
    [numbers.next().unwrap(), numbers.next().unwrap()]
}

#[test]
fn the_numbers_of_a_directory_are_those_that_a_logger_keeps_to() {
    for script in [
        &["s", "n", "./main"][..],
        &["s1", "n1", "./main", "s5000", "n3"],
        &["s9k", "s5k", "n7", "n4", "./main"],
        &["n3x", "s6000q", "./main"],
        &["s5000 ", "n3", "./other", "s-5", "./main"],
        &["s8192", "./x", "S20000", "./main"],
        &["s8192", "S4k", "./main"],
    ] {
        let workdir = Workdir::in_memory();
        let checked = check(workdir.path(), script);
        let explanation = checked.out.lines().find(|line| line.starts_with("./main: ")).unwrap();
        let [files, bytes] = files_and_bytes(explanation);
        let input: Vec<u8> = (0..2000).flat_map(|number| format!("{number:049}\n").into_bytes()).collect();

        let logger = run(workdir.path(), script, &input);

        assert_eq!(logger.code, Some(0), "{}", logger.said);
        let log = LogDirFiles::read(&workdir.join("main"));
        let sizes: Vec<usize> = log.archives().map(|(_, file)| file.bytes.len()).collect();
        let is_full = |&size: &usize| size <= bytes && size + 2000 >= bytes;
        assert!(!sizes.is_empty() && sizes.iter().all(is_full), "{explanation}: {sizes:?}");
        let total: Option<usize> = explanation
            .split_once("archives of at most ")
            .map(|(_, rest)| rest.split(' ').next().unwrap().parse().unwrap());
        match total {
            Some(total) => assert!(sizes.iter().sum::<usize>() <= total, "{explanation}: {sizes:?}"),
            None if explanation.contains("no archive but the newest") => assert_eq!(sizes.len(), 1, "{explanation}"),
            None => assert_eq!(sizes.len() + 1, files.min(input.len() / bytes), "{explanation}"),
        }
    }
}

/// A script of a few words that have to do with each other.
fn random_script(random: &mut Random) -> Vec<&'static str> {
    const HEADS: [&str; 4] = ["t", "p=p", "e", "-*"];
    const WORDS: [&str; 24] = [
        "-*", "+*", "-*x*", "+*y*", "-x*", "+x", "e", "1", "1=x", "=status", "=other", "./a", "./b", "././a", "./c",
        "s5000", "n5", "n7", "S", "main", "t", "R1h", "ex", "s",
    ];
    let mut script = vec![HEADS[random.below(HEADS.len())]];
    for _ in 0..random.below(8) {
        script.push(WORDS[random.below(WORDS.len())]);
    }
    script
}

#[test]
fn random_scripts_do_what_their_explanations_say() {
    // No digit of a stamp is one of these.
    let input = b"x\ny\nxy\nyx\nz\n\n";
    for seed in 0..60 {
        let script = random_script(&mut Random::new(seed));
        let workdir = Workdir::in_memory();
        let checked = check(workdir.path(), &script);
        assert_eq!(fs::read_dir(workdir.path()).unwrap().count(), 0);
        let explained: Vec<&str> = checked.out.lines().collect();
        assert!(explained.len() == script.len() || explained.len() == script.len() + 1, "{script:?}: {checked:?}");
        assert_eq!(checked.code, Some(if checked.said.is_empty() { 0 } else { 100 }));

        let logger = run(workdir.path(), &script, input);

        let about = format!("{script:?}\n{checked:?}\n{logger:?}");
        assert_eq!(logger.code == Some(111), checked.out.contains("cannot be locked"), "{about}");
        if logger.code == Some(111) {
            continue;
        }
        // What a logger ignores, a check names in the same words.
        let is_warning = |line: &&str| line.starts_with("multilog: warning: ");
        for warning in logger.said.lines().filter(is_warning) {
            assert!(checked.said.contains(warning), "{about}");
        }
        let files = |name: &str| fs::read(workdir.join(name)).unwrap_or_default();
        if explained.contains(&"no action writes: every line is dropped") {
            assert!(logger.out.is_empty() && fs::read_dir(workdir.path()).unwrap().count() == 0, "{about}");
        }
        for line in explained.iter().filter(|line| line.contains("; gets no line")) {
            let action = line.split(": ").next().unwrap();
            if let Some(name) = action.strip_prefix('=') {
                assert!(script.iter().filter(|one| **one == action).count() > 1 || files(name).is_empty(), "{about}");
            } else if action.starts_with('.') {
                assert!(files(&format!("{action}/current")).is_empty(), "{about}");
            }
        }
        // Without what does nothing, every file is the same.
        let is_idle = |line: &str| {
            [
                ": has no effect: ",
                ": matches no line: ",
                ": holds for no directory: ",
                ": prints nothing: ",
                ": ignored",
            ]
            .iter()
            .any(|words| line.contains(words))
        };
        let less: Vec<&str> =
            script.iter().zip(&explained).filter(|(_, line)| !is_idle(line)).map(|(word, _)| *word).collect();
        let other = Workdir::in_memory();
        let again = run(other.path(), &less, input);
        let is_alert = |line: &&str| !is_warning(line);
        let masked = |text: &str| String::from_utf8(mask_labels(text.as_bytes())).unwrap();
        let alerts = |answer: &Answer| {
            let lines: Vec<&str> = answer.said.lines().filter(is_alert).collect();
            masked(&lines.join("\n"))
        };
        assert_eq!((masked(&logger.out), alerts(&logger)), (masked(&again.out), alerts(&again)), "{less:?}\n{about}");
        for name in ["status", "other", "a/current", "b/current", "c/current"] {
            let read = |directory: &Workdir| fs::read(directory.join(name)).ok().map(|log| mask_labels(&log));
            assert_eq!(read(&workdir), read(&other), "{name} of {less:?}\n{about}");
        }
    }
}
