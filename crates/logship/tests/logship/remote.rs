//! S3, by moto, and engines that read what was shipped.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::logger::Running;
use testkit::until;

use crate::kill::assert_exactly_once;
use crate::python::{self, CREDENTIALS, Moto};
use crate::{Fixture, assert_says};

#[test]
fn everything_is_in_s3_once_whenever_shippers_are_killed() {
    let Some(moto) = Moto::start() else { return };
    let fixture = Fixture::new();
    let endpoint = moto.url();

    assert_exactly_once(&fixture, &["s3://logs/raw", "--endpoint", &endpoint], &CREDENTIALS, 12);

    let list = format!(
        "import urllib.request as r, re\n\
         text = r.urlopen('{endpoint}/logs?list-type=2&prefix=raw/').read().decode()\n\
         print('\\n'.join(re.findall('<Key>(.*?)</Key>', text)))"
    );
    let keys = python::run(&list);
    assert_eq!(keys.lines().count(), 48, "an object for each archive and no other name: {keys}");
    for service in ["mail", "web", "dns"] {
        let mut command = fixture.command(&["get", "s3://logs/raw", "--endpoint", &endpoint, "--service", service]);
        testkit::assert_same(command.envs(CREDENTIALS).output().unwrap().stdout, fixture.joined(service));
    }
}

#[test]
fn duckdb_finds_each_line_once_and_in_order() {
    if !python::has("duckdb") {
        return;
    }
    let fixture = Fixture::new();
    for service in ["mail", "web"] {
        fixture.archives(service, 5, 2000);
    }
    assert_says(&fixture.ship(&["mail", "web"]), 0, "10 archives shipped (20000 lines");

    let script = format!(
        "import duckdb\n\
         rows = duckdb.sql(\"\"\"SELECT epoch_us(time), message FROM read_parquet('{}/**/*.parquet', hive_partitioning = true)\n\
         WHERE host = 'h1' AND service = 'mail' AND date = '2026-09-21' AND raw IS NULL ORDER BY archive, line\"\"\").fetchall()\n\
         for time, message in rows:\n\
         \x20   print('@%016x%08x %s' % (2**62 + 10 + time // 10**6, time % 10**6 * 1000, message))",
        fixture.store().display()
    );
    testkit::assert_same(python::run(&script), fixture.joined("mail"));
}

/// A proxy in front of a server. It refuses connections while `is_away`, and later fails four of six.
struct Unreliable {
    port: u16,
    is_away: Arc<AtomicBool>,
    failures: Arc<AtomicU32>,
}

impl Unreliable {
    fn before(server: u16) -> Unreliable {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_away, failures) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
        let proxy = Unreliable { port, is_away: Arc::clone(&is_away), failures: Arc::clone(&failures) };
        thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                let Ok(client) = client else { return };
                let is_away = is_away.load(Ordering::Relaxed);
                failures.fetch_add(u32::from(is_away || number % 6 < 4), Ordering::Relaxed);
                match number % 6 {
                    // Closed with unread bytes: a reset.
                    _ if is_away => drop(client),
                    0 => drop(answer(client, "500 Internal Server Error")),
                    1 => drop(answer(client, "503 Slow Down")),
                    // The request arrives, and the answer gets lost.
                    2 => drop(pass(client, server, 1)),
                    3 => drop(client),
                    _ => drop(pass(client, server, u32::MAX)),
                }
            }
        });
        proxy
    }
}

/// Answers a request in this way, whatever it is.
fn answer(mut client: TcpStream, status: &'static str) -> std::io::Result<()> {
    let mut room = [0; 4096];
    let _ = client.read(&mut room)?;
    client.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())?;
    client.shutdown(Shutdown::Write)?;
    while client.read(&mut room)? > 0 {}
    Ok(())
}

/// Passes bytes on in both directions. After so many pieces of answers, the connection is closed before the next one.
fn pass(client: TcpStream, server: u16, pieces: u32) -> std::io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", server))?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let (mut from_server, mut to_client) = (server, client);
    thread::spawn(move || {
        let mut room = vec![0; 1 << 16];
        for _ in 0..pieces {
            match from_server.read(&mut room) {
                Ok(0) | Err(_) => break,
                Ok(length) if to_client.write_all(&room[..length]).is_err() => break,
                Ok(_) => {}
            }
        }
        // The answer to the next request gets lost.
        if pieces != u32::MAX {
            let _ = from_server.read(&mut room);
        }
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = from_server.shutdown(Shutdown::Both);
    });
    Ok(())
}

#[test]
fn a_store_that_is_away_and_then_unreliable_gets_everything_once() {
    let Some(moto) = Moto::start() else { return };
    let proxy = Unreliable::before(moto.port);
    let fixture = Fixture::new();
    fixture.archives("mail", 20, 200);
    let endpoint = format!("http://127.0.0.1:{}", proxy.port);
    let arguments = ["ship", "--once", "--host", "h1", "--endpoint", &endpoint, "mail/log/main", "s3://logs/raw"];
    let mut command = fixture.command(&arguments);
    let shipper = command.envs(CREDENTIALS).stderr(std::process::Stdio::piped()).spawn().unwrap();
    until("it was refused some times", || proxy.failures.load(Ordering::Relaxed) >= 3);

    proxy.is_away.store(false, Ordering::Relaxed);

    let output = shipper.wait_with_output().unwrap();
    assert_says(&output, 0, "0 failed, 0 lost");
    assert_says(&output, 0, ", retrying\n");
    assert_says(&output, 0, "the store is back after ");
    let endpoint = moto.url();
    let mut command =
        fixture.command(&["verify", "--content", "--endpoint", &endpoint, "mail/log/main", "s3://logs/raw"]);
    assert_says(&command.envs(CREDENTIALS).output().unwrap(), 0, "20 archives (4000 lines) are in the store");
}

