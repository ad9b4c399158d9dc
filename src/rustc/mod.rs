//! The compiler, how it is started and what it says.
//!
//! The modules stand in the order in which they may use one another: each only those above it.

pub mod start;
pub mod shortage;
pub mod toolchain;
pub mod group;
pub mod identity;
pub mod stuck;
pub mod collected;
pub mod process;
pub mod linker;
pub mod paste;
pub mod missing_crates;
pub mod symptom;
pub mod pyo3_types;
pub mod pyo3_attributes;
pub mod pyo3_hints;
pub mod rust_hints;
pub mod hints;
pub mod diagnostics;
pub mod exhausted;
pub mod unknown_names;
pub mod cargo_errors;
pub mod cargo_notes;
pub mod dep_info;
pub mod cargo_messages;
