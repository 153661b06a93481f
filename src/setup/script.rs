//! Reads a shell script: whether it starts svscanboot, and where it ends.
//!
//! The script is read as a shell reads it, word by word: comments, quotes, arithmetic, here-documents, and what is in `if`,
//! loops and braces. What its commands do is guessed by their names: `echo svscanboot` starts nothing, `nohup
//! svscanboot &` and `csh -cf '/command/svscanboot &'` do. What comes after an `exit` that nothing depends on is not
//! run.

/// The program to look for.
const SVSCANBOOT: &[u8] = b"svscanboot";

/// Commands that take names of programs as arguments and do not start them.
const STARTING_NOTHING: [&str; 28] = [
    ":", "[", "[[", "alias", "cat", "chmod", "chown", "cp", "echo", "export", "for", "grep", "hash", "kill", "killall",
    "ln", "logger", "ls", "mv", "pgrep", "pidof", "pkill", "printf", "rm", "test", "touch", "type", "which",
];
/// Words that stand before a command, and those of them that begin a part of a script on which something depends.
const BEFORE: [&str; 10] = ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"];
const OPENING: [&str; 4] = ["if", "do", "{", "case"];
const CLOSING: [&str; 4] = ["fi", "done", "}", "esac"];

/// The result of reading a script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Whether it starts svscanboot.
    pub starts_svscanboot: bool,
    /// Where the first command is that ends it in any case.
    pub end: Option<usize>,
    /// Whether a part that was begun is not ended: then it was not understood.
    pub is_open: bool,
}

/// Reads a script.
#[must_use]
pub fn outline(script: &[u8]) -> Outline {
    let mut scanner = Scanner { text: script, at: 0, documents: Vec::new() };
    let mut outline = Outline::default();
    let (mut blocks, mut parentheses, mut is_conditional) = (0_usize, 0_usize, false);
    loop {
        let (command, at, separator) = scanner.command();
        let mut words = &command[..];
        while let [word, rest @ ..] = words {
            let is = |list: &[&str]| list.iter().any(|listed| listed.as_bytes() == word);
            if is(&OPENING) {
                blocks += 1;
            } else if is(&CLOSING) {
                blocks = blocks.saturating_sub(1);
            } else if !is(&BEFORE) && !is_assignment(word) {
                break;
            }
            words = rest;
        }
        outline.starts_svscanboot |= starts_svscanboot(words);
        let ends = match words {
            [word, ..] if word == b"exit" => true,
            [word, _, ..] if word == b"exec" => true,
            _ => false,
        };
        if ends && blocks + parentheses == 0 && !is_conditional {
            outline.end = Some(at);
            return outline;
        }
        // A line may end, and a comment stand, behind what joins two commands.
        let goes_on = command.is_empty() && matches!(separator, Separator::Plain) && is_conditional;
        is_conditional = matches!(separator, Separator::Conditional) || goes_on;
        match separator {
            Separator::Open => parentheses += 1,
            // In a case, a pattern ends so too.
            Separator::Close => parentheses = parentheses.saturating_sub(1),
            Separator::End => {
                outline.is_open = blocks + parentheses > 0;
                return outline;
            }
            Separator::Plain | Separator::Conditional => {}
        }
    }
}