/// A number in a metrics file; 0 if it is not there yet.
fn count(metrics: &Path, name: &str) -> u64 {
    let text = std::fs::read_to_string(metrics).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("logship_{name} ")));
    value.map_or(0, |value| value.parse().unwrap())
}

/// How much memory a shipper may need.
const MEMORY_KIB_MAX: u64 = 64 << 10;

#[test]
#[ignore = "takes a minute; .ci/torture runs it"]
fn torture_a_store_that_is_away_for_30_seconds_gets_everything_once_and_memory_is_bounded() {
    let Some(moto) = Moto::start() else { return };
    let proxy = Unreliable::before(moto.port);
    let fixture = Fixture::new();
    // 16 archives of 6 MB.
    fixture.archives("mail", 16, 100_000);
    let endpoint = format!("http://127.0.0.1:{}", proxy.port);
    let (messages, metrics) = (fixture.workdir.join("messages"), fixture.workdir.join("metrics"));
    let arguments = ["ship", "--host", "h1", "--endpoint", &endpoint, "--metrics", metrics.to_str().unwrap()];
    let mut command = fixture.command(&[&arguments[..], &["mail/log/main", "s3://logs/raw"]].concat());
    command.envs(CREDENTIALS).stdout(Stdio::null()).stderr(std::fs::File::create(&messages).unwrap());
    let mut shipper = Running::start(&mut command);
    thread::sleep(Duration::from_secs(30));

    proxy.is_away.store(false, Ordering::Relaxed);

    let until_then = Instant::now() + Duration::from_secs(300);
    // An archive whose answer got lost is found to be there.
    while count(&metrics, "archives_shipped_total") + count(&metrics, "archives_present_total") < 16 {
        assert!(Instant::now() < until_then && shipper.is_alive(), "{}", std::fs::read_to_string(&messages).unwrap());
        thread::sleep(Duration::from_millis(100));
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", shipper.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    let peak: u64 = peak.trim().parse().unwrap();
    testkit::report(format_args!("96 MB through an unreliable store: {peak} KiB of memory at most"));
    assert!(peak < MEMORY_KIB_MAX, "{peak} KiB");
    let said = std::fs::read_to_string(&messages).unwrap();
    assert!(said.contains("the store is back after "), "{said}");
    let endpoint = moto.url();
    let mut command =
        fixture.command(&["verify", "--content", "--endpoint", &endpoint, "mail/log/main", "s3://logs/raw"]);
    assert_says(&command.envs(CREDENTIALS).output().unwrap(), 0, "16 archives (1600000 lines) are in the store");
}

#[test]
fn a_store_that_stays_away_is_given_up_in_the_end() {
    let fixture = Fixture::new();
    fixture.archives("mail", 1, 1);
    // Nobody listens there.
    let endpoint = "http://127.0.0.1:1";
    let arguments = ["ship", "--once", "--retry", "1", "--endpoint", endpoint, "mail/log/main", "s3://logs/raw"];

    let output = fixture.command(&arguments).envs(CREDENTIALS).output().unwrap();

    assert_says(&output, 111, "the store is away");
}

#[test]
fn a_bucket_that_does_not_exist_is_an_error_at_once() {
    let Some(moto) = Moto::start() else { return };
    let fixture = Fixture::new();
    fixture.archives("mail", 1, 1);
    let arguments = ["ship", "--once", "--endpoint", &moto.url(), "mail/log/main", "s3://other/raw"];

    let output = fixture.command(&arguments).envs(CREDENTIALS).output().unwrap();

    assert_says(&output, 111, "the store refuses");
}

/// Starts a server that answers each request by its method, and returns its address.
fn serve(answer: fn(&str) -> &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            thread::spawn(move || {
                let (mut request, mut room) = (Vec::new(), [0; 4096]);
                while !request.windows(4).any(|window| window == b"\r\n\r\n") || !is_whole(&request) {
                    match client.read(&mut room) {
                        Ok(length) if length > 0 => request.extend_from_slice(&room[..length]),
                        _ => return,
                    }
                }
                let method = request.split(|&byte| byte == b' ').next().unwrap();
                let status = answer(std::str::from_utf8(method).unwrap());
                let answer =
                    format!("HTTP/1.1 {status}\r\nETag: \"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = client.write_all(answer.as_bytes());
            });
        }
    });
    endpoint
}

#[test]
fn a_store_that_ignores_the_condition_is_refused() {
    let endpoint = serve(|_| "200 OK");
    let fixture = Fixture::new();
    fixture.archives("mail", 1, 1);
    let arguments = ["ship", "--once", "--retry", "5", "--endpoint", &endpoint, "mail/log/main", "s3://logs/raw"];

    let output = fixture.command(&arguments).envs(CREDENTIALS).output().unwrap();

    assert_says(&output, 111, "the store creates an object that is there already");
}

#[test]
fn a_store_that_contradicts_itself_is_given_up() {
    let endpoint = serve(|method| match method {
        "PUT" => "412 Precondition Failed",
        "DELETE" => "204 No Content",
        _ => "404 Not Found",
    });
    let fixture = Fixture::new();
    fixture.archives("mail", 1, 1);
    let arguments = ["ship", "--once", "--endpoint", &endpoint, "mail/log/main", "s3://logs/raw"];

    let output = fixture.command(&arguments).envs(CREDENTIALS).output().unwrap();

    assert_says(&output, 1, "is there, and that it is not");
}

/// Tells whether a request has as many bytes as its header announces.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let announced = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    request.len() >= head.len() + 4 + announced.unwrap_or(0)
}
