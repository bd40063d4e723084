//! sp_layout.json: which partitions go into the FIP, as TF-A's own build reads it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Where TF-A's tools put the manifest in a package if the layout does not say.
const MANIFEST_OFFSET: u64 = 0x1000;
/// Where they put the image.
const IMAGE_OFFSET: u64 = 0x4000;
/// How many bytes they let a transfer list have.
const LIST_SIZE: u64 = 0x10_0000;

/// A file and its place in the package, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// The file, found from the layout's own folder.
    pub file: PathBuf,
    /// Where it lies in the package.
    pub offset: u64,
}

/// What a partition is packed as.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// "SPKG", with its parts at their offsets.
    Spkg,
    /// A transfer list that may grow to so many bytes; it gives its parts their places itself.
    TransferList { max_size: u64 },
}

/// Who answers for a partition, and so signs for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// The silicon provider.
    #[default]
    Sip,
    /// The platform's owner.
    Plat,
}

impl Owner {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sip, Self::Plat];

    /// The name in the layout and in TB_FW_CONFIG.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sip => "SiP",
            Self::Plat => "Plat",
        }
    }
}

/// A partition of the layout.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key in the layout.
    pub name: String,
    /// `package`, and `size` of a transfer list.
    pub kind: Kind,
    /// The image.
    pub image: Part,
    /// The partition manifest, source or blob.
    pub manifest: Part,
    /// `uuid`: names the package in the FIP, instead of the manifest's first one.
    pub uuid: Option<Uuid>,
    /// `physical-load-address`, instead of the manifest's `load-address`.
    pub address: Option<u64>,
    /// `owner`.
    pub owner: Owner,
}

/// Reads a layout.
///
/// # Errors
/// If it cannot be read or a property is missing or wrong; the message names file, partition and property.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(&text, folder).with_context(|| path.display().to_string())
}

fn parse(text: &str, folder: &Path) -> Result<Vec<Entry>> {
    let layout: Map<String, Value> = serde_json::from_str(text)?;
    let entry = |(name, value): (String, Value)| entry(&name, &value, folder).context(name);
    layout.into_iter().map(entry).collect()
}

fn entry(name: &str, value: &Value, folder: &Path) -> Result<Entry> {
    let properties = value.as_object().context("not an object")?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        bail!("a partition's name is made of letters, digits, - and _");
    }
    let kind = match properties.get("package").map(|kind| kind.as_str().unwrap_or_default()) {
        None | Some("sp_pkg") => Kind::Spkg,
        Some("tl_pkg") => Kind::TransferList { max_size: list_size(properties).context("size")? },
        Some(_) => bail!("package: it must be \"sp_pkg\" or \"tl_pkg\""),
    };
    let text = |key: &str| match properties.get(key) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).with_context(|| format!("{key}: not a string")),
    };
    let uuid = text("uuid")?.map(|text| Uuid::try_parse(text).context("uuid")).transpose()?;
    let address = text("physical-load-address")?.map(number).transpose().context("physical-load-address")?;
    let owner = match text("owner")? {
        None => Owner::default(),
        Some(name) => *Owner::ALL
            .iter()
            .find(|owner| owner.name() == name)
            .context("owner: it must be \"SiP\" or \"Plat\"")?,
    };
    let image = part(properties, "image", IMAGE_OFFSET, folder).context("image")?;
    let manifest = part(properties, "pm", MANIFEST_OFFSET, folder).context("pm")?;
    Ok(Entry { name: name.to_owned(), kind, image, manifest, uuid, address, owner })
}

/// A file, either by its name alone or as `{"file": …, "offset": …}`.
fn part(properties: &Map<String, Value>, key: &str, default: u64, folder: &Path) -> Result<Part> {
    let value = properties.get(key).context("missing")?;
    let (file, offset) = match value {
        Value::String(file) => (file.as_str(), None),
        _ => (value.get("file").and_then(Value::as_str).context("file: missing")?, value.get("offset")),
    };
    let offset = match offset {
        None => default,
        Some(Value::String(text)) => number(text).context("offset")?,
        Some(value) => value.as_u64().context("offset: not a number")?,
    };
    Ok(Part { file: folder.join(file), offset })
}

