//! Pages, stage-2 descriptors and address spaces.

pub mod page;
pub mod space;
pub mod table;
