//! svscanboot: svscan and readproctitle, started as for a whole system.

use nix::sys::signal::Signal;

use testkit::service_fixture::{Maker, ServiceFixture, kill_by_id, send};
use testkit::until;

#[test]
fn messages_are_shown_in_the_process_list() {
    let fixture = ServiceFixture::with_service("echo one >&2; exec sleep 1000");
    let sv = fixture.path("sv");
    let boot = fixture.start("out", Maker::Ours, "svscanboot", &[sv.to_str().unwrap()]);
    let title = || {
        fixture
            .processes()
            .into_iter()
            .find(|seen| seen.command.contains("service errors: ..."))
            .map(|seen| seen.command)
    };
    until("the message is shown", || {
        title().is_some_and(|title| title.ends_with("one\u{a}") || title.ends_with("one"))
    });

    let svscan = fixture.processes().into_iter().find(|seen| seen.command.starts_with("svscan ")).unwrap();
    assert_eq!(svscan.parent, boot);
    let service = fixture.pid("sv/a");
    kill_by_id(svscan.pid);
    until("there is another svscan", || {
        fixture.processes().iter().any(|seen| seen.command.starts_with("svscan ") && seen.pid != svscan.pid)
    });
    fixture.script("sv/b/run", "echo two >&2; exec sleep 1000");
    until("its messages are shown too", || title().is_some_and(|title| title.contains("two")));
    assert_eq!(fixture.pid("sv/a"), service);
    // Nothing of the environment reaches a service but PATH.
    let environment = std::fs::read(format!("/proc/{service}/environ")).unwrap();
    let environment: Vec<_> =
        environment.split(|&byte| byte == 0).filter(|entry| entry.starts_with(b"LOGYARD")).collect();
    assert!(environment.is_empty());

    send(boot, Signal::SIGTERM);
    assert_eq!(fixture.wait(boot), Some(0));
    until("everything has ended", || fixture.processes().is_empty());
}
