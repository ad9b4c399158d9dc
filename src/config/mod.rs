//! What decides about a build besides the source: settings, and the Python that asks.
//!
//! The modules stand in the order in which they may use one another: each only those above it.

pub mod settings;
pub mod amounts;
pub mod environment;
#[cfg(unix)]
pub mod access;
pub mod trust;
pub mod ancestors;
pub mod profile;
pub mod layers;
pub mod misspelled;
pub mod abi;
pub mod tier;
