//! The processor time with 1,000 services, half of which log. It runs for three minutes, so it must be asked for.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::{fixture, row};
use testkit::service_fixture::ServiceFixture;
use testkit::terminal::Terminal;
use testkit::{processor_ticks, until};

const SERVICES: usize = 1000;
/// How long the time is measured, how often, and how much of it svtop may use: the median counts, because what else the
/// machine does changes the figure.
const MEASURED: Duration = Duration::from_secs(15);
const TIMES: usize = 5;
const SHARE_MAX: f64 = 0.02;

fn add_services(fixture: &ServiceFixture) {
    for number in 0..SERVICES {
        let name = format!("sv/s{number:04}");
        // Each at its own moment: services that are started together do not go on in step for long.
        let logs = "exec perl -e '$|=1; select undef, undef, undef, rand 1; \
                    while (1) { print \"a line of a service, as a mail server writes it\\n\"; sleep 1 }'";
        fixture.script(&format!("{name}/run"), if number % 2 == 0 { logs } else { "exec sleep 100000" });
        fixture.script(&format!("{name}/log/run"), "exec multilog t s100000 n5 ./main");
    }
}

#[test]
#[ignore = "runs for three minutes with 4,000 processes"]
fn torture_a_thousand_services_cost_little() {
    let fixture = fixture("exec sleep 1000", "./main");
    add_services(&fixture);
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_svtop")).parent().unwrap();
    fixture.svscan("sv");
    let mut report = String::new();
    for size in [(80, 24), (200, 50)] {
        let Some(terminal) = Terminal::open_sized(&fixture.path(""), programs, size) else { return };
        terminal.enter("svtop --sort name sv");
        until("all services are up", || {
            let screen = terminal.screen();
            screen.contains(&format!("{} services: {} up;", SERVICES + 1, SERVICES + 1))
                && !row(&screen, "s0000").is_empty()
        });
        let process = fixture.processes_of("svtop --sort name sv")[0];
        let mut shares = [0.0; TIMES].map(|_: f64| {
            let (start, before) = (Instant::now(), processor_ticks(process));
            std::thread::sleep(MEASURED);
            (processor_ticks(process) - before) as f64 / 100.0 / start.elapsed().as_secs_f64()
        });
        shares.sort_by(f64::total_cmp);
        let share = shares[TIMES / 2];
        let _ = write!(report, "{size:?}: {:.2} % of a processor ({shares:.4?}); ", share * 100.0);
        terminal.type_in("q");
        until("svtop has ended", || fixture.processes_of("svtop --sort name sv").is_empty());
        assert!(share <= SHARE_MAX, "{report}");
    }
    testkit::report(format_args!("svtop with {SERVICES} services: {report}"));
}
