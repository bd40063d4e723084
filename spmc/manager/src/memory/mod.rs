//! Pages, translation descriptors and address spaces, and what a page is to its endpoint.

pub mod descriptor;
pub mod ledger;
pub mod page;
pub mod pages;
mod pool;
pub mod space;
pub mod spaces;
pub mod store;
pub mod table;
pub mod transaction;
pub mod transactions;
