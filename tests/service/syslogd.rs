//! Debian's syslog daemon, as a receiver.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use logyard::sys::signal::Signal;

use testkit::logger::Running;
use testkit::{Workdir, skipped, until};

/// Debian's syslog daemon, with a configuration and a socket of the test's own.
pub(super) struct Rsyslogd {
    directory: Workdir,
    process: Option<Running>,
}

impl Rsyslogd {
    pub(super) fn installed() -> Option<Rsyslogd> {
        if !["/usr/sbin/rsyslogd", "/sbin/rsyslogd"].iter().any(|path| Path::new(path).exists()) {
            skipped("rsyslogd is not installed, so splogger was not tried with it");
            return None;
        }
        let directory = Workdir::new();
        let at = |name: &str| directory.join(name).display().to_string();
        let configuration = format!(
            "global(workDirectory=\"{}\")\n\
             module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             input(type=\"imuxsock\" Socket=\"{}\" RateLimit.Interval=\"0\")\n\
             template(name=\"plain\" type=\"string\" string=\"%pri-text% %syslogtag%%msg%\\n\")\n\
             *.* action(type=\"omfile\" file=\"{}\" template=\"plain\" asyncWriting=\"off\")\n",
            directory.path().display(),
            at("log"),
            at("messages")
        );
        std::fs::write(directory.join("rsyslog.conf"), configuration).unwrap();
        Some(Rsyslogd { directory, process: None })
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.join("log")
    }

    pub(super) fn start(&mut self) {
        let mut command = Command::new("rsyslogd");
        command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").arg("-n");
        command.arg("-f").arg(self.directory.join("rsyslog.conf"));
        command.arg("-i").arg(self.directory.join("pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(Running::start(&mut command));
        until("rsyslogd listens", || UnixDatagram::unbound().unwrap().connect(self.socket()).is_ok());
    }

    pub(super) fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal(Signal::SIGTERM);
        process.end();
    }

    pub(super) fn messages(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.directory.join("messages")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
