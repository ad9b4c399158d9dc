//! What decides about a build besides the source: settings, cargo's configuration, the Python that asks, and their fingerprint.
//!
//! The modules stand in the order in which they may use one another: each only those above it.

pub mod settings;
pub mod environment;
pub mod ancestors;
pub mod layers;
pub mod cargo_config;
pub mod abi;
pub mod tier;
pub mod fingerprint;
