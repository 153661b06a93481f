//! The next program inherits descriptors, signals and arguments unchanged.

use super::{can, said, said_by, theirs};
use testkit::{Workdir, is_root};

/// Each tool in a call that runs a next program, which follows.
const CALLS: [&str; 7] =
    ["setuidgid root", "envuidgid root", "envdir env", "softlimit -o 100", "setlock lock", "pgrphack", "fghack"];

/// The calls that the user who runs the tests may make.
fn calls() -> impl Iterator<Item = &'static str> {
    let is_root = is_root("call setuidgid");
    CALLS.into_iter().filter(move |call| is_root || !call.starts_with("setuidgid"))
}

/// A directory with an empty `env` for envdir.
fn workdir() -> Workdir {
    let dir = Workdir::new();
    std::fs::create_dir(dir.join("env")).unwrap();
    dir
}

/// Notes in the file `open` which of the standard descriptors the shell has, without opening one before it has looked.
const LOOK: &str = "sh -c 'o=; for n in 0 1 2; do test -e /proc/$$/fd/$n && o=$o$n; done; echo \"open: $o\" >open'";

#[test]
fn closed_descriptors_stay_closed() {
    let dir = workdir();
    for call in calls() {
        for (closed, open) in [("<&-", "12"), (">&-", "02"), ("2>&-", "01"), ("<&- >&-", "2"), ("<&- >&- 2>&-", "")] {
            let seen = said(dir.path(), &format!("rm -f open; {call} {LOOK} {closed}; cat open"));

            assert_eq!(seen, format!("open: {open}\n"), "{call} {closed}");
        }
    }
}

#[test]
fn closed_descriptors_stay_closed_with_0_76_where_it_opens_nothing() {
    let Some(theirs) = theirs() else {
        return;
    };
    let dir = workdir();
    for call in calls() {
        let seen = said_by(&theirs, dir.path(), &format!("rm -f open; {call} {LOOK} <&- >&- 2>&-; cat open"));

        // There the lock file and the pipe take the lowest numbers there are.
        let open = match call {
            "setlock lock" => "0",
            "fghack" => "012",
            _ => "",
        };
        assert_eq!(seen, format!("open: {open}\n"), "{call}");
    }
}

#[test]
fn no_descriptor_is_passed_on_except_the_lock_and_the_pipe() {
    let dir = workdir();
    let count = |call: &str| {
        said(dir.path(), &format!("{call} sh -c 'ls /proc/$$/fd >list; wc -l <list'")).trim().parse::<i32>().ok()
    };
    let inherited = count("").expect("a number");
    for call in calls() {
        let more = match call {
            "setlock lock" => 1,
            // The pipe's writing end and thirty more of it.
            "fghack" => 31,
            _ => 0,
        };
        assert_eq!(count(call), Some(inherited + more), "{call}");
    }
}

#[test]
fn a_message_is_not_written_to_the_lock_file() {
    let dir = workdir();

    said(dir.path(), "setlock lock nosuch <&- >&- 2>&-");

    assert_eq!(std::fs::read(dir.join("lock")).unwrap(), b"");
}

#[test]
fn signal_mask_and_dispositions_are_passed_on() {
    if !can("env --block-signal=USR1 --ignore-signal=PIPE --default-signal=INT true") {
        return;
    }
    let dir = workdir();
    let look = "grep -E '^Sig(Blk|Ign)' /proc/self/status";
    for given in [
        "env --default-signal",
        "env --ignore-signal=PIPE",
        "env --default-signal=PIPE --block-signal=TERM,USR1",
        "env --ignore-signal=INT,CHLD --block-signal=PIPE",
    ] {
        let inherited = said(dir.path(), &format!("{given} {look}"));
        for call in calls() {
            // fghack has to learn how its child ended, and says so where it cannot, as 0.76 does.
            if call == "fghack" && given.contains("CHLD") {
                continue;
            }
            assert_eq!(said(dir.path(), &format!("{given} {call} {look}")), inherited, "{given} {call}");
        }
    }
}

#[test]
fn accounts_are_looked_up_with_any_signal_dispositions() {
    if !can("env --ignore-signal=CHLD,PIPE true") {
        return;
    }
    let dir = workdir();

    let said = said(dir.path(), "env --ignore-signal=CHLD,PIPE envuidgid nosuch true; envuidgid nosuch true <&- >&-");

    assert_eq!(said, "envuidgid: fatal: unknown account nosuch\n".repeat(2));
}

#[test]
fn arguments_are_passed_on_unchanged() {
    let dir = workdir();
    let arguments = "'' ' ' -- -x \"$(printf 'a\\nb\\377')\" =";
    let plain = said(dir.path(), &format!("printf '<%s>' {arguments}"));
    for call in calls() {
        assert_eq!(said(dir.path(), &format!("{call} printf '<%s>' {arguments}")), plain, "{call}");
    }
}
