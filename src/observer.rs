//! Who is told how a build goes on, and may stop it.

/// What a build tells to whoever asked for it.
pub trait Observer {
    /// Has the user asked to stop?
    fn interrupted(&mut self) -> bool;
    /// Something moved on: the phase, how many of how many, and what.
    fn progress(&mut self, phase: Phase, done: usize, total: usize, detail: &str);
    /// Something that the user should know and that stops nothing.
    fn warning(&mut self, text: &str);
}

/// What a build is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Another process builds the same thing.
    Waiting,
    /// cargo fetches and compiles dependencies.
    Dependencies,
    /// rustc compiles the kernel.
    Kernel,
}
