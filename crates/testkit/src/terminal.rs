//! A real terminal: tmux is one, and types and looks as a person would.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{peer, until};

/// A terminal with a shell in it, which ends with the test.
pub struct Terminal {
    tmux: PathBuf,
    socket: PathBuf,
}

impl Terminal {
    /// Opens a terminal of 80 columns and 24 rows in a directory; `None`, with a notice, where there is no tmux. Programs are found
    /// in `programs` first.
    pub fn open(dir: &Path, programs: &Path) -> Option<Terminal> {
        Terminal::open_sized(dir, programs, (80, 24))
    }

    /// The same with another size.
    pub fn open_sized(dir: &Path, programs: &Path, (columns, rows): (u16, u16)) -> Option<Terminal> {
        // After kill-server, tmux still answers for a moment, so each terminal has a socket of its own.
        static TERMINALS: AtomicUsize = AtomicUsize::new(0);
        let socket = dir.join(format!("tmux{}", TERMINALS.fetch_add(1, Ordering::Relaxed)));
        let terminal = Terminal { tmux: peer("tmux")?, socket };
        let shell = format!(
            "cd '{}'; PATH='{}':$PATH; PS1='$ '; PAGER='less -R'; LESS=; TZ=UTC; export PATH PS1 PAGER LESS TZ; exec /bin/sh",
            dir.display(),
            programs.display()
        );
        let size = [columns.to_string(), rows.to_string()];
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &size[0], "-y", &size[1], &shell]);
        terminal.until_screen("$", |screen| screen.contains('$'));
        Some(terminal)
    }

    /// Gives tmux a command.
    pub fn tmux(&self, arguments: &[&str]) -> String {
        let output =
            Command::new(&self.tmux).arg("-S").arg(&self.socket).args(arguments).env_remove("TMUX").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types a text.
    pub fn type_in(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses a key, by tmux's name for it.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types a line.
    pub fn enter(&self, command: &str) {
        self.type_in(command);
        self.press("Enter");
    }

    /// What the terminal shows.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Gives the terminal another size.
    pub fn resize(&self, (columns, rows): (u16, u16)) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// Waits until the screen is as wanted.
    #[track_caller]
    pub fn until_screen(&self, what: &str, condition: impl Fn(&str) -> bool) {
        until(&format!("the screen shows {what}"), || condition(&self.screen()));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new(&self.tmux).arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}
