//! Builds that never end by themselves, for what a build script or cargo itself does: each is told apart from one that only
//! takes long, and the user is told of it. Looking costs microseconds, and only while a build runs.

use std::process::Child;

use crate::error::Error;

/// Watches a started process.
pub struct Watch {
    #[cfg(unix)]
    process: rustix::process::Pid,
    #[cfg(target_os = "linux")]
    linux: linux::Cargo,
}

impl Watch {
    /// Watches this process.
    pub fn of(child: &Child) -> Watch {
        let _ = child;
        Watch {
            #[cfg(unix)]
            process: rustix::process::Pid::from_child(child),
            #[cfg(target_os = "linux")]
            linux: linux::Cargo::of(child.id()),
        }
    }

    /// Says why it will never end, if that is so.
    pub fn look(&mut self) -> Option<Error> {
        #[cfg(unix)]
        if asks(self.process) {
            return Some(
                Error::toolchain("cargo or what it has started asks for something on the terminal, where nobody can answer")
                    .hint("run `cargo fetch` once where you can, or let git and ssh get at their keys and passwords without asking"),
            );
        }
        #[cfg(target_os = "linux")]
        return self.linux.look();
        #[cfg(not(target_os = "linux"))]
        None
    }
}

/// A terminal stops whoever reads from it in the background, or changes how it shows what is typed.
#[cfg(unix)]
fn asks(process: rustix::process::Pid) -> bool {
    use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
    let how = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let stopped = waitid(WaitId::Pid(process), how).ok().flatten().and_then(|status| status.stopping_signal());
    [Signal::TTIN, Signal::TTOU].iter().any(|signal| stopped == Some(signal.as_raw()))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use crate::error::{Error, Kind};

    /// Cargo keeps all that build scripts print until they end. It needs a tenth of this for itself.
    const MOST_MEMORY: u64 = 1 << 30;
    /// How often it is looked whether a build script has left somebody behind, and how long cargo has to wait for him.
    const PAUSE: Duration = Duration::from_secs(2);
    const PATIENCE: Duration = Duration::from_secs(10);

    /// A process that may be cargo. Only of cargo it is known what is usual.
    pub(super) struct Cargo {
        process: u32,
        looked: Instant,
        /// A child of it that has ended, and since when it waits for being noticed.
        ended: Option<(u32, Instant)>,
    }

    impl Cargo {
        pub(super) fn of(process: u32) -> Cargo {
            Cargo { process, looked: Instant::now(), ended: None }
        }

        pub(super) fn look(&mut self) -> Option<Error> {
            let cargo = Process::read(self.process).filter(|process| process.name == "cargo")?;
            if cargo.pages * rustix::param::page_size() as u64 > MOST_MEMORY {
                let what =
                    "a build script or a macro prints without end: cargo, which keeps it, has taken more than 1 GiB";
                return Some(Error::new(Kind::Compile, what));
            }
            if self.looked.elapsed() < PAUSE {
                return None;
            }
            self.looked = Instant::now();
            self.left_behind()
        }

        /// Cargo waits until nobody has a build script's output open any more, be the script itself gone or not.
        fn left_behind(&mut self) -> Option<Error> {
            let all: Vec<Process> = Process::all();
            let ended = all.iter().find(|process| process.parent == self.process && process.state == 'Z')?;
            let since = self.ended.filter(|(known, _)| *known == ended.number).map_or(self.looked, |(_, since)| since);
            self.ended = Some((ended.number, since));
            if since.elapsed() < PATIENCE {
                return None;
            }
            let pipes: HashSet<PathBuf> = fs::read_dir(format!("/proc/{}/fd", self.process))
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|file| pipe(&file.path()))
                .collect();
            let has_one = |process: &&Process| {
                let output = |number| pipe(Path::new(&format!("/proc/{}/fd/{number}", process.number)));
                [1, 2].into_iter().any(|number| output(number).is_some_and(|pipe| pipes.contains(&pipe)))
            };
            let stranger = |process: &&Process| process.number != self.process && !self.started(process.parent, &all);
            let Process { name, number, .. } = all.iter().filter(stranger).find(has_one)?;
            let what = format!(
                "a build script has ended, but not `{name}` (process {number}), which it has started: cargo waits until \
                 that closes the script's output"
            );
            let hint = "in the build script, give such a process Stdio::null() for stdout and stderr, or wait for it";
            Some(Error::new(Kind::Compile, what).hint(hint))
        }

        /// Is this process cargo, or did cargo start it, or somebody whom cargo started?
        fn started(&self, number: u32, all: &[Process]) -> bool {
            let above = |number: u32| all.iter().find(|process| process.number == number).map(|process| process.parent);
            std::iter::successors(Some(number), |number| above(*number)).any(|number| number == self.process)
        }
    }

    fn pipe(file: &Path) -> Option<PathBuf> {
        fs::read_link(file).ok().filter(|target| target.as_os_str().as_encoded_bytes().starts_with(b"pipe:"))
    }

    /// What the system tells of a process.
    struct Process {
        number: u32,
        name: String,
        state: char,
        parent: u32,
        /// Its memory, in pages.
        pages: u64,
    }

    impl Process {
        fn read(number: u32) -> Option<Process> {
            // `123 (name) S 1 ...`, where the name may have blanks and parentheses itself.
            let text = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
            let (before, after) = text.rsplit_once(") ")?;
            let mut fields = after.split(' ');
            Some(Process {
                number,
                name: before.split_once(" (")?.1.to_owned(),
                state: fields.next()?.chars().next()?,
                parent: fields.next()?.parse().ok()?,
                pages: fields.nth(19)?.parse().ok()?,
            })
        }

        fn all() -> Vec<Process> {
            let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
            numbers.filter_map(|entry| Process::read(entry.file_name().to_str()?.parse().ok()?)).collect()
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_the_system_tells_of_this_process_is_read() {
            let own = Process::read(std::process::id()).unwrap();
            assert_eq!((own.number, own.parent), (std::process::id(), std::os::unix::process::parent_id()));
            assert!(own.pages > 100 && own.pages < 1 << 24 && "RS".contains(own.state), "{}", own.pages);
            assert!(Process::all().iter().any(|process| process.number == own.number));
        }
    }
}
