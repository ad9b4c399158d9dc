//! On Unix a guard sees it: a shell that leads the process group, and waits for a pipe to be closed that only this process
//! could write to. As soon as this process is gone the system closes it, and the guard kills its own group.
//!
//! A signal that the system sends at a parent's death (`PR_SET_PDEATHSIG`) would reach the compiler but not what cargo
//! starts, comes when the thread ends that started it, and takes a real fork, which is slow in a large process.

use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::rustc::toolchain::shell;

/// What the guard does. Nothing is ever written to it.
const WATCH: &str = "read -r _; kill -KILL 0";

/// A process group that ends with this process.
#[derive(Default)]
pub struct Group {
    guard: Option<(Child, Leash)>,
    /// Its leader where there is no guard.
    first: Option<Pid>,
}

impl Group {
    /// A group with a guard; where none can be started it is a group all the same.
    pub fn new() -> Group {
        Group { guard: guard(), first: None }
    }

    /// Has a command start in the group.
    pub fn admit(&self, command: &mut Command) {
        command.process_group(self.guard.as_ref().map_or(0, |(guard, _)| guard.id().cast_signed()));
    }

    /// Is told what was started.
    pub fn joined(&mut self, child: &Child) {
        self.first = Some(Pid::from_child(child));
    }

    /// Ends all that is in the group.
    pub fn end(&mut self) {
        if let Some(first) = self.first {
            let leader = self.guard.as_ref().map_or(first, |(guard, _)| Pid::from_child(guard));
            let _ = kill_process_group(leader, Signal::KILL);
        }
        self.let_go();
    }

    /// Leaves alone what is still running, because it means to stay, such as the server of a compiler cache.
    pub fn let_go(&mut self) {
        self.first = None;
        if let Some((mut guard, _leash)) = self.guard.take() {
            let _ = guard.kill();
            let _ = guard.wait();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

fn guard() -> Option<(Child, Leash)> {
    let mut command = shell(WATCH);
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut guard = command.spawn().ok()?;
    // Who is to join has to find the group; an emulator does not wait until the guard has made it.
    let pid = Pid::from_child(&guard);
    let _ = rustix::process::setpgid(Some(pid), Some(pid));
    match guard.stdin.take().and_then(|pipe| Leash::hold(pipe.into())) {
        Some(leash) => Some((guard, leash)),
        None => {
            let _ = guard.wait();
            None
        }
    }
}

const NONE: RawFd = -1;

/// Our ends of the guards' pipes. Whatever is forked inherits them, and could keep them open for longer than this process
/// lives, so they are closed there at once.
static PIPES: [AtomicI32; 64] = [const { AtomicI32::new(NONE) }; 64];

/// Our end of a guard's pipe. It stands in a table as long as it is open, and is closed by whoever takes it out.
struct Leash(&'static AtomicI32);

impl Leash {
    fn hold(pipe: OwnedFd) -> Option<Leash> {
        static FORKS: Once = Once::new();
        FORKS.call_once(|| {
            #[allow(unsafe_code)]
            // SAFETY: what is registered takes no lock and only closes files, which the child of a fork may do, and this
            // library stays loaded as long as the process lives.
            unsafe {
                libc::pthread_atfork(None, None, Some(close_all));
            }
        });
        let fd = pipe.as_raw_fd();
        let takes = |place: &&AtomicI32| place.compare_exchange(NONE, fd, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        let place = PIPES.iter().find(takes)?;
        let _ = pipe.into_raw_fd();
        Some(Leash(place))
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        close(self.0);
    }
}

extern "C" fn close_all() {
    PIPES.iter().for_each(close);
}

fn close(place: &AtomicI32) {
    let fd = place.swap(NONE, Ordering::AcqRel);
    if fd != NONE {
        #[allow(unsafe_code)]
        // SAFETY: the table owns its files, and this one was taken out of it.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}
