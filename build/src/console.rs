//! Consoles: from bytes to lines, who says a line, and how it is shown.

use std::io::{self, IsTerminal, Write};

/// A serial line of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// UART0: TF-A and the Normal world, and the secure world if a partition took UART1.
    Normal,
    /// UART1: the SPMC and the partitions.
    Secure,
}

impl Console {
    /// The name of the file that keeps it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Secure => "secure",
        }
    }
}

/// A line that a console printed, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it was printed.
    pub console: Console,
    /// What it says.
    pub text: String,
}

/// Who says a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaker<'a> {
    /// Trusted Firmware-A.
    Firmware,
    /// Hafnia.
    Manager,
    /// A partition, by its name.
    Partition(&'a str),
    /// Whoever runs in the Normal world.
    Normal,
}

impl Line {
    /// Who says it, by the words that it begins with.
    #[must_use]
    pub fn speaker(&self) -> Speaker<'_> {
        let text = self.text.trim_start();
        // TF-A's crash console is UART1; it panics for good measure once it has turned the machine off.
        let firmware =
            ["NOTICE:", "INFO:", "WARNING:", "ERROR:", "VERBOSE:", "PANIC at PC", "Unhandled Exception"];
        if firmware.iter().any(|word| text.starts_with(word)) {
            return Speaker::Firmware;
        }
        if let Some((tag, rest)) = text.strip_prefix('[').and_then(|text| text.split_once("] ")) {
            if tag.len() == 1 && rest.starts_with("hafnia:") {
                return Speaker::Manager;
            }
            if let Some((name, vcpu)) = tag.rsplit_once('.')
                && vcpu.parse::<u16>().is_ok()
                && !name.contains(' ')
                && name.parse::<u64>().is_err()
            {
                return Speaker::Partition(name);
            }
        }
        match self.console {
            Console::Normal => Speaker::Normal,
            Console::Secure => Speaker::Manager,
        }
    }
}

/// Cuts what a console prints into lines.
#[derive(Default)]
pub struct Splitter {
    rest: Vec<u8>,
    /// How much of the rest was given out as unfinished.
    seen: usize,
}

impl Splitter {
    /// The lines that are complete with these bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => lines.extend(self.finish().or(Some(String::new()))),
                b'\r' | 0 => {}
                byte => self.rest.push(*byte),
            }
        }
        lines
    }

    /// The line that never ended, if there is one.
    pub fn finish(&mut self) -> Option<String> {
        self.seen = 0;
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }

    /// The beginning of a line, if there is more of it than last time.
    pub fn unseen(&mut self) -> Option<String> {
        let grown = self.rest.len() > self.seen;
        self.seen = self.rest.len();
        grown.then(|| String::from_utf8_lossy(&self.rest).into_owned())
    }
}

/// The terminal: all consoles in one stream, each line behind who says it.
pub struct Screen {
    colour: bool,
    /// The unfinished line that the cursor stands behind.
    open: Option<String>,
}

impl Screen {
    /// The standard output, in colour if it is a terminal.
    #[must_use]
    pub fn new() -> Self {
        Self { colour: io::stdout().is_terminal(), open: None }
    }

    /// Shows a line.
    ///
    /// # Errors
    /// If the output is closed.
    pub fn line(&mut self, line: &Line) -> io::Result<()> {
        let text = self.text(line, "\n");
        io::stdout().write_all(text.as_bytes())
    }

    /// Shows the beginning of a line and leaves the cursor behind it.
    ///
    /// # Errors
    /// If the output is closed.
    pub fn unfinished(&mut self, line: &Line) -> io::Result<()> {
        let text = self.text(line, "");
        self.open = Some(line.text.clone());
        io::stdout().write_all(text.as_bytes())?;
        io::stdout().flush()
    }

    /// A line for the terminal: what continues the unfinished one stands behind it, all else on a new line.
    fn text(&mut self, line: &Line, end: &str) -> String {
        let open = self.open.take();
        if let Some(open) = &open
            && let Some(more) = line.text.strip_prefix(open.as_str())
        {
            return format!("{more}{end}");
        }
        let (name, colour) = match line.speaker() {
            Speaker::Firmware => ("tf-a", 33),
            Speaker::Manager => ("hafnia", 36),
            Speaker::Partition(name) => (name, 35),
            Speaker::Normal => ("normal", 32),
        };
        let start = if open.is_some() { "\n" } else { "" };
        if self.colour {
            format!("{start}\x1b[{colour}m{name:>8} |\x1b[0m {}{end}", line.text)
        } else {
            format!("{start}{name:>8} | {}{end}", line.text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(console: Console, text: &str) -> Line {
        Line { console, text: text.to_owned() }
    }

    #[test]
    fn a_line_s_words_tell_who_says_it_on_either_console() {
        for console in [Console::Normal, Console::Secure] {
            let speaker = |text| format!("{:?}", line(console, text).speaker());
            assert_eq!(speaker("NOTICE:  BL31: v2.12.1"), "Firmware");
            assert_eq!(speaker("PANIC at PC : 0x000000000e097344"), "Firmware");
            assert_eq!(speaker("[I] hafnia: 0.1.0"), "Manager");
            assert_eq!(speaker("[echo.0] ready"), "Partition(\"echo\")");
        }
        // Linux's own time stamps.
        assert_eq!(line(Console::Normal, "[    0.000000] Booting Linux").speaker(), Speaker::Normal);
        assert_eq!(line(Console::Normal, "[0.000000] Booting Linux").speaker(), Speaker::Normal);
    }

    #[test]
    fn bytes_become_lines_wherever_they_are_cut() {
        let mut splitter = Splitter::default();
        assert!(splitter.push(b"one").is_empty());
        assert_eq!(splitter.push(b"\r\n\ntw"), ["one", ""]);
        assert_eq!((splitter.unseen(), splitter.unseen()), (Some("tw".to_owned()), None));
        assert_eq!(splitter.finish(), Some("tw".to_owned()));
        assert_eq!(splitter.finish(), None);
    }

    #[test]
    fn a_prompt_is_shown_once_and_goes_on_where_it_stood() {
        let mut screen = Screen { colour: false, open: None };
        assert_eq!(screen.text(&line(Console::Normal, "# "), ""), "  normal | # ");
        screen.open = Some("# ".to_owned());
        assert_eq!(screen.text(&line(Console::Normal, "# ls"), "\n"), "ls\n");
        screen.open = Some("# ".to_owned());
        assert_eq!(screen.text(&line(Console::Secure, "x"), "\n"), "\n  hafnia | x\n");
    }
}
