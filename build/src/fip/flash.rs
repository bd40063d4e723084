//! The flashes that a machine starts from: BL1 and the FIP in the first one, the Normal world in the second.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use loader::{DIRECTORY, Directory, FILES, MAGIC, Placement};
use zerocopy::IntoBytes;

use super::place;
use crate::image;
use crate::platform::{NormalMemory, Platform, Start};

/// Files lie at multiples of this in the flash.
const ALIGNMENT: u64 = 0x1000;

/// Files with what the flashes hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flashes {
    /// BL1, and behind it the FIP; for a model, which takes two files, the FIP.
    pub first: PathBuf,
    /// The Normal world, on machines where it starts in a flash of its own.
    pub second: Option<PathBuf>,
}

/// What the loader of the second flash is to do.
pub struct Load {
    /// Files, and where in memory each is put.
    pub files: Vec<(PathBuf, u64)>,
    /// Where the first instruction is.
    pub entry: u64,
    /// What it finds in x0.
    pub argument: u64,
}

impl Load {
    /// An image that is entered at its first byte.
    #[must_use]
    pub fn image(platform: Platform, file: &Path) -> Self {
        let entry = platform.description().normal.image;
        Self { files: vec![(file.to_owned(), entry)], entry, argument: 0 }
    }
}

/// Puts BL1 and the FIP where the machine takes them from, in the FIP's folder.
///
/// # Errors
/// If they do not fit.
pub fn first(platform: Platform, bl1: &Path, fip: &Path) -> Result<Flashes> {
    fs::copy(bl1, fip.with_file_name("bl1.bin"))?;
    let flash = fip.with_file_name("flash.bin");
    match platform.description().start {
        Start::OneFlash { fip_offset, size, .. } => {
            fs::write(&flash, joined(fs::read(bl1)?, &fs::read(fip)?, fip_offset, size)?)?;
        }
        Start::TwoFlashes { fip_offset, size, .. } => {
            write(&flash, &joined(fs::read(bl1)?, &fs::read(fip)?, fip_offset, size)?, size)?;
        }
        Start::Model { size, .. } => {
            place::fits("fip.bin", fs::metadata(fip)?.len(), size)?;
            return Ok(Flashes { first: fip.to_owned(), second: None });
        }
    }
    Ok(Flashes { first: flash, second: None })
}

impl Flashes {
    /// All files, and the parts that they are made of.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = ["bl1.bin", "fip.bin"].map(|name| self.first.with_file_name(name)).into();
        if !files.contains(&self.first) {
            files.push(self.first.clone());
        }
        files.extend(self.second.clone());
        files
    }

    /// Gives the second flash an image that runs in place from its first byte on.
    ///
    /// # Errors
    /// If there is no second flash or the image does not fit.
    pub fn run_in_place(&mut self, platform: Platform, image: &Path) -> Result<()> {
        let content = fs::read(image).with_context(|| image.display().to_string())?;
        self.set_second(platform, &content)
    }

    /// Gives the second flash a loader that does this.
    ///
    /// # Errors
    /// If there is no second flash or the files do not fit.
    pub fn load(&mut self, platform: Platform, load: &Load) -> Result<()> {
        let code = fs::read(image::loader()?.bin)?;
        let read = |(file, to): &(PathBuf, u64)| -> Result<_> {
            Ok((fs::read(file).with_context(|| file.display().to_string())?, *to))
        };
        let files = load.files.iter().map(read).collect::<Result<Vec<_>>>()?;
        let content = loading(code, &files, load, &platform.description().normal)?;
        self.set_second(platform, &content)
    }

    fn set_second(&mut self, platform: Platform, content: &[u8]) -> Result<()> {
        let Start::TwoFlashes { size, .. } = platform.description().start else {
            bail!("{platform} has one flash");
        };
        let path = self.first.with_file_name("flash1.bin");
        place::fits("flash1.bin", content.len() as u64, size)?;
        write(&path, content, size)?;
        self.second = Some(path);
        Ok(())
    }
}

