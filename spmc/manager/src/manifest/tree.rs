//! Nodes and typed properties of a device tree. The only user of the crate `fdt`, which panics on damaged
//! trees: it is given only what [`blob::check`] has passed.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{Display, LowerHex, Write};
use core::ops::RangeInclusive;

use fdt::Fdt;
use fdt::node::FdtNode;

use super::blob::{self, BlobError};
use super::error::{Error, Place};

/// A device tree that can be read without fear.
pub struct Tree<'a> {
    fdt: Fdt<'a>,
    /// Whose it is, for messages.
    owner: &'a str,
}

impl<'a> Tree<'a> {
    /// Checks the whole blob, which is the manifest of `owner`.
    pub fn new(bytes: &'a [u8], owner: &'a str) -> Result<Self, BlobError> {
        let blob = blob::check(bytes)?;
        // The crate asks less of a header than our check, so that it finds nothing to refuse.
        let fdt = Fdt::new(blob).map_err(|_| BlobError::Short { length: blob.len() })?;
        Ok(Self { fdt, owner })
    }

    /// The root node.
    ///
    /// # Panics
    /// Never: the check has seen a root node, and that its name is empty, by which the crate finds it.
    #[must_use]
    pub fn root(&self) -> Node<'_, 'a> {
        let node = self.fdt.find_node("/").expect("a checked tree has a root");
        Node::new(node, "/".to_string(), self.owner)
    }
}

/// A form that a property's value may have.
pub trait Form<'a>: Sized {
    /// What the manifest's writer has to put there.
    const EXPECTED: &'static str;
    /// The value, if the bytes have this form.
    fn read(bytes: &'a [u8]) -> Option<Self>;
}

/// One or two cells.
impl Form<'_> for u64 {
    const EXPECTED: &'static str = "a number of one or two cells";
    fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            4 => bytes.first_chunk().map(|cell| u64::from(u32::from_be_bytes(*cell))),
            8 => bytes.first_chunk().map(|cells| Self::from_be_bytes(*cells)),
            _ => None,
        }
    }
}

/// A list of cells, not empty.
impl Form<'_> for Vec<u32> {
    const EXPECTED: &'static str = "a list of cells";
    fn read(bytes: &[u8]) -> Option<Self> {
        let (cells, rest) = bytes.as_chunks();
        (rest.is_empty() && !cells.is_empty())
            .then(|| cells.iter().map(|cell| u32::from_be_bytes(*cell)).collect())
    }
}

/// One string: printable ASCII, closed by its only zero byte.
impl<'a> Form<'a> for &'a str {
    const EXPECTED: &'static str = "one printable string";
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (zero, text) = bytes.split_last()?;
        let printable = *zero == 0 && text.iter().all(|byte| (b' '..=b'~').contains(byte));
        core::str::from_utf8(text).ok().filter(|_| printable)
    }
}

/// A list of strings, each closed by a zero byte.
impl<'a> Form<'a> for Vec<&'a str> {
    const EXPECTED: &'static str = "a list of printable strings";
    fn read(bytes: &'a [u8]) -> Option<Self> {
        bytes.split_inclusive(|byte| *byte == 0).map(<&str>::read).collect()
    }
}

/// A node, which knows its path.
pub struct Node<'b, 'a> {
    node: FdtNode<'b, 'a>,
    /// Read once: most properties that are looked for are not there.
    properties: Vec<(&'a str, &'a [u8])>,
    path: String,
    owner: &'a str,
}

impl<'b, 'a> Node<'b, 'a> {
    fn new(node: FdtNode<'b, 'a>, path: String, owner: &'a str) -> Self {
        let properties = node.properties().map(|property| (property.name, property.value)).collect();
        Self { node, properties, path, owner }
    }

    /// A node below this one.
    fn below(&self, node: FdtNode<'b, 'a>) -> Self {
        let path = format!("{}/{}", self.path.trim_end_matches('/'), node.name);
        Self::new(node, path, self.owner)
    }

