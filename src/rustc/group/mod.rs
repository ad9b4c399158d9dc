//! The processes of one run of a compiler, which end together: when the run is given up, and when the process that asked
//! for it is gone, however it went. Whoever is killed can end nobody, so somebody else has to see that he is gone.

#[cfg(unix)]
mod guard;
#[cfg(windows)]
mod job;

#[cfg(unix)]
pub use guard::Group;
#[cfg(windows)]
pub use job::Group;
