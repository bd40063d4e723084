//! What the fuzz targets share.

pub mod descriptor;
pub mod drive;
pub mod events;
pub mod goal;
pub mod manifests;
pub mod tree;