    /// The path from the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whose manifest it is in: for messages that are no errors.
    #[must_use]
    pub fn owner(&self) -> &'a str {
        self.owner
    }

    /// The name, with the unit address.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.node.name
    }

    /// The nodes below, in their order.
    pub fn children(&self) -> impl Iterator<Item = Node<'b, 'a>> {
        self.node.children().map(|node| self.below(node))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.node.children().map(|node| node.name)
    }

    /// The node of this name below.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<Node<'b, 'a>> {
        self.node.children().find(|node| node.name == name).map(|node| self.below(node))
    }

    /// The node of this name below, which must be there.
    pub fn required_child(&self, name: &'static str) -> Result<Self, Error> {
        self.child(name).ok_or_else(|| Error::MissingNode { node: self.path.clone(), child: name })
    }

    /// The bytes of a property.
    fn bytes(&self, property: &str) -> Option<&'a [u8]> {
        self.properties.iter().find(|(name, _)| *name == property).map(|(_, value)| *value)
    }

    /// A place in this node, for messages.
    #[must_use]
    pub fn at(&self, property: &'static str) -> Place {
        Place { node: self.path.clone(), property }
    }

    /// A property's value, or none where there is no such property.
    pub fn optional<T: Form<'a>>(&self, property: &'static str) -> Result<Option<T>, Error> {
        let Some(value) = self.bytes(property) else { return Ok(None) };
        T::read(value).map(Some).ok_or_else(|| self.form(property, value, T::EXPECTED))
    }

    /// A property's value, which must be there.
    pub fn required<T: Form<'a>>(&self, property: &'static str) -> Result<T, Error> {
        self.optional(property)?
            .ok_or_else(|| Error::Missing { at: self.at(property), expected: T::EXPECTED })
    }

    /// A property without a value: it is there or not.
    pub fn flag(&self, property: &'static str) -> Result<bool, Error> {
        match self.bytes(property) {
            None => Ok(false),
            Some([]) => Ok(true),
            Some(value) => Err(self.form(property, value, "empty: it is there or not")),
        }
    }

    /// A number within its limits, or none where there is no such property.
    pub fn optional_number<T>(
        &self,
        property: &'static str,
        limit: RangeInclusive<T>,
    ) -> Result<Option<T>, Error>
    where
        T: TryFrom<u64> + PartialOrd + LowerHex,
    {
        let Some(value) = self.optional::<u64>(property)? else { return Ok(None) };
        match T::try_from(value) {
            Ok(number) if limit.contains(&number) => Ok(Some(number)),
            _ => {
                let limit = format!("{:#x} to {:#x}", limit.start(), limit.end());
                Err(self.value(property, format_args!("{value:#x}"), limit))
            }
        }
    }

    /// A number within its limits, which must be there.
    pub fn number<T>(&self, property: &'static str, limit: RangeInclusive<T>) -> Result<T, Error>
    where
        T: TryFrom<u64> + PartialOrd + LowerHex,
    {
        let missing = || Error::Missing { at: self.at(property), expected: u64::EXPECTED };
        self.optional_number(property, limit)?.ok_or_else(missing)
    }

    /// That `compatible` lists one of `known`, and which.
    pub fn compatible(&self, known: &[&'static str]) -> Result<&'static str, Error> {
        let listed: Vec<&str> = self.required("compatible")?;
        let found = known.iter().find(|name| listed.contains(name)).copied();
        found.ok_or_else(|| {
            let limit = format!("\"{}\"", known.join("\" or \""));
            self.value("compatible", format_args!("\"{}\"", listed.join("\", \"")), limit)
        })
    }

    /// The error of a value beyond its limit. A long value is cut: it comes from the manifest and goes to the console.
    pub fn value(&self, property: &'static str, value: impl Display, limit: impl Into<String>) -> Error {
        self.beyond(property, value.to_string(), limit.into())
    }

    /// As [`Self::value`], once for all types of values.
    #[cold]
    fn beyond(&self, property: &'static str, mut value: String, limit: String) -> Error {
        const SHOWN: usize = 80;
        if value.chars().count() > SHOWN {
            value = value.chars().take(SHOWN).chain("...".chars()).collect();
        }
        Error::Value { at: self.at(property), value, limit }
    }

    /// The error of a value that stands twice where it must be unique: here, and before that in `first`.
    pub fn duplicate(&self, property: &'static str, value: impl Display, first: impl Display) -> Error {
        Error::Duplicate { at: self.at(property), value: value.to_string(), first: first.to_string() }
    }

    /// That there are no more than `limit` of something.
    pub fn limit(&self, what: &'static str, count: usize, limit: usize) -> Result<(), Error> {
        if count <= limit {
            return Ok(());
        }
        Err(Error::TooMany { node: self.path.clone(), what, count, limit })
    }

    /// Says in one line which properties and nodes have no effect: at debug level those that are `known`, with a
    /// warning those that nobody knows. `used` are those that have one.
    pub fn report_unused(&self, used: &[&str], known: &[&str]) {
        // What every tree has for its own sake.
        const STRUCTURE: &[&str] =
            &["phandle", "linux,phandle", "#address-cells", "#size-cells", "description"];
        let names = self.properties.iter().map(|(name, _)| *name).chain(self.names());
        let rest: Vec<&str> =
            names.filter(|name| !used.contains(name) && !STRUCTURE.contains(name)).collect();
        let (known, unknown): (Vec<_>, Vec<_>) = rest.into_iter().partition(|name| known.contains(name));
        if !known.is_empty() {
            log::debug!("{}: {}: without effect here: {}", self.owner, self.path, known.join(", "));
        }
        if !unknown.is_empty() {
            log::warn!("{}: {}: unknown, without effect: {}", self.owner, self.path, unknown.join(", "));
        }
    }

    fn form(&self, property: &'static str, bytes: &[u8], expected: &'static str) -> Error {
        const SHOWN: usize = 16;
        let mut value = String::from("0x");
        for byte in bytes.iter().take(SHOWN) {
            // Writing into a string cannot fail.
            let _ = write!(value, "{byte:02x}");
        }
        if bytes.len() > SHOWN {
            value.push_str("...");
        }
        Error::Form { at: self.at(property), length: bytes.len(), value, expected }
    }
}
