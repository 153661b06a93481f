//! What peeking costs: multilog as it is beside the same multilog that just reads, `t` and without.
//!
//! ```text
//! cargo bench -p logbench --bench peeking
//! ```
//!
//! Whoever peeks copies everything once more; what that buys is in `doc/reliability.md`. logbench runs the two in turns
//! and looks at what they left. The reading one is this program, called with `reading` and a script.

#![allow(missing_docs, clippy::unwrap_used)]

use std::ffi::CString;
use std::process::{Command, exit};

use logyard::multilog;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("reading") {
        let program = CString::from(c"multilog");
        let script = arguments.map(|argument| CString::new(argument).unwrap());
        let words: Vec<_> =
            [program].into_iter().chain(script).map(|word| &*Box::leak(word.into_boxed_c_str())).collect();
        exit(multilog::program::run_reading(&words).0);
    }
    let this = std::env::current_exe().unwrap();
    for script in ["t s1000000 n10 ./main", "s1000000 n10 ./main"] {
        let subject = |name: &str, program: &str| ["--logger".to_owned(), format!("{name}={program} {script}")];
        let status = Command::new(env!("CARGO_BIN_EXE_logbench"))
            .args(["run", "--script", script, "--only-given", "--no-limit", "--baseline", "reading"])
            .args(subject("reading", &format!("{} reading", this.display())))
            .args(subject("peeking", testkit::program("multilog").to_str().unwrap()))
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
    }
}
