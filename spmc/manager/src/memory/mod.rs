//! Pages, stage-2 descriptors and address spaces.

pub mod descriptor;
pub mod page;
mod pool;
pub mod space;
pub mod table;
