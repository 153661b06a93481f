//! Starting and stopping a service again and again leaks neither memory nor descriptors.

use std::fs;

use testkit::service_fixture::ServiceFixture;
use testkit::until;

fn cycles(count: usize) {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    let supervise = fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");
    let cycle = || {
        fixture.svc(&["-d", "sv/a"]);
        until("it is down", || fixture.pid("sv/a") == 0);
        fixture.svc(&["-u", "sv/a"]);
        until("it is up", || fixture.pid("sv/a") != 0);
    };
    let descriptors = || fs::read_dir(format!("/proc/{supervise}/fd")).unwrap().count();
    let memory = || {
        let rollup = fs::read_to_string(format!("/proc/{supervise}/smaps_rollup")).unwrap();
        let line = rollup.lines().find(|line| line.starts_with("Anonymous:")).unwrap().to_owned();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    // The first ones touch what is touched once.
    (0..3).for_each(|_| cycle());
    // The gate is open until the service has been let go, and a moment longer on this side.
    until("the service is what it is to be", || {
        fs::read_to_string(format!("/proc/{}/comm", fixture.pid("sv/a"))).is_ok_and(|name| name == "sleep\n")
    });
    let sample = |_| {
        std::thread::sleep(std::time::Duration::from_millis(1));
        descriptors()
    };
    let descriptors_before = (0..50).map(sample).min().expect("there are fifty");
    let memory_before = memory();

    (0..count).for_each(|_| cycle());

    // The gate of the last start may still be open.
    until("its descriptors are as before", || descriptors() == descriptors_before);
    // A page may be shared or not by how the last fork went.
    let memory_after = memory();
    assert!(memory_after <= memory_before + 8, "{memory_before} kB grew to {memory_after} kB");
    assert_eq!(fixture.processes().len(), 2);
    assert_eq!(fixture.read("sv/a/supervise/starts"), format!("{}\n", count + 4));
}

#[test]
fn fifty_cycles_leak_nothing() {
    cycles(50);
}

#[test]
#[ignore = "the long version"]
fn a_thousand_cycles_leak_nothing() {
    cycles(1000);
}
