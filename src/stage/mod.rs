//! What the compiler is shown: the user's own file where that will do, else copies or links of it, with what is generated.
//!
//! The modules stand in the order in which they may use one another: each only those above it.

pub mod fastcall;
pub mod pymodule;
pub mod split;
pub mod glue;
pub mod copies;
pub mod links;
pub mod places;
pub mod view;
