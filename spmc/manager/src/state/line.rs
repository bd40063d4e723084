//! The line that a context is logging.

/// Characters of a line that is shown at once, however long the caller's is.
pub const CAPACITY: usize = 256;

/// Characters of one line.
pub type Text = heapless::Vec<u8, CAPACITY>;

/// A line in the making.
#[derive(Debug, Default)]
pub struct Line(Text);

impl Line {
    /// An empty line.
    #[must_use]
    pub const fn new() -> Self {
        Self(Text::new())
    }

    /// Adds a character. The line, if this ended it: by a line feed, by NUL, or because it is full. Control
    /// characters, which could forge other partitions' lines, become question marks.
    #[must_use]
    pub fn push(&mut self, character: u8) -> Option<Text> {
        let ends = matches!(character, b'\n' | 0);
        if !ends && character != b'\r' {
            let shown = if character.is_ascii_control() && character != b'\t' { b'?' } else { character };
            let full = self.0.push(shown).is_err() || self.0.is_full();
            return if full { self.take() } else { None };
        }
        if character == b'\n' {
            Some(core::mem::take(&mut self.0))
        } else if ends {
            self.take()
        } else {
            None
        }
    }

    /// What has gathered, if anything.
    #[must_use]
    pub fn take(&mut self) -> Option<Text> {
        (!self.0.is_empty()).then(|| core::mem::take(&mut self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<Vec<u8>> {
        let mut line = Line::new();
        text.iter().filter_map(|c| line.push(*c)).map(|t| t.to_vec()).collect()
    }

    #[test]
    fn a_line_ends_at_its_line_feed_or_nul() {
        assert_eq!(lines(b"one\ntwo\0three"), [b"one".to_vec(), b"two".to_vec()]);
        assert_eq!(lines(b"\n\0\0"), [b"".to_vec()], "NUL pads and starts no line");
    }

    #[test]
    fn a_long_line_is_shown_in_pieces_and_loses_nothing() {
        let text = [b'x'; CAPACITY * 2 + 3];
        let shown: usize = lines(&[&text[..], b"\n"].concat()).iter().map(Vec::len).sum();
        assert_eq!(shown, text.len());
    }

    #[test]
    fn a_partition_cannot_forge_a_line() {
        assert_eq!(lines(b"a\x1b[1Ab\r\n"), [b"a?[1Ab".to_vec()]);
    }
}
