//! A kernel as its user wrote it: finding it, reading it, and what stands in it.
//!
//! The modules stand in the order in which they may use one another: each only those above it.

pub mod last_read;
pub mod cell;
pub mod block;
pub mod crates;
pub mod manifest_keys;
pub mod slips;
pub mod manifest;
pub mod source;
pub mod syntax;
pub mod macros;
pub mod mod_files;
pub mod roles;
pub mod uses;
pub mod surface;
pub mod methods;
pub mod walk;
pub mod exports;
pub mod python_types;
pub mod outline;
pub mod discover;
