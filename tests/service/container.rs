//! The container of the examples, without a container engine: svscan as process 1 of a root directory of its own.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use logyard::sys::signal::{self, Signal};

use testkit::until;

use super::root::{Root, init_of};

/// How long a stop may take.
const STOP: Duration = Duration::from_secs(1);

#[test]
fn svscan_as_process_1_runs_two_services_and_stops_them_within_a_second() {
    let Some(root) = Root::bare() else { return };
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/container/service");
    root.receive_programs("/built");
    root.run(&["/built/logyard-setup", "--boot", "none"]);
    fs::remove_dir(root.at("/service")).unwrap();
    assert!(Command::new("cp").arg("-r").arg(services).arg(root.at("/service")).status().unwrap().success());
    fs::create_dir_all(root.at("/var/log")).unwrap();
    let logs = ["/var/log/clock/current", "/var/log/front/current"];
    let mut taken = Vec::new();

    // A machine that is busy with something else may need another attempt.
    for attempt in 1..=3 {
        let mut container = root.boot(&["/command/svscan", "/service"]);
        until("both services have said something", || logs.iter().all(|log| root.text(log).lines().count() >= attempt));
        let init = init_of(&container).expect("svscan runs");
        let start = Instant::now();
        signal::send(init, Signal::SIGTERM).unwrap();
        let status = container.end();
        taken.push(start.elapsed());

        assert!(status.success(), "svscan exits cleanly: {status}");
        for log in logs {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(root.at(log)).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o744, "{log} is clean");
            assert!(!root.text(log).is_empty());
        }
        if taken[attempt - 1] < STOP {
            return;
        }
    }
    panic!("stopping took {taken:?}");
}
