//! The lock order, in types: Registry, Transaction, Partition, Space, Store, Vcpu, at most one lock of each rank.
//!
//! A [`Holding`] token says which rank is held innermost. Taking a lock needs a token of an earlier rank and keeps
//! it borrowed until the lock is given back, so a wrong order does not compile.
//!
//! ```
//! use manager::order::{Holding, Lock, Partition, Vcpu};
//! let (partition, vcpu) = (Lock::<Partition, _>::new(1), Lock::<Vcpu, _>::new(2));
//! let mut nothing = Holding::nothing();
//! let (a, mut held) = partition.lock(&mut nothing);
//! let (b, _held) = vcpu.lock(&mut held);
//! assert_eq!((*a, *b), (1, 2));
//! ```
//! The wrong order:
//! ```compile_fail,E0277
//! use manager::order::{Holding, Lock, Partition, Vcpu};
//! let (partition, vcpu) = (Lock::<Partition, _>::new(1), Lock::<Vcpu, _>::new(2));
//! let mut nothing = Holding::nothing();
//! let (_b, mut held) = vcpu.lock(&mut nothing);
//! let (_a, _held) = partition.lock(&mut held);
//! ```
//! The same rank twice:
//! ```compile_fail,E0277
//! use manager::order::{Holding, Lock, Partition, Vcpu};
//! let (one, two) = (Lock::<Vcpu, _>::new(1), Lock::<Vcpu, _>::new(2));
//! let mut nothing = Holding::nothing();
//! let (_a, mut held) = one.lock(&mut nothing);
//! let (_b, _held) = two.lock(&mut held);
//! ```
//! The outer token once more:
//! ```compile_fail,E0499
//! use manager::order::{Holding, Lock, Partition, Vcpu};
//! let (one, two) = (Lock::<Vcpu, _>::new(1), Lock::<Vcpu, _>::new(2));
//! let mut nothing = Holding::nothing();
//! let (a, _held) = one.lock(&mut nothing);
//! let (_b, _held) = two.lock(&mut nothing);
//! drop(a);
//! ```

use core::marker::PhantomData;

use crate::sync::{SpinMutex, SpinMutexGuard};

/// Rank: no lock is held.
pub enum Nothing {}
/// Rank: which endpoints of the Normal world there are.
pub enum Registry {}
/// Rank: one memory transaction.
pub enum Transaction {}
/// Rank: what belongs to one endpoint as a whole.
pub enum Partition {}
/// Rank: an endpoint's pages.
pub enum Space {}
/// Rank: what is free for an owner's memory transactions.
pub enum Store {}
/// Rank: the life of one execution context.
pub enum Vcpu {}

/// A lock of this rank may be held while one of rank `R` is taken.
pub trait Before<R> {}
impl Before<Registry> for Nothing {}
impl Before<Partition> for Nothing {}
impl Before<Space> for Nothing {}
impl Before<Vcpu> for Nothing {}
impl Before<Partition> for Registry {}
impl Before<Space> for Registry {}
impl Before<Vcpu> for Registry {}
impl Before<Space> for Partition {}
impl Before<Transaction> for Nothing {}
impl Before<Partition> for Transaction {}
impl Before<Space> for Transaction {}
impl Before<Vcpu> for Transaction {}
impl Before<Store> for Nothing {}
impl Before<Store> for Transaction {}
impl Before<Store> for Space {}
impl Before<Vcpu> for Partition {}

/// The innermost rank that this PE holds.
pub struct Holding<'a, R>(PhantomData<(&'a mut (), R)>);

impl Holding<'static, Nothing> {
    /// The token that a step begins with. One a step: a second one would void the order.
    #[must_use]
    pub const fn nothing() -> Self {
        Self(PhantomData)
    }
}

/// A value behind a lock of rank `R`.
pub struct Lock<R, T> {
    value: SpinMutex<T>,
    rank: PhantomData<fn() -> R>,
}

impl<R, T> Lock<R, T> {
    /// A lock that nobody holds.
    pub fn new(value: T) -> Self {
        Self { value: SpinMutex::new(value), rank: PhantomData }
    }

    /// Takes the lock; `held` stays borrowed until it is given back.
    #[inline]
    pub fn lock<'a, H: Before<R>>(
        &'a self,
        held: &'a mut Holding<'_, H>,
    ) -> (SpinMutexGuard<'a, T>, Holding<'a, R>) {
        let _ = held;
        (self.value.lock(), Holding(PhantomData))
    }

    /// As [`Lock::lock`]; nothing where somebody has it.
    #[inline]
    pub fn try_lock<'a, H: Before<R>>(
        &'a self,
        held: &'a mut Holding<'_, H>,
    ) -> Option<(SpinMutexGuard<'a, T>, Holding<'a, R>)> {
        let _ = held;
        Some((self.value.try_lock()?, Holding(PhantomData)))
    }
}
