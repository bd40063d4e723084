//! Arm's model as a machine: its command line, and what it leaves behind when it has run.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::fip::flash::Flashes;
use crate::platform::{Platform, Start};
use crate::project;

/// How many UARTs the model has.
const UARTS: usize = 4;

/// A run of the model.
pub struct Model {
    /// The program.
    program: OsString,
    /// The file that each UART's output is kept in.
    consoles: Vec<PathBuf>,
    arguments: Vec<OsString>,
}

impl Model {
    /// The model of a platform that starts from these files. Its program is `program`, or the one of that name on the
    /// PATH.
    ///
    /// # Errors
    /// If the platform is no model, or its parameters cannot be read.
    pub fn new(platform: Platform, flashes: &Flashes, program: Option<&Path>) -> Result<Self> {
        let Start::Model { program: name, .. } = platform.description().start else {
            bail!("{platform} is no model");
        };
        let file = parameters_file(platform);
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let folder = project::runs(platform);
        fs::create_dir_all(&folder)?;
        let consoles: Vec<_> = (0..UARTS).map(|uart| folder.join(format!("uart{uart}.log"))).collect();
        let bl1 = flashes.first.with_file_name("bl1.bin");
        let mut parameters: Vec<OsString> = parameters(&text).map(OsString::from).collect();
        parameters.push(with_file("bp.secureflashloader.fname=", &bl1));
        parameters.push(with_file("bp.flashloader0.fname=", &flashes.first));
        for (uart, console) in consoles.iter().enumerate() {
            parameters.push(with_file(&format!("bp.pl011_uart{uart}.out_file="), console));
            parameters.push(format!("bp.pl011_uart{uart}.unbuffered_output=1").into());
            parameters.push(format!("bp.terminal_{uart}.start_telnet=0").into());
        }
        let arguments = parameters.into_iter().flat_map(|parameter| ["-C".into(), parameter]).collect();
        let program = program.map_or(name.into(), |program| program.as_os_str().to_owned());
        Ok(Self { program, consoles, arguments })
    }

    /// The whole command line, to be typed.
    #[must_use]
    pub fn line(&self) -> String {
        let words = [&self.program].into_iter().chain(&self.arguments);
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    /// Runs it until the guest turns the machine off; gives what was printed, UART by UART.
    ///
    /// # Errors
    /// If the program is not there (the message says what to do), or fails.
    pub fn run(&self) -> Result<Vec<String>> {
        let mut model = Command::new(&self.program);
        let started = model.args(&self.arguments).stdin(Stdio::null()).spawn();
        let mut model = match started {
            Ok(model) => model,
            Err(error) => bail!(
                "{}: {error}. Arm offers this model for download (Architecture Envelope Model FVP, Base RevC); \
                 install it, put its program on the PATH or name it with --fvp. All files are there; the command \
                 line is\n{}",
                self.program.display(),
                self.line()
            ),
        };
        eprintln!("the consoles are kept in {}", self.consoles[0].with_file_name("uart*.log").display());
        let status = model.wait()?;
        ensure!(status.success(), "{}: {status}", self.program.display());
        let read = |file: &PathBuf| fs::read(file).with_context(|| file.display().to_string());
        let texts = self.consoles.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect())
    }
}

/// The file with the model's parameters.
#[must_use]
pub fn parameters_file(platform: Platform) -> PathBuf {
    project::root().join("tfa-integration").join(platform.name()).join("parameters")
}

fn with_file(parameter: &str, file: &Path) -> OsString {
    let mut text = OsString::from(parameter);
    text.push(file);
    text
}

/// The parameters of a file: a line each, but for comments.
fn parameters(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(program: Option<&Path>) -> Model {
        let flashes = Flashes { first: "/f/fip.bin".into(), second: None };
        Model::new(Platform::Fvp, &flashes, program).unwrap()
    }

    #[test]
    fn the_command_line_names_the_files_and_every_parameter() {
        let line = model(None).line();
        assert!(line.starts_with("FVP_Base_RevC-2xAEMvA -C pctl.startup=0.0.0.0 -C "), "{line}");
        for part in ["bp.secureflashloader.fname=/f/bl1.bin", "bp.flashloader0.fname=/f/fip.bin"] {
            assert!(line.contains(&format!(" -C {part}")), "{line}");
        }
        assert!(!line.contains('#'));
    }

    #[test]
    fn a_model_that_is_not_there_is_named_with_the_whole_command_line() {
        let error = model(Some(Path::new("/no/such/model"))).run().unwrap_err().to_string();
        assert!(
            error.contains("/no/such/model -C pctl.startup=0.0.0.0") && error.contains("--fvp"),
            "{error}"
        );
    }

    #[test]
    fn only_emulated_machines_have_no_model() {
        let flashes = Flashes { first: "/f/flash.bin".into(), second: None };
        assert!(Model::new(Platform::QemuVirt, &flashes, None).is_err());
    }
}
