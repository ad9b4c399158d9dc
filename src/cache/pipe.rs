//! Named pipes in the folder of a build.

use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, fcntl_getfl, fcntl_setfl, mkfifoat, open};
use rustix::io::Errno;

/// Makes a pipe.
pub fn make(path: &Path) -> Result<()> {
    Ok(mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?)
}

/// Makes a pipe and opens both of its ends, so that nobody who opens one has to wait for the other.
pub fn held(path: &Path) -> Result<File> {
    make(path)?;
    Ok(open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?.into())
}

/// Takes a pipe away before its ends are closed: whoever would open it from then on would wait for ever.
pub fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// Gives a file's content to whoever has opened the pipe for reading, and puts the file in the pipe's place for who opens it
/// once more. Fails where nobody reads.
pub fn fill(pipe: &Path, file: &Path) -> Result<()> {
    let content = std::fs::read(file)?;
    let end = open(pipe, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    let end = end.map_err(|e| if e == Errno::NXIO { ErrorKind::NotConnected.into() } else { Error::from(e) })?;
    std::fs::rename(file, pipe)?;
    fcntl_setfl(&end, fcntl_getfl(&end)? - OFlags::NONBLOCK)?;
    File::from(end).write_all(&content)
}
