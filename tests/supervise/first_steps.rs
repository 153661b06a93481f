//! Page 1 of the article that many readers still follow: the steps from a freshly installed tree to services in
//! `/service`, in a root directory of their own.

use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::service_fixture::ServiceFixture;
use testkit::{program_directory, skipped, until};

/// Our programs under `/command`, the rest of the system read-only, `/service` and all the rest private, and svscanboot as
/// the first process: what is left behind ends with it.
const ROOM: &str = r#"
set -e
mount -t tmpfs room "$1"; cd "$1"
mkdir -p bin usr lib lib64 proc dev command service etc var tmp
for dir in bin usr lib lib64; do test -d /$dir && mount --bind /$dir $dir; done
touch dev/null; mount --bind /dev/null dev/null
for program in svscan svscanboot supervise svc svstat svok readproctitle multilog tai64n tai64nlocal; do
    cp "$2/$program" command/
done
mount -t proc proc proc
cp "$3" tmp/steps
exec env - PATH=/bin:/usr/bin:/sbin:/usr/sbin chroot . /bin/sh -c "/command/svscanboot & . /tmp/steps"
"#;

/// What the reader types, and what is looked at. `PATH` as svscanboot gives it.
const STEPS: &str = r#"
PATH=/command:/bin:/usr/bin
wait_for() { n=0; until eval "$1"; do n=$((n+1)); test $n -lt 3000 || { echo "waited in vain: $1"; exit 1; }; sleep 0.02; done; }
cd /command
wait_for "ps -aef | grep -v grep | grep -q 'svscan /service'"
ps -aef | grep -v grep | grep -c -E '[0-9] (/command/svscanboot|svscan /service)$'
date | ./tai64n | ./tai64nlocal | grep -c '^[0-9-]* [0-9:.]* '
date | sh -c './multilog t e 2>&1' | ./tai64nlocal | grep -c '^[0-9-]* [0-9:.]* '
mkdir /service/sub;chmod +t /service/sub
cat >/service/sub/run <<'END'
#!/bin/sh
echo $$ speaks
exec sleep 1000
END
chmod +x /service/sub/run
mkdir -p /service/sub/log/main
cat >/service/sub/log/run <<'END'
#!/bin/sh
exec multilog t ./main
END
chmod +x /service/sub/log/run
wait_for 'grep -q speaks /service/sub/log/main/current'
echo sub is logged
mkdir -p /var/qmail/service/qmail/log/main
cp /service/sub/run /var/qmail/service/qmail/run
cp /service/sub/log/run /var/qmail/service/qmail/log/run
chmod +t /var/qmail/service/qmail
ln -s /var/qmail/service/qmail /service/
wait_for 'grep -q speaks /service/qmail/log/main/current'
echo qmail is logged
svstat /service/qmail /service/qmail/log | sed 's/[0-9][0-9]*/N/g'
svc -d /service/qmail
wait_for 'svstat /service/qmail | grep -q ": down"'
svc -u /service/qmail
wait_for 'svstat /service/qmail | grep -q ": up"'
wait_for 'test $(grep -c speaks /service/qmail/log/main/current) -ge 2'
svc -t /service/qmail
wait_for 'test $(grep -c speaks /service/qmail/log/main/current) -ge 3'
cd /service/qmail; rm /service/qmail; svc -dx . log
wait_for '! svok /var/qmail/service/qmail'
echo qmail is gone
"#;

#[test]
fn the_first_steps_of_the_article_work() {
    let rooms = Command::new("unshare").args(["--mount", "--pid", "--fork", "--kill-child", "true"]).status();
    if !rooms.is_ok_and(|status| status.success()) || !Path::new("/bin/ps").exists() {
        skipped("a system in a root directory of its own: unshare is not allowed here, or there is no ps");
        return;
    }
    let fixture = ServiceFixture::new();
    fs::create_dir(fixture.path("room")).unwrap();
    let room = fixture.path("room");
    fixture.write("steps", STEPS);
    let steps = fixture.path("steps");
    let arguments = [
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "/bin/sh",
        "-c",
        ROOM,
        "room",
        room.to_str().unwrap(),
        program_directory().to_str().unwrap(),
        steps.to_str().unwrap(),
    ];

    let output = fixture.command("unshare", &arguments).output().unwrap();

    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        said,
        "2\n1\n1\nsub is logged\nqmail is logged\n/service/qmail: up (pid N) N seconds\n\
         /service/qmail/log: up (pid N) N seconds\nqmail is gone\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    until("the room is empty", || fixture.processes().is_empty());
}
