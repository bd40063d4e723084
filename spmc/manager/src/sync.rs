//! The primitives that PEs meet by; the only file that may choose other ones under test.

#[cfg(model)]
pub(crate) use modelled::{
    AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering, SpinMutex, SpinMutexGuard,
};
#[cfg(not(model))]
pub(crate) use {
    core::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    spin::mutex::{SpinMutex, SpinMutexGuard},
};

/// How many there are of something that PEs meet by; the model checker, whose time goes by their number, has `few`.
pub(crate) const fn count(all: usize, few: usize) -> usize {
    if cfg!(model) { few } else { all }
}

/// What the model checker puts in the place of the primitives.
#[cfg(model)]
mod modelled {
    pub(crate) use loom::sync::MutexGuard as SpinMutexGuard;
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    };

    /// A lock that the model checker knows.
    #[derive(Debug)]
    pub(crate) struct SpinMutex<T>(loom::sync::Mutex<T>);

    impl<T> SpinMutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn try_lock(&self) -> Option<SpinMutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }

        pub(crate) fn lock(&self) -> SpinMutexGuard<'_, T> {
            self.0.lock().expect("a PE that panics ends the run")
        }
    }
}

/// Something outside the manager that one PE at a time may use, such as a context's registers: the model checker
/// notices PEs that are not kept apart. Nothing where it is not at work.
#[cfg(feature = "fakes")]
#[derive(Default)]
pub struct Watched {
    #[cfg(model)]
    cell: std::sync::Mutex<loom::cell::UnsafeCell<()>>,
}

#[cfg(feature = "fakes")]
impl Watched {
    /// The PE uses it.
    pub fn touch(&self) {
        #[cfg(model)]
        self.cell.lock().unwrap_or_else(std::sync::PoisonError::into_inner).with_mut(|_| ());
    }

    /// The PE reads it, as others may.
    pub fn look(&self) {
        #[cfg(model)]
        self.cell.lock().unwrap_or_else(std::sync::PoisonError::into_inner).with(|_| ());
    }
}
