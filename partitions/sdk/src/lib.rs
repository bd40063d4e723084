//! Entry, FF-A calls and console of a partition.
#![no_std]
