//! A machine: QEMU with its consoles, and what is printed there, line by line.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use anyhow::{Context, Result, bail};

use crate::console::{Console, Line, Splitter};
use crate::fip::flash::Flashes;
use crate::platform::{Platform, Start};

/// How long the reader waits before it looks whether QEMU has ended; so long stays an unfinished line unseen.
const POLL: Duration = Duration::from_millis(100);

/// The PEs of a machine of which nothing else is said. QEMU's own algorithm of PAuth is many times faster.
const CPU: &str = "max,pauth-impdef=on";

/// A machine that was not started yet.
pub struct Machine {
    platform: Platform,
    flashes: Flashes,
    cpu: String,
    pes: u32,
    arguments: Vec<OsString>,
    interactive: bool,
}

/// What a running machine did.
#[derive(Debug)]
pub enum Event {
    /// A console printed a line.
    Line(Line),
    /// A console printed the beginning of a line and then nothing for a while: a prompt.
    Unfinished(Line),
    /// QEMU has ended.
    Ended(ExitStatus),
    /// Neither happened before the deadline.
    Deadline,
}

/// A running machine. It ends with this value.
pub struct Running {
    qemu: Child,
    bytes: Receiver<(Console, Vec<u8>)>,
    socket: PathBuf,
    consoles: [Output; 2],
    lines: std::collections::VecDeque<Line>,
    interactive: bool,
}

/// What one console printed: the file that keeps it, and the line that is being printed.
struct Output {
    file: File,
    splitter: Splitter,
}

impl Machine {
    /// A machine of a platform that starts from these flashes, with one PE that has all that QEMU knows.
    #[must_use]
    pub fn new(platform: Platform, flashes: &Flashes) -> Self {
        let cpu = CPU.to_owned();
        let flashes = flashes.clone();
        Self { platform, flashes, cpu, pes: 1, arguments: Vec::new(), interactive: false }
    }

    /// With PEs of another kind: what QEMU's `-cpu` takes.
    #[must_use]
    pub fn cpu(mut self, cpu: &str) -> Self {
        self.cpu = cpu.to_owned();
        self
    }

    /// With another second flash.
    #[must_use]
    pub fn flashes(mut self, flashes: Flashes) -> Self {
        self.flashes = flashes;
        self
    }

    /// With so many PEs.
    #[must_use]
    pub fn smp(mut self, pes: u32) -> Self {
        self.pes = pes;
        self
    }

    /// With more arguments for QEMU.
    #[must_use]
    pub fn arguments<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// With the terminal as the Normal world's keyboard; Ctrl-A X ends QEMU.
    #[must_use]
    pub fn interactive(mut self) -> Self {
        self.interactive = true;
        self
    }

    /// The command line of QEMU as far as it is the same for every run.
    ///
    /// # Errors
    /// If QEMU is not the machine.
    pub fn command(&self) -> Result<Command> {
        // It ends with this process, however that ends.
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL", "qemu-system-aarch64", "-machine"]);
        match self.platform.description().start {
            Start::OneFlash { machine, .. } => {
                qemu.args(machine).arg("-bios").arg(&self.flashes.first);
            }
            Start::TwoFlashes { machine, .. } => {
                qemu.args(machine);
                for flash in [&self.flashes.first].into_iter().chain(&self.flashes.second) {
                    let mut drive = OsString::from("if=pflash,format=raw,readonly=on,file=");
                    drive.push(escaped(flash));
                    qemu.arg("-drive").arg(drive);
                }
            }
            Start::Model { program, .. } => bail!("{} is run by {program}, not by QEMU", self.platform),
        }
        qemu.args(["-cpu", &self.cpu, "-m", "2048", "-smp"]).arg(self.pes.to_string());
        qemu.args(["-display", "none", "-nic", "none", "-no-reboot"]);
        Ok(qemu)
    }

    /// Starts it; each console is also kept as a file in `folder`: `normal.log` and `secure.log`.
    ///
    /// # Errors
    /// If QEMU or a file cannot be opened.
    pub fn start(self, folder: &Path) -> Result<Running> {
        fs::create_dir_all(folder)?;
        let socket = socket_path();
        let listener = UnixListener::bind(&socket).with_context(|| socket.display().to_string())?;
        let mut qemu = self.command()?;
        let mut chardev = OsString::from("socket,id=secure,path=");
        chardev.push(escaped(&socket));
        qemu.arg("-chardev").arg(chardev);
        if self.interactive {
            qemu.args(["-chardev", "stdio,id=normal,mux=on,signal=off", "-mon", "chardev=normal"]);
            qemu.stdin(Stdio::inherit());
        } else {
            qemu.args(["-chardev", "stdio,id=normal", "-monitor", "none"]).stdin(Stdio::null());
        }
        qemu.args(["-serial", "chardev:normal", "-serial", "chardev:secure"]).args(&self.arguments);
        let mut qemu = qemu
            .stdout(Stdio::piped())
            .spawn()
            .context("qemu-system-aarch64 (cargo xtask setup installs it)")?;
        let (sender, bytes) = mpsc::channel();
        if let Some(output) = qemu.stdout.take() {
            forward(Console::Normal, move || Some(output), sender.clone());
        }
        let name = socket.clone();
        let accept = move || {
            let (stream, _) = listener.accept().ok()?;
            // Nobody else connects; so the name is gone even if this process is killed.
            fs::remove_file(name).ok()?;
            Some(stream)
        };
        forward(Console::Secure, accept, sender);
        let keep = |console: Console| -> Result<Output> {
            let path = folder.join(format!("{}.log", console.name()));
            let file = File::create(&path).with_context(|| path.display().to_string())?;
            Ok(Output { file, splitter: Splitter::default() })
        };
        let consoles = [keep(Console::Normal)?, keep(Console::Secure)?];
        let interactive = self.interactive;
        Ok(Running { qemu, bytes, socket, consoles, lines: Default::default(), interactive })
    }
}

