//! The lock that everything shared is behind; the only file that may choose another one under test.

pub(crate) use spin::mutex::{SpinMutex, SpinMutexGuard};
