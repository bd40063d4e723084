//! The one form in which tests report: `test NAME ... ok`, on the host and on the target alike.

/// What a line of a test program says.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The test's name.
    pub name: &'a str,
    /// How it ended.
    pub end: End<'a>,
}

/// How a test ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End<'a> {
    /// It passed.
    Passed,
    /// It failed, perhaps with the reason.
    Failed(&'a str),
    /// It did not run.
    Ignored,
}

impl<'a> Line<'a> {
    /// Reads a line, if it is the end of a test.
    pub fn parse(line: &'a str) -> Option<Self> {
        let (name, end) = line.trim().strip_prefix("test ")?.split_once(" ... ")?;
        let end = match end {
            "ok" => End::Passed,
            _ if end.starts_with("ignored") => End::Ignored,
            _ => End::Failed(end.strip_prefix("FAILED")?.trim_start_matches([':', ' '])),
        };
        Some(Self { name, end })
    }
}

/// The numbers of a closing line `N passed, N failed`.
pub fn closing(line: &str) -> Option<(usize, usize)> {
    let (passed, failed) = line.trim().split_once(" passed, ")?;
    Some((passed.parse().ok()?, failed.strip_suffix(" failed")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_tests_are_read() {
        let end = |line| Line::parse(line).map(|line| line.end);
        assert_eq!(end("test abi::tests::a ... ok"), Some(End::Passed));
        assert_eq!(end("test a ... FAILED: x0: 1, not 2\r"), Some(End::Failed("x0: 1, not 2")));
        assert_eq!(end("test a - should panic ... FAILED"), Some(End::Failed("")));
        assert_eq!(end("test a ... ignored, too slow"), Some(End::Ignored));
        assert_eq!(end("test result: ok. 1 passed; 0 failed"), None);
        assert_eq!(end("running 2 tests"), None);
    }

    #[test]
    fn the_closing_line_is_read() {
        assert_eq!(closing("12 passed, 1 failed\r"), Some((12, 1)));
        assert_eq!(closing("12 passed"), None);
    }
}