fn starts_svscanboot(words: &[Vec<u8>]) -> bool {
    let [command, arguments @ ..] = words else { return false };
    if base_name(command) == SVSCANBOOT {
        return true;
    }
    let asks_only = command == b"command" && arguments.first().is_some_and(|option| option.eq_ignore_ascii_case(b"-v"));
    if asks_only || STARTING_NOTHING.iter().any(|name| name.as_bytes() == base_name(command)) {
        return false;
    }
    arguments.iter().any(|argument| {
        let is_script = argument.iter().any(u8::is_ascii_whitespace);
        base_name(argument) == SVSCANBOOT || is_script && outline(argument).starts_svscanboot
    })
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

fn is_assignment(word: &[u8]) -> bool {
    let name = word.split(|&byte| byte == b'=').next().unwrap_or_default();
    name.len() < word.len()
        && !name.is_empty()
        && !name[0].is_ascii_digit()
        && name.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The separator after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Separator {
    /// The next command is run in any case.
    Plain,
    /// It depends on this one.
    Conditional,
    Open,
    Close,
    /// The script is over.
    End,
}

/// Splits a script into commands.
struct Scanner<'s> {
    text: &'s [u8],
    at: usize,
    /// The last lines of here-documents that begin with the next line, and whether they may be indented.
    documents: Vec<(Vec<u8>, bool)>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take_if(&mut self, byte: u8) -> bool {
        let is_it = self.peek() == Some(byte);
        self.at += usize::from(is_it);
        is_it
    }

    /// Reads a command: its words without redirections, where it begins, and what stands behind it.
    fn command(&mut self) -> (Vec<Vec<u8>>, usize, Separator) {
        let mut words = Vec::new();
        let mut begin = self.at;
        loop {
            self.skip_blanks();
            if words.is_empty() {
                begin = self.at;
            }
            let separator = match self.peek() {
                None => Separator::End,
                Some(b'#') => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                    continue;
                }
                Some(b'<' | b'>') => {
                    self.redirection();
                    continue;
                }
                Some(b'\n') => {
                    self.at += 1;
                    self.skip_documents();
                    Separator::Plain
                }
                Some(b';') => {
                    self.at += 1;
                    Separator::Plain
                }
                Some(byte @ (b'&' | b'|')) => {
                    self.at += 1;
                    let is_double = self.take_if(byte);
                    if is_double || byte == b'|' { Separator::Conditional } else { Separator::Plain }
                }
                Some(b'(') => {
                    if let Some(end) = self.arithmetic_end() {
                        words.push(self.text[self.at..end].to_vec());
                        self.at = end;
                        continue;
                    }
                    self.at += 1;
                    Separator::Open
                }
                Some(b')') => {
                    self.at += 1;
                    Separator::Close
                }
                Some(_) => {
                    let word = self.word();
                    // The number of a descriptor that is redirected.
                    let is_number = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
                    if !(is_number && matches!(self.peek(), Some(b'<' | b'>'))) {
                        words.push(word);
                    }
                    continue;
                }
            };
            return (words, begin, separator);
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.text[self.at..] {
                [b' ' | b'\t' | b'\r', ..] => self.at += 1,
                [b'\\', b'\n', ..] => self.at += 2,
                _ => return,
            }
        }
    }

    /// Passes over a redirection and where it leads.
    fn redirection(&mut self) {
        let operator = self.at;
        while matches!(self.peek(), Some(b'<' | b'>' | b'&' | b'|')) {
            self.at += 1;
        }
        let is_document = &self.text[operator..self.at] == b"<<";
        let may_be_indented = is_document && self.take_if(b'-');
        self.skip_blanks();
        let target = self.word();
        if is_document {
            self.documents.push((target, may_be_indented));
        }
    }

    /// Passes over the here-documents that begin here.
    fn skip_documents(&mut self) {
        for (last, may_be_indented) in std::mem::take(&mut self.documents) {
            while self.at < self.text.len() {
                let rest = &self.text[self.at..];
                let line = rest.split(|&byte| byte == b'\n').next().unwrap_or_default();
                self.at = (self.at + line.len() + 1).min(self.text.len());
                let tabs = if may_be_indented { line.iter().take_while(|&&byte| byte == b'\t').count() } else { 0 };
                if line[tabs..] == last {
                    break;
                }
            }
        }
    }

    /// Reads a word, its quotes removed.
    fn word(&mut self) -> Vec<u8> {
        let mut word = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => break,
                b'\'' | b'"' => {
                    self.at += 1;
                    self.quoted(byte, &mut word);
                }
                b'\\' => {
                    self.at += 1;
                    word.extend(self.take().filter(|&byte| byte != b'\n'));
                }
                b'$' => {
                    let begin = self.at;
                    self.at += 1;
                    // What a shell calculates, or makes of a variable, holds no redirections.
                    let end = match self.peek() {
                        Some(b'(') => self.arithmetic_end(),
                        Some(b'{') => self.closing(b'{', b'}'),
                        Some(b'[') => self.closing(b'[', b']'),
                        _ => None,
                    };
                    self.at = end.unwrap_or(self.at);
                    word.extend_from_slice(&self.text[begin..self.at]);
                }
                _ => {
                    self.at += 1;
                    word.push(byte);
                }
            }
        }
        word
    }

    /// Where the arithmetic ends that begins here with `((`; `None` where these are two subshells.
    fn arithmetic_end(&self) -> Option<usize> {
        let inner = Scanner { text: self.text, at: self.at + 1, documents: Vec::new() };
        let end = inner.closing(b'(', b')')?;
        (self.text.get(end) == Some(&b')')).then_some(end + 1)
    }

    /// Where the bracket is closed that is opened here, quotes passed over.
    fn closing(&self, open: u8, close: u8) -> Option<usize> {
        let mut scanner = Scanner { text: self.text, at: self.at, documents: Vec::new() };
        if !scanner.take_if(open) {
            return None;
        }
        let mut depth = 1_usize;
        while let Some(byte) = scanner.take() {
            match byte {
                b'\\' => drop(scanner.take()),
                b'\'' | b'"' => scanner.quoted(byte, &mut Vec::new()),
                _ if byte == open => depth += 1,
                _ if byte == close => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(scanner.at);
            }
        }
        None
    }

    fn quoted(&mut self, quote: u8, word: &mut Vec<u8>) {
        while let Some(byte) = self.take() {
            if byte == quote {
                return;
            }
            if byte == b'\\' && quote == b'"' {
                word.extend(self.take());
            } else {
                word.push(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_starts_it_is_found() {
        for script in [
            "svscanboot",
            "/command/svscanboot &\n",
            "csh -cf '/command/svscanboot &'\n",
            "nohup /usr/bin/svscanboot >/dev/null 2>&1 &\n",
            "if [ -x /command/svscanboot ]; then\n\t/command/svscanboot &\nfi\n",
            "test -x /command/svscanboot && /command/svscanboot &",
            "PATH=/command:$PATH svscanboot &",
            "env - PATH=/bin \\\n  /command/svscanboot &",
            "(setsid svscanboot &)\n",
            "# it's no quote\nsvscanboot &\n",
            "cat <<-'EOF' >x\nit's text\n\tEOF\nsvscanboot &\n",
            "x || exit 1\nsvscanboot &\n",
            "if false; then\nexit 1\nfi\nsvscanboot &\n",
            "case x in\nx) exit ;;\nesac\nsvscanboot &\n",
            "exec 2>/dev/console\nsvscanboot &\n",
            "exec svscanboot\n",
        ] {
            assert!(outline(script.as_bytes()).starts_svscanboot, "{script:?}");
        }
    }

    #[test]
    fn a_script_that_only_names_it_starts_nothing() {
        for script in [
            "",
            "# svscanboot",
            "  # /command/svscanboot &\n",
            "true # svscanboot &\n",
            "#SV:123456:respawn:/command/svscanboot\n",
            "echo svscanboot\n",
            "echo 'no\nsvscanboot &\n'\n",
            "kill $(pidof svscanboot)\n",
            "test -x /command/svscanboot\n",
            "command -v svscanboot\n",
            "NAME=svscanboot\n",
            "ls >/svscanboot\n",
            "cat <<EOF\nsvscanboot &\nEOF\n",
            "exit 0\nsvscanboot &\n",
            "exec /sbin/other\nsvscanboot &\n",
            "svscanbooter\n",
        ] {
            assert!(!outline(script.as_bytes()).starts_svscanboot, "{script:?}");
        }
    }

    #[test]
    fn the_end_is_the_first_exit_that_nothing_depends_on() {
        for (script, end) in [
            ("#!/bin/sh\nexit 0\n", Some(10)),
            ("if x; then\nexit 1\nfi\nexit 0\n", Some(21)),
            ("f() {\nexit 1\n}\n", None),
            ("x && exit\n", None),
            ("test -f x ||\n    exit 0\ny\n", None),
            ("x || # or else\n\n# a comment\nexit 0\n", None),
            ("x ||\n exit 0\nexit 1\n", Some(13)),
            ("# exit\n", None),
            ("exit 1\nexit 0\n", Some(0)),
        ] {
            assert_eq!(outline(script.as_bytes()).end, end, "{script:?}");
        }
    }

    #[test]
    fn only_a_redirection_begins_a_here_document() {
        for no_document in [
            "x=$((1<<2))\n",
            "x=$(( (1 << 2) + $((1<<3)) )) # <<2\n",
            "echo a$((1<<2))b \"$((1<<2))\"\n",
            "((x<<2))\n",
            "((x = 1 << 2)) && y\n",
            "for ((i = 1; i < 9; i <<= 2)); do y; done\n",
            "let 'x=1<<2'\n",
            "x=$[1<<2]\n",
            "x=${y%%<<2}\n",
            "cat <<<2\n",
            "cat <<< 2\n",
            "cat 0<<<\"2\"\n",
            "echo '<<2' \"<<2\" \\<\\<2\n",
            "# <<2\n",
            "((x) ; (y))\n",
            "$((x) | (y))\n",
        ] {
            let script = format!("{no_document}exit 0\n");
            let expected = Outline { end: Some(no_document.len()), ..Outline::default() };
            assert_eq!(outline(script.as_bytes()), expected, "{script:?}");
        }
        for document in
            ["cat <<2\n", "cat <<-2\n", "cat << '2'\n", "let x=1<<2\n", "x $((1<<1)) 3<<2\n", "((x); cat <<2)\n"]
        {
            let script = format!("{document}exit 1\n2\nexit 0\n");
            let expected = Outline { end: Some(document.len() + 9), ..Outline::default() };
            assert_eq!(outline(script.as_bytes()), expected, "{script:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said_to_be_open() {
        assert!(outline(b"if x; then\n").is_open);
        assert!(!outline(b"if x; then y; fi\n").is_open);
    }
}
