//! The engine of rsimport: it finds out whether a Rust kernel has to be compiled for Python, compiles it, and keeps the
//! result. Python sees it as `rsimport._engine`; ARCHITECTURE.md has the map.
//!
//! The modules stand in the order in which they may use one another: each only those above it.

pub mod error;
pub mod digest;
pub mod recent;
pub mod above;
pub mod cell;
pub mod manifest;
pub mod source;
pub mod environment;
pub mod settings;
pub mod config;
pub mod abi;
pub mod cargo_config;
pub mod tier;
pub mod toolchain;
pub mod linker;
pub mod fingerprint;
pub mod inputs;
pub mod depinfo;
pub mod diagnostics;
pub mod fastcall;
pub mod module;
pub mod pieces;
pub mod exports;
pub mod stage;
pub mod process;
pub mod lock;
pub mod plan;
pub mod recipe;
pub mod seed;
pub mod cache;
pub mod runtime;
pub mod store;
pub mod ground;
pub mod mirror;
pub mod view;
pub mod messages;
pub mod cargo;
pub mod verify;
pub mod symbol;
pub mod compile;
pub mod engine;
pub mod warm;
pub mod survey;
pub mod watch;
pub mod doctor;
pub mod templates;
#[cfg(feature = "python")]
pub mod python;
