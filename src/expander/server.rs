//! The thread that expands macros for the compilers of one build.
//!
//! Compilers find it by a socket in the folder of the build, which only the user can get at. It answers as long as it is
//! held. What one compiler asks is expanded in a thread of its own, in which a panic of PyO3's is a refusal.

use std::path::{Path, PathBuf};

/// Names the folder of the socket to those that are started for the build.
pub const VARIABLE: &str = "RSIMPORT_EXPANDER";

/// The name of the socket. It stays when the expander goes, and while it is there, there can be no other.
pub const SOCKET: &str = "expander";

/// An expander that is there.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
}

impl Server {
    /// The folder of the socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

#[cfg(target_os = "linux")]
mod socket {
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::{Path, PathBuf};
    use std::thread;

    use super::{SOCKET, Server};
    use crate::expander::expand::answer;

    /// More than this no compiler asks.
    const LARGEST: usize = 64 << 20;
    /// What code of the depth that is looked at needs in an engine that was not optimised, several times over.
    const STACK: usize = 32 << 20;

    impl Server {
        /// Waits for compilers in a folder of the build's; nothing where there can be no socket or no thread.
        pub fn start(folder: &Path) -> Option<Server> {
            let listener = with_name(folder, UnixListener::bind).ok()?;
            let server = Server { folder: folder.to_path_buf() };
            thread::Builder::new().name("rsimport-expander".to_owned()).spawn(move || serve(&listener)).ok()?;
            Some(server)
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            // Who comes and asks for nothing ends it.
            let _ = with_name(&self.folder, |name| UnixStream::connect(name)?.write_all(&[0; 4]));
        }
    }

    /// The name of a socket may have no more than 107 bytes, and that of a folder may have many.
    fn with_name<T>(folder: &Path, work: impl FnOnce(PathBuf) -> io::Result<T>) -> io::Result<T> {
        let folder = File::open(folder)?;
        work(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()).into())
    }

    fn serve(listener: &UnixListener) {
        while let Ok((mut compiler, _)) = listener.accept() {
            let first = match question(&mut compiler) {
                Ok(Some(first)) => first,
                Ok(None) => return,
                // A compiler that has been ended meanwhile.
                Err(_) => continue,
            };
            let work = move || {
                let mut next = Some(first);
                while let Some(bytes) = next {
                    let answer = answer(&bytes);
                    let sent = compiler.write_all(&(answer.len() as u32).to_le_bytes());
                    if sent.and_then(|()| compiler.write_all(&answer)).is_err() {
                        return;
                    }
                    next = question(&mut compiler).unwrap_or_default();
                }
            };
            // A compiler that gets no answer reads the end of the stream.
            let _ = thread::Builder::new().name("rsimport-macros".to_owned()).stack_size(STACK).spawn(work);
        }
    }

    /// The next question; nothing where there is none any more.
    fn question(compiler: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        compiler.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length == 0 || length > LARGEST {
            return Ok(None);
        }
        let mut bytes = vec![0; length];
        compiler.read_exact(&mut bytes)?;
        Ok(Some(bytes))
    }
}

#[cfg(not(target_os = "linux"))]
impl Server {
    /// Elsewhere there is none yet.
    pub fn start(_: &Path) -> Option<Server> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::expander::tokens::tests::sent;

    #[test]
    fn it_answers_many_compilers_below_a_long_path_and_ends_when_it_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("long".repeat(40));
        std::fs::create_dir(&folder).unwrap();
        let handle = File::open(&folder).unwrap();
        let connect = || UnixStream::connect(format!("/proc/self/fd/{}/expander", handle.as_raw_fd()));
        let server = Server::start(&folder).unwrap();
        // One that goes away at once ends nothing.
        drop(connect().unwrap());
        let mut compilers = [connect().unwrap(), connect().unwrap()];
        let question = sent(b'f', "", "fn f() {}".parse().unwrap());
        for compiler in &mut compilers {
            for _ in 0..2 {
                compiler.write_all(&(question.len() as u32).to_le_bytes()).unwrap();
                compiler.write_all(&question).unwrap();
                let mut length = [0; 4];
                compiler.read_exact(&mut length).unwrap();
                let mut answer = vec![0; u32::from_le_bytes(length) as usize];
                compiler.read_exact(&mut answer).unwrap();
                assert!(!answer.is_empty());
            }
        }
        drop(server);
        // The thread has its last connection behind it, and the socket goes with the thread.
        while connect().is_ok_and(|mut late| late.write_all(&[0; 4]).is_ok() && late.read(&mut [0; 4]).is_ok()) {
            std::thread::yield_now();
        }
        // Whoever tries another way to build has the same folder.
        assert!(Server::start(&folder).is_none());
        std::fs::remove_file(folder.join(SOCKET)).unwrap();
        assert!(Server::start(&folder).is_some());
    }
}
