//! The engine of rsimport: it finds out whether a Rust kernel has to be compiled for Python, compiles it, and keeps the
//! result. Python sees it as `rsimport._engine`; ARCHITECTURE.md has the map.
//!
//! Folders and files stand in the order in which they may use one another: each only those above it.

pub mod error;
pub mod limits;
pub mod digest;
pub mod paths;
pub mod shown;
pub mod similar;
pub mod observer;
pub mod kernel;
pub mod expander;
pub mod config;
pub mod rustc;
pub mod freshness;
pub mod cache;
pub mod stage;
pub mod compile;
pub mod history;
pub mod engine;
pub mod beside;
pub mod recall;
pub mod bundle;
pub mod tools;
#[cfg(feature = "python")]
pub mod python;
