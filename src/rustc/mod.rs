//! The compiler, how it is started and what it says.
//!
//! The modules stand in the order in which they may use one another: each only those above it.

pub mod toolchain;
pub mod process;
pub mod linker;
pub mod diagnostics;
pub mod cargo_notes;
pub mod dep_info;
pub mod cargo_messages;
