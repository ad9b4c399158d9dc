//! How a kernel is built, and when again: by cargo, or by the call that was recorded from it.
//!
//! The modules stand in the order in which they may use one another: each only those above it.

pub mod macros;
pub mod plan;
pub mod refusals;
pub mod recipe;
pub mod lockfile;
pub mod scratch;
pub mod instructions;
pub mod job;
pub mod package;
pub mod cargo;
pub mod task;
pub mod weight;
pub mod linkable;
pub mod ahead;
pub mod apart;
pub mod replay;
pub mod glue;
pub mod build;
pub mod symbol;
pub mod verify;
pub mod glibc;
