//! A linker that is started with the compiler, and has loaded itself by the time that it is needed.
//!
//! A third of what LLVM's linker takes for a small kernel is its start. So it is started beside the compiler, and waits for
//! its arguments, which it reads from a named pipe. What the compiler starts as a linker is a script that writes them down,
//! and waits for its end. Where that is not a success, the script starts the linker as the compiler would have: then what
//! the linker says is said to the compiler.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use crate::cache::layout::Cache;
use crate::rustc::group::Group;

/// What the compiler starts. Warnings are errors to the linker that waits, since nobody would hear them. A quotation mark or
/// a backslash would be read as something else.
const SCRIPT: &str = r#"#!/bin/sh
case "$*" in *[\"\\]*) exec "$RSIMPORT_LINKER_PROGRAM" "$@" ;; esac
first=$1 second=$2
shift 2
if [ "$first $second" = "-flavor gnu" ] && printf '"%s"\n' "$@" --fatal-warnings > "$RSIMPORT_LINKER/list" &&
    echo > "$RSIMPORT_LINKER/asked" && read -r status < "$RSIMPORT_LINKER/status" && [ "$status" = 0 ]; then
    exit 0
fi
exec "$RSIMPORT_LINKER_PROGRAM" "$first" "$second" "$@"
"#;
/// What a linker needs besides, which others make: whether it is there, once that is known.
pub type Awaited = Arc<OnceLock<bool>>;

/// A linker that waits, and ends where it is not asked.
pub struct Ahead {
    folder: PathBuf,
    program: PathBuf,
    script: PathBuf,
    asked: File,
    /// What is written into a pipe that nobody has open is lost, and the script would wait for it for ever.
    _status: File,
}

impl Ahead {
    /// Starts a linker, to be asked by a compiler in the same group; nothing where that cannot be. The command has no
    /// arguments yet.
    pub fn start(
        command: Command,
        cache: &Cache,
        staging: &Path,
        group: &Group,
        awaited: Option<Awaited>,
    ) -> Option<Ahead> {
        let (program, folder) = (PathBuf::from(command.get_program()), staging.join("linker"));
        let script = cache.write_script("linker", SCRIPT).ok()?;
        cache.empty(&folder).ok()?;
        let (asked, _status) = serving::start(command, &folder, group, awaited)?;
        Some(Ahead { folder, program, script, asked, _status })
    }

    /// The flag with which a compiler asks this linker.
    pub fn flag(&self) -> String {
        format!("-Clinker={}", self.script.display())
    }

    /// Tells a compiler where this linker is.
    pub fn tell(&self, command: &mut Command) {
        command.env("RSIMPORT_LINKER", &self.folder).env("RSIMPORT_LINKER_PROGRAM", &self.program);
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        serving::end(&self.folder);
        let _ = self.asked.write_all(b"-");
    }
}

#[cfg(target_os = "linux")]
mod serving {
    use std::fs::File;
    use std::io::{ErrorKind, Read, Write};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::thread;
    use std::time::Duration;

    use super::Awaited;
    use crate::cache::pipe;
    use crate::rustc::group::Group;

    /// The pipe in which a linker is asked, and that in which it answers.
    const ASKED: &str = "asked";
    const STATUS: &str = "status";
    /// How long a linker that does not read yet is given until it is asked again.
    const MOMENT: Duration = Duration::from_micros(500);

    /// Starts a linker that has its pipes in a folder. Returns that in which it is asked, and that in which it answers.
    pub fn start(mut command: Command, folder: &Path, group: &Group, awaited: Option<Awaited>) -> Option<(File, File)> {
        let (asked, status) = (pipe::held(&folder.join(ASKED)).ok()?, pipe::held(&folder.join(STATUS)).ok()?);
        let (arguments, list) = (folder.join("arguments"), folder.join("list"));
        pipe::make(&arguments).ok()?;
        command.args(["-flavor", "gnu"]).arg(format!("@{}", arguments.display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        group.admit(&mut command);
        let (questions, held) = (asked.try_clone().ok()?, status.try_clone().ok()?);
        let mut linker = Linker(command.spawn().ok()?);
        let serve = move || linker.serve(questions, status, &arguments, &list, awaited);
        thread::Builder::new().name("rsimport-linker".to_owned()).spawn(serve).ok()?;
        Some((asked, held))
    }

    /// Has a script that comes too late find nobody to ask, so that it links by itself. Its compiler may have been killed.
    pub fn end(folder: &Path) {
        [ASKED, STATUS].iter().for_each(|name| pipe::remove(&folder.join(name)));
    }

    /// A linker's process, which ends with its owner's interest.
    struct Linker(Child);

    impl Linker {
        /// Waits until it is asked or given up.
        fn serve(
            &mut self,
            mut questions: File,
            mut status: File,
            arguments: &Path,
            list: &Path,
            awaited: Option<Awaited>,
        ) {
            let mut question = [0];
            if questions.read_exact(&mut question).is_err() || question != *b"\n" {
                return;
            }
            if !awaited.is_none_or(|awaited| *awaited.wait()) {
                let _ = status.write_all(b"1\n");
                return;
            }
            while let Err(error) = pipe::fill(arguments, list) {
                if error.kind() != ErrorKind::NotConnected || !matches!(self.0.try_wait(), Ok(None)) {
                    // It would wait for what does not come.
                    let _ = self.0.kill();
                    break;
                }
                thread::sleep(MOMENT);
            }
            let succeeded = self.0.wait().is_ok_and(|status| status.success());
            let _ = status.write_all(if succeeded { b"0\n" } else { b"1\n" });
        }
    }

    impl Drop for Linker {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod serving {
    use std::fs::File;
    use std::path::Path;
    use std::process::Command;

    use super::Awaited;
    use crate::rustc::group::Group;

    /// Nothing was started.
    pub fn end(_: &Path) {}

    /// Elsewhere there is none yet.
    pub fn start(_: Command, _: &Path, _: &Group, _: Option<Awaited>) -> Option<(File, File)> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::fs::OFlags;

    use super::*;
    use crate::config::settings::Settings;

    #[test]
    fn a_linker_that_waits_links_and_one_that_fails_is_started_again() {
        let root = tempfile::tempdir().unwrap();
        let settings = Settings { cache_dir: root.path().to_string_lossy().into_owned(), ..Settings::default() };
        let cache = Cache::open(&settings).unwrap();
        cache.prepare().unwrap();
        // As the real one, it reads its arguments twice.
        let text = r#"#!/bin/sh
            echo start >> "$0.log"
            case "$3" in @*) cat "${3#@}" > "$0.first"; cat "${3#@}" > "$0.got"; grep -q good "$0.got"; exit ;; esac
            echo "plain $*" >> "$0.log"
        "#;
        let program = cache.write_script("fake", text).unwrap();
        let log = || std::fs::read_to_string(root.path().join("v1/fake.log")).unwrap();
        let group = Group::new();
        #[allow(clippy::disallowed_methods)]
        let command = |program: &Path| Command::new(program);
        let linked = |arguments: &[&str]| {
            let staging = cache.staging().unwrap();
            let ahead = Ahead::start(command(&program), &cache, staging.path(), &group, None).unwrap();
            let mut script = command(Path::new(ahead.flag().strip_prefix("-Clinker=").unwrap()));
            ahead.tell(&mut script);
            assert!(script.args(["-flavor", "gnu"]).args(arguments).status().unwrap().success());
        };
        linked(&["good", "a b", "$c"]);
        let expected = "\"good\"\n\"a b\"\n\"$c\"\n\"--fatal-warnings\"\n";
        for name in ["v1/fake.first", "v1/fake.got"] {
            assert_eq!(std::fs::read_to_string(root.path().join(name)).unwrap(), expected);
        }
        assert_eq!(log(), "start\n");
        linked(&["bad"]);
        assert_eq!(log(), "start\nstart\nstart\nplain -flavor gnu bad\n");
        linked(&["good", "\""]);
        // The one that waited in vain may have come as far as its first line by now.
        assert!(log().contains("plain -flavor gnu good \"\n"), "{}", log());
    }

    #[test]
    fn a_linker_that_is_not_asked_ends() {
        let root = tempfile::tempdir().unwrap();
        let settings = Settings { cache_dir: root.path().to_string_lossy().into_owned(), ..Settings::default() };
        let cache = Cache::open(&settings).unwrap();
        cache.prepare().unwrap();
        let program = cache.write_script("fake", "#!/bin/sh\necho $$ > \"$0.id\"\ncat \"${3#@}\"\n").unwrap();
        let (staging, group) = (cache.staging().unwrap(), Group::new());
        #[allow(clippy::disallowed_methods)]
        let command = |program: &Path| Command::new(program);
        let ahead = Ahead::start(command(&program), &cache, staging.path(), &group, None).unwrap();
        let id = || std::fs::read_to_string(root.path().join("v1/fake.id")).unwrap_or_default().trim().to_owned();
        let until = |done: &dyn Fn() -> bool| {
            (0..1000).any(|_| {
                done() || {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                    false
                }
            })
        };
        assert!(until(&|| !id().is_empty()));
        let mut script = command(Path::new(ahead.flag().strip_prefix("-Clinker=").unwrap()));
        ahead.tell(&mut script);
        drop(ahead);
        assert!(until(&|| !Path::new("/proc").join(id()).exists()));
        // A script whose compiler was killed comes too late.
        let mut late = script.args(["-flavor", "gnu", "/dev/null"]).spawn().unwrap();
        let ended = until(&|| !Path::new("/proc").join(late.id().to_string()).join("exe").exists());
        late.kill().unwrap();
        late.wait().unwrap();
        assert!(ended);
    }

    #[test]
    fn a_linker_that_has_ended_before_its_script_listens_is_heard_all_the_same() {
        use std::io::Read;
        use std::os::unix::fs::OpenOptionsExt;
        let root = tempfile::tempdir().unwrap();
        let settings = Settings { cache_dir: root.path().to_string_lossy().into_owned(), ..Settings::default() };
        let cache = Cache::open(&settings).unwrap();
        cache.prepare().unwrap();
        let program = cache.write_script("fake", "#!/bin/sh\ncat \"${3#@}\" > \"$0.got\"\n").unwrap();
        let (staging, group) = (cache.staging().unwrap(), Group::new());
        #[allow(clippy::disallowed_methods)]
        let mut ahead = Ahead::start(Command::new(program), &cache, staging.path(), &group, None).unwrap();
        cache.write(&ahead.folder.join("list"), b"good").unwrap();
        ahead.asked.write_all(b"\n").unwrap();
        let got = || std::fs::read(root.path().join("v1/fake.got")).unwrap_or_default();
        for _ in 0..3000 {
            if got() == b"good" {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        let mut late = File::options()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(ahead.folder.join("status"))
            .unwrap();
        let mut answer = [0; 2];
        late.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"0\n");
    }
}
