//! The glue of a new kernel, which is compiled beside the user's half to an object file, for which the linker waits.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use crate::compile::ahead::Awaited;
use crate::observer::{Observer, Phase};
use crate::rustc::process::run;

/// A compiler that makes an object file; it ends with this.
pub struct Apart {
    object: PathBuf,
    awaited: Awaited,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Apart {
    /// Starts a compiler that makes this object file.
    pub fn begin(command: Command, object: PathBuf) -> Option<Apart> {
        let (awaited, stopped) = (Arc::new(OnceLock::new()), Arc::new(AtomicBool::new(false)));
        let (is_there, mut nobody) = (Told(Arc::clone(&awaited)), Nobody(Arc::clone(&stopped)));
        let work = move || {
            let ended = run(command, &mut nobody, |_, _, _| {});
            let _ = is_there.0.set(ended.is_ok_and(|status| status.success()));
        };
        let thread = thread::Builder::new().name("rsimport-glue".to_owned()).spawn(work).ok()?;
        Some(Apart { object, awaited, stopped, thread: Some(thread) })
    }

    /// The flag with which a compiler has it linked.
    pub fn flag(&self) -> String {
        format!("-Clink-arg={}", self.object.display())
    }

    /// Is it there? Known when the compiler has ended.
    pub fn awaited(&self) -> Awaited {
        Arc::clone(&self.awaited)
    }

    /// Ends the compiler soon.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.stop();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Tells whoever waits, however the thread ends.
struct Told(Awaited);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.set(false);
    }
}

/// Who hears nothing, and stops what nobody waits for any more.
struct Nobody(Arc<AtomicBool>);

impl Observer for Nobody {
    fn interrupted(&mut self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn progress(&mut self, _: Phase, _: usize, _: usize, _: &str) {}

    fn warning(&mut self, _: &str) {}
}
