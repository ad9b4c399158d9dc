//! What the command line offers besides building and importing.
//!
//! The modules stand in the order in which they may use one another: each only those above it.

pub mod templates;
pub mod format;
pub mod items;
pub mod messages;
pub mod tested;
pub mod kept;
pub mod run;
pub mod project;
pub mod doctor;
pub mod warm;
pub mod watch;
pub mod why;
pub mod introspection;
pub mod export;