impl Running {
    /// What happens next, at most until the deadline.
    ///
    /// # Errors
    /// If a console cannot be kept or QEMU cannot be asked.
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Event> {
        loop {
            // First, as a guest may print without end.
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(Event::Deadline);
            }
            if let Some(line) = self.lines.pop_front() {
                return Ok(Event::Line(line));
            }
            let left = deadline.map_or(POLL, |deadline| deadline.saturating_duration_since(Instant::now()));
            match self.bytes.recv_timeout(POLL.min(left)) {
                Ok((console, bytes)) => self.take(console, &bytes)?,
                Err(RecvTimeoutError::Disconnected) => return self.ended(),
                Err(RecvTimeoutError::Timeout) => {
                    if self.qemu.try_wait()?.is_some() {
                        return self.ended();
                    }
                    if let Some(line) = self.unfinished() {
                        return Ok(Event::Unfinished(line));
                    }
                }
            }
        }
    }

    fn take(&mut self, console: Console, bytes: &[u8]) -> Result<()> {
        let output = &mut self.consoles[console as usize];
        output.file.write_all(bytes)?;
        self.lines.extend(output.splitter.push(bytes).into_iter().map(|text| Line { console, text }));
        Ok(())
    }

    /// Everything that was printed is given out before the end is.
    fn ended(&mut self) -> Result<Event> {
        let status = self.qemu.wait()?;
        while let Ok((console, bytes)) = self.bytes.recv_timeout(POLL) {
            self.take(console, &bytes)?;
        }
        for console in [Console::Normal, Console::Secure] {
            let rest = self.consoles[console as usize].splitter.finish();
            self.lines.extend(rest.map(|text| Line { console, text }));
        }
        Ok(self.lines.pop_front().map_or(Event::Ended(status), Event::Line))
    }

    /// What the Normal world's console shows of an unfinished line, once for each state.
    fn unfinished(&mut self) -> Option<Line> {
        let splitter = &mut self.consoles[Console::Normal as usize].splitter;
        let text = if self.interactive { splitter.unseen() } else { None };
        text.map(|text| Line { console: Console::Normal, text })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if QEMU has ended already, which is what is wanted.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
        let _ = fs::remove_file(&self.socket);
    }
}

/// Reads a console to its end in a thread of its own.
fn forward<R: Read>(
    console: Console,
    open: impl FnOnce() -> Option<R> + Send + 'static,
    sender: Sender<(Console, Vec<u8>)>,
) {
    thread::spawn(move || {
        let Some(mut stream) = open() else { return };
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if sender.send((console, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
}

/// A short name: a socket's has at most 108 bytes, a project may lie deep.
fn socket_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("hafnia-{}-{number}.socket", process::id()))
}

/// A file's name in one of QEMU's comma-separated options.
#[must_use]
pub fn escaped(path: &Path) -> OsString {
    let mut escaped = OsString::new();
    for (index, part) in path.to_string_lossy().split(',').enumerate() {
        escaped.push(if index == 0 { "" } else { ",," });
        escaped.push(part);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_a_name_does_not_end_it() {
        assert_eq!(escaped(Path::new("/a,b/c")), "/a,,b/c");
    }

    #[test]
    fn a_guest_that_prints_without_end_is_ended_at_the_deadline() {
        let mut guest = Command::new("yes").stdout(Stdio::piped()).spawn().unwrap();
        let (sender, bytes) = mpsc::channel();
        let output = guest.stdout.take();
        forward(Console::Normal, move || output, sender);
        let socket = socket_path();
        let keep = || Output { file: File::create("/dev/null").unwrap(), splitter: Splitter::default() };
        let consoles = [keep(), keep()];
        let mut running =
            Running { qemu: guest, bytes, socket, consoles, lines: Default::default(), interactive: false };
        let start = Instant::now();
        let deadline = Some(start + Duration::from_millis(200));
        while !matches!(running.next(deadline).unwrap(), Event::Deadline) {
            assert!(start.elapsed() < Duration::from_secs(10), "the deadline was missed");
        }
    }

    #[test]
    fn each_machine_has_a_socket_of_its_own() {
        assert_ne!(socket_path(), socket_path());
    }
}
