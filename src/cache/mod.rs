//! What is kept: the folder and who may write to it, locks, and the published builds. The only place that writes files.
//!
//! The modules stand in the order in which they may use one another: each only those above it.

pub mod lock;
pub mod owner;
pub mod layout;
pub mod staging;
#[cfg(target_os = "linux")]
pub mod pipe;
pub mod images;
pub mod entry;
pub mod entries;
pub mod provenance;
pub mod parcel;
pub mod sizes;
pub mod mapped;
pub mod damage;
pub mod leftovers;
pub mod gc;