/// Writes a flash of this size. What is left of it takes no room on the disk.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, content: &[u8], size: u64) -> Result<()> {
    let mut file = File::create(path).with_context(|| path.display().to_string())?;
    file.write_all(&content[..used(content)])?;
    file.set_len(size)?;
    Ok(())
}

/// How many bytes there are up to the last one that is not zero.
#[must_use]
pub fn used(content: &[u8]) -> usize {
    content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

fn joined(mut bl1: Vec<u8>, fip: &[u8], fip_offset: u64, size: u64) -> Result<Vec<u8>> {
    place::fits("bl1.bin", bl1.len() as u64, fip_offset)?;
    bl1.resize(usize::try_from(fip_offset)?, 0xff);
    bl1.extend_from_slice(fip);
    place::fits("flash.bin", bl1.len() as u64, size)?;
    Ok(bl1)
}

/// The loader's code, its directory and the files.
fn loading(
    mut code: Vec<u8>,
    files: &[(Vec<u8>, u64)],
    load: &Load,
    normal: &NormalMemory,
) -> Result<Vec<u8>> {
    place::fits("the loader", code.len() as u64, DIRECTORY)?;
    ensure!(files.len() <= FILES, "{} files; the loader takes {FILES}", files.len());
    let mut directory = Directory {
        magic: MAGIC,
        entry: load.entry,
        argument: load.argument,
        stack: normal.stack,
        files: [Placement::default(); FILES],
    };
    let mut rest = Vec::new();
    for (place, (content, to)) in directory.files.iter_mut().zip(files) {
        let words = content.len().div_ceil(8) as u64;
        *place = Placement { from: DIRECTORY + ALIGNMENT + rest.len() as u64, to: *to, words };
        rest.extend_from_slice(content);
        rest.resize(rest.len().next_multiple_of(usize::try_from(ALIGNMENT)?), 0);
    }
    code.resize(usize::try_from(DIRECTORY)?, 0);
    code.extend_from_slice(directory.as_bytes());
    code.resize(usize::try_from(DIRECTORY + ALIGNMENT)?, 0);
    code.extend(rest);
    Ok(code)
}

#[cfg(test)]
mod tests {
    use zerocopy::FromBytes;

    use super::*;

    #[test]
    fn the_fip_lies_where_tf_a_looks_for_it() {
        let flash = joined(vec![1, 2], &[3, 4], 0x4_0000, 0x400_0000).unwrap();
        assert_eq!((&flash[..3], &flash[0x4_0000..]), (&[1, 2, 0xff][..], &[3, 4][..]));
        assert!(joined(vec![0; 0x4_0001], &[], 0x4_0000, 0x400_0000).is_err());
        assert!(joined(vec![0], &[0; 3], 0x4_0000, 0x4_0002).is_err());
    }

    #[test]
    fn the_loader_finds_each_file() {
        let load = Load { files: Vec::new(), entry: 0x20, argument: 0x30 };
        let normal = &Platform::SbsaRef.description().normal;
        let files = [(vec![1; 9], 0x1000), (vec![2; 8], 0x2000)];
        let flash = loading(vec![7; 4], &files, &load, normal).unwrap();
        let at = |place: u64| u64::from_le_bytes(flash[place as usize..][..8].try_into().unwrap());
        let directory = Directory::ref_from_prefix(&flash[DIRECTORY as usize..]).unwrap().0;
        assert_eq!((directory.magic, directory.entry, directory.argument), (MAGIC, 0x20, 0x30));
        let second = 0x1_2000;
        let [first, second_file, none] = directory.files;
        assert_eq!(first, Placement { from: 0x1_1000, to: 0x1000, words: 2 });
        assert_eq!(second_file, Placement { from: second, to: 0x2000, words: 1 });
        assert_eq!(none, Placement::default());
        assert_eq!((at(0x1_1000), at(second)), (0x0101_0101_0101_0101, 0x0202_0202_0202_0202));
        assert!(loading(vec![0; 0x1_0001], &[], &load, normal).is_err());
    }
}
