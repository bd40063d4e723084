//! What can be wrong with a manifest or a package: each error names the place, the value and the limit.

use alloc::string::String;
use core::fmt;

use super::blob::BlobError;
use super::package::PackageError;
use super::transfer_list::ListError;

/// A property of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The node's path from the root.
    pub node: String,
    /// The property's name.
    pub property: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`", self.node, self.property)
    }
}

/// Why a manifest or a package is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not a device tree.
    #[error("not a device tree: {0}")]
    Blob(#[from] BlobError),
    /// The package's header is wrong.
    #[error("package: {0}")]
    Package(#[from] PackageError),
    /// The memory of a package cannot be read or written.
    #[error("memory at {address:#x} cannot be accessed")]
    Access {
        /// The physical address.
        address: u64,
    },
    /// A mandatory property is absent.
    #[error("{at} is missing; it must be {expected}")]
    Missing {
        /// The property.
        at: Place,
        /// What it must be.
        expected: &'static str,
    },
    /// A mandatory node is absent.
    #[error("{node}: a node is missing there: {child}")]
    MissingNode {
        /// The parent's path.
        node: String,
        /// The child, or what kind of child.
        child: &'static str,
    },
    /// A property's value has the wrong form.
    #[error("{at} has {length} bytes ({value}); it must be {expected}")]
    Form {
        /// The property.
        at: Place,
        /// The bytes that are there.
        length: usize,
        /// The first of them.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A value is beyond its limit.
    #[error("{at} is {value}; it must be {limit}")]
    Value {
        /// The property.
        at: Place,
        /// The value as it stands there.
        value: String,
        /// What is allowed.
        limit: String,
    },
    /// A node's name breaks a rule.
    #[error("{node}: the name must be {limit}")]
    Name {
        /// The node's path.
        node: String,
        /// What is allowed.
        limit: String,
    },
    /// There are more nodes or values than this implementation keeps.
    #[error("{node}: {count} {what}; the limit is {limit}")]
    TooMany {
        /// The node's path.
        node: String,
        /// Of what there are too many.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Something that the specification allows and this implementation does not offer.
    #[error("{at} is {value}: {why}")]
    Unsupported {
        /// The property.
        at: Place,
        /// The value as it stands there.
        value: String,
        /// What is not there, and what would be right.
        why: &'static str,
    },
    /// Two properties that exclude each other.
    #[error("{at} and `{other}` exclude each other; one of them must go")]
    Exclusive {
        /// The one property.
        at: Place,
        /// The other property.
        other: &'static str,
    },
    /// A value stands twice where it must be unique.
    #[error("{at} is {value}, as in {first}; it must be unique")]
    Duplicate {
        /// The later of the two.
        at: Place,
        /// The value as it stands there.
        value: String,
        /// Where it stood first.
        first: String,
    },
    /// Two ranges of memory share pages.
    #[error("{what} {range} overlaps {with}")]
    Overlap {
        /// What the range is: its node or its name.
        what: String,
        /// The range.
        range: String,
        /// With what, and its range.
        with: String,
    },
    /// A range lies, wholly or in part, where nothing is declared.
    #[error("{what} {range} is outside the {declared} ranges of the SPMC manifest")]
    Outside {
        /// What the range is: its node or its name.
        what: String,
        /// The range.
        range: String,
        /// The kind of ranges: the `device_type` of the node.
        declared: &'static str,
    },
    /// The range belongs to the SPMC: the machine is misconfigured as a whole.
    #[error("{what} {range} overlaps the SPMC's own memory {own}")]
    OwnMemory {
        /// What the range is: its node or its name.
        what: String,
        /// The range.
        range: String,
        /// The SPMC's memory.
        own: String,
    },
    /// The boot information does not fit where the package leaves room for it.
    #[error("boot information has {size:#x} bytes, and the package leaves {room:#x} below its manifest")]
    BootInfoRoom {
        /// What it needs.
        size: u64,
        /// What there is.
        room: u64,
    },
    /// The manifest asks for a hand-off block list, and the package has no place for one.
    #[error("/boot-info: `hob_list` is given, but the package has no list: {why}")]
    NoHobList {
        /// What would have to be there.
        why: &'static str,
    },
    /// The manifest asks for a hand-off block list that the package does not hold.
    #[error("/boot-info: `hob_list` is given, but the package has no list at offset {offset:#x}: {why}")]
    HobList {
        /// The offset in the package.
        offset: u64,
        /// What is wrong there.
        why: &'static str,
    },
}

impl From<ListError> for Error {
    fn from(error: ListError) -> Self {
        Self::Package(error.into())
    }
}
