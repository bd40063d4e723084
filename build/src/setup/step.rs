//! One step of set-up: an external command with progress on the terminal and its output in a log.

use std::fs::{self, File};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::project;

/// How often a running command is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Lines of the log that a failure shows.
const SHOWN_LINES: usize = 20;

/// A line on the terminal that says what takes so long, and for how long already.
pub struct Progress {
    bar: ProgressBar,
    what: String,
    since: Instant,
}

impl Progress {
    /// Shows that `what` goes on; without a terminal, a plain line.
    pub fn start(what: &str) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
            bar.enable_steady_tick(POLL);
            bar
        } else {
            eprintln!("setup: {what} ...");
            ProgressBar::hidden()
        };
        Self { bar, what: what.to_owned(), since: Instant::now() }
    }

    /// The work succeeded: leaves one line.
    pub fn done(self) {
        self.bar.finish_and_clear();
        eprintln!("setup: {}: done in {} s", self.what, self.since.elapsed().as_secs());
    }

    /// The work failed, or somebody else must have the terminal: leaves nothing.
    pub fn clear(self) {
        self.bar.finish_and_clear();
    }
}

/// The log of the step `name`.
pub fn log_file(name: &str) -> PathBuf {
    project::logs().join(format!("setup-{name}.log"))
}

/// Runs `command` to its end, with its output in the log `name`; a failure shows the last lines of it.
///
/// # Errors
/// If the command cannot be started, fails, or is not done within `limit`.
pub fn run(name: &str, what: &str, command: &mut Command, limit: Duration) -> Result<()> {
    let path = log_file(name);
    fs::create_dir_all(project::logs())?;
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let progress = Progress::start(what);
    let status = wait(command, limit);
    match status {
        Ok(status) if status.success() => {
            progress.done();
            Ok(())
        }
        Ok(status) => {
            progress.clear();
            let log = fs::read(&path).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            bail!("{what} failed ({status}); the end of {}:\n{}{}", path.display(), tail(&log), advice(&log))
        }
        Err(error) => {
            progress.clear();
            Err(error.context(format!("{what} failed; its log is {}", path.display())))
        }
    }
}

/// Starts `command` and waits for its end, at most `limit`.
fn wait(command: &mut Command, limit: Duration) -> Result<ExitStatus> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if since.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("{program} was not done after {} s", limit.as_secs());
        }
        thread::sleep(POLL);
    }
}

/// What `command` prints on standard output.
///
/// # Errors
/// If it cannot be started or fails; the error holds what it wrote to standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The last lines of a log, indented.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    shown.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// What is missing, in plain words and at the end, where tools tell it in words of their own.
fn advice(log: &str) -> &'static str {
    const NO_NETWORK: [&str; 5] = [
        "failure resolving",
        "Could not resolve",
        "Could not connect",
        "Network is unreachable",
        "timed out",
    ];
    if NO_NETWORK.iter().any(|sign| log.contains(sign)) {
        "\nThe network is missing, or the server in the lines above: set-up fetches packages. Connect this machine, or \
         name a mirror that it reaches in apt's sources, and run the command again."
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn a_failing_command_shows_the_end_of_its_log() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo first; for i in $(seq 30); do echo line $i; done; exit 3"]);
        let error = run("test-failure", "failing", &mut command, LIMIT).unwrap_err().to_string();
        assert!(error.contains("line 30") && error.contains("line 11"), "{error}");
        assert!(!error.contains("line 10\n") && !error.contains("first"), "{error}");
    }

    #[test]
    fn a_machine_without_a_network_is_told_so_in_the_last_line() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo \"Temporary failure resolving 'a.server'\"; exit 100"]);
        let error = run("test-network", "fetching", &mut command, LIMIT).unwrap_err().to_string();
        assert!(
            error.lines().last().is_some_and(|line| line.starts_with("The network is missing")),
            "{error}"
        );
        let mut other = Command::new("sh");
        let error =
            run("test-other", "fetching", other.args(["-c", "echo disk full; exit 1"]), LIMIT).unwrap_err();
        assert!(error.to_string().ends_with("disk full"), "{error}");
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let error = run("test-hang", "hanging", Command::new("sleep").arg("60"), Duration::from_millis(300))
            .unwrap_err();
        assert!(format!("{error:#}").contains("not done"), "{error:#}");
    }

    #[test]
    fn a_command_that_is_not_there_is_named() {
        let error = output(&mut Command::new("no-such-program-here")).unwrap_err().to_string();
        assert!(error.contains("no-such-program-here"), "{error}");
    }
}