/// `size`: a number, or digits that are decimal if they can be, as TF-A's build reads them.
fn list_size(properties: &Map<String, Value>) -> Result<u64> {
    match properties.get("size") {
        None => Ok(LIST_SIZE),
        Some(Value::String(text)) => {
            number(text).or_else(|error| u64::from_str_radix(text, 16).map_err(|_| error))
        }
        Some(value) => value.as_u64().context("not a number"),
    }
}

fn number(text: &str) -> Result<u64> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.with_context(|| format!("{text:?} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", parse(text, Path::new("d")).unwrap_err())
    }

    #[test]
    fn paths_are_relative_to_the_layout_and_its_order_is_kept() {
        let text = r#"{"z": {"image": "z.bin", "pm": {"file": "../z.dts", "offset": "0x2000"}},
            "a": {"image": {"file": "a.bin"}, "pm": "a.dts", "physical-load-address": "0xe200000",
                  "uuid": "5d7f1c2e-8a3b-4e60-9b1d-3c2f6a7e9d41"}}"#;
        let layout = parse(text, Path::new("d")).unwrap();
        assert_eq!([&*layout[0].name, &*layout[1].name], ["z", "a"]);
        assert_eq!(layout[0].image, Part { file: "d/z.bin".into(), offset: 0x4000 });
        assert_eq!(layout[0].manifest, Part { file: "d/../z.dts".into(), offset: 0x2000 });
        assert_eq!((layout[1].address, layout[0].uuid), (Some(0xe20_0000), None));
    }

    #[test]
    fn a_package_is_of_the_kind_and_size_that_the_layout_says() {
        let kind = |more: &str| {
            let text = format!(r#"{{"a": {{"image": "a.bin", "pm": "a.dts"{more}}}}}"#);
            parse(&text, Path::new("d")).unwrap().remove(0).kind
        };
        let list = |max_size| Kind::TransferList { max_size };
        assert_eq!(kind(""), Kind::Spkg);
        assert_eq!(kind(r#", "package": "sp_pkg", "size": "1g""#), Kind::Spkg);
        assert_eq!(kind(r#", "package": "tl_pkg""#), list(0x10_0000));
        for (size, bytes) in
            [("4096", 4096), ("\"4096\"", 4096), ("\"0x300000\"", 0x30_0000), ("\"3f000\"", 0x3_f000)]
        {
            assert_eq!(kind(&format!(r#", "package": "tl_pkg", "size": {size}"#)), list(bytes));
        }
    }

    #[test]
    fn a_partition_is_the_silicon_providers_unless_the_layout_says_the_platform_owners() {
        let owner = |more: &str| {
            let text = format!(r#"{{"a": {{"image": "a.bin", "pm": "a.dts"{more}}}}}"#);
            parse(&text, Path::new("d")).unwrap().remove(0).owner
        };
        assert_eq!(owner(""), Owner::Sip);
        assert_eq!(owner(r#", "owner": "SiP""#), Owner::Sip);
        assert_eq!(owner(r#", "owner": "Plat""#), Owner::Plat);
    }

    #[test]
    fn an_error_names_the_partition_and_the_property() {
        assert_eq!(error(r#"{"a": {"image": "a.bin"}}"#), "a: pm: missing");
        assert_eq!(error(r#"{"a": {"image": {}, "pm": "x"}}"#), "a: image: file: missing");
        let text = r#"{"a": {"image": "a.bin", "pm": "x", "physical-load-address": "12g"}}"#;
        assert!(error(text).starts_with("a: physical-load-address: \"12g\" is not a number"));
        assert!(error(r#"{"a": {"package": "xl_pkg"}}"#).starts_with("a: package:"));
        assert!(error(r#"{"a": {"package": "tl_pkg", "size": "1g"}}"#).starts_with("a: size: \"1g\""));
        let owned = r#"{"a": {"image": "a.bin", "pm": "x", "owner": "plat"}}"#;
        assert_eq!(error(owned), r#"a: owner: it must be "SiP" or "Plat""#);
        assert!(error(r#"{"a b": {}}"#).starts_with("a b: a partition's name"));
    }
}
