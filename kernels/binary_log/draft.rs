//! A log on its way to the disk, so that a name has either a whole log or what it had before.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{self, Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::format::{Entry, Fault, MAGIC, RECORD, RECORDS_AT, UNFINISHED, VERSION};

/// A log that is being written to a file of another name; dropped early, it leaves nothing.
pub struct Draft {
    file: BufWriter<File>,
    hidden: PathBuf,
    target: PathBuf,
    records: u64,
}

impl Draft {
    pub fn create(target: &Path, table: &[Entry]) -> Result<Self, Fault> {
        // Python may change the working directory before the log is finished.
        let target = place(&path::absolute(target)?)?;
        let (file, hidden) = create_beside(&target)?;
        let mut draft = Self {
            file: BufWriter::with_capacity(1 << 16, file),
            hidden,
            target,
            records: 0,
        };
        draft.file.write_all(&MAGIC)?;
        draft.file.write_all(&VERSION.to_le_bytes())?;
        draft.file.write_all(&(table.len() as u16).to_le_bytes())?;
        draft.file.write_all(&UNFINISHED.to_le_bytes())?;
        for entry in table {
            draft.file.write_all(&entry.encode())?;
        }
        Ok(draft)
    }

    /// Adds whole records.
    pub fn write(&mut self, records: &[u8]) -> Result<(), Fault> {
        self.file.write_all(records)?;
        self.records += (records.len() / RECORD) as u64;
        Ok(())
    }

    /// Makes it a log that readers accept, then gives it its name.
    pub fn finish(mut self) -> Result<(), Fault> {
        // The number of records comes last and behind all others, so that it is true when there.
        self.file.flush()?;
        let file = self.file.get_mut();
        file.sync_data()?;
        file.seek(SeekFrom::Start(RECORDS_AT as u64))?;
        file.write_all(&self.records.to_le_bytes())?;
        file.sync_all()?;
        // Hours may have passed, in which somebody put something else there.
        place(&self.target)?;
        fs::rename(&self.hidden, &self.target)?;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After `finish` it is gone already; where it cannot be removed, it still is no log.
        let _ = fs::remove_file(&self.hidden);
    }
}

/// Where the file of this name lies: a link stays, and what it points to is written.
///
/// A pipe or a device cannot be a log, whose header is written last, and is not replaced by one.
fn place(name: &Path) -> io::Result<PathBuf> {
    match fs::metadata(name) {
        Ok(there) if there.is_file() => fs::canonicalize(name),
        Ok(there) if there.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(_) => {
            let text = "not a regular file, which a log has to be";
            Err(io::Error::other(format!("{}: {text}", name.display())))
        }
        // There are no endless links here: those are another error.
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_link(name) {
            Ok(next) => place(&name.with_file_name("").join(next)),
            Err(_) => Ok(name.to_owned()),
        },
        Err(error) => Err(error),
    }
}

/// Makes a hidden file in the folder of the target, which a rename does not leave.
fn create_beside(target: &Path) -> io::Result<(File, PathBuf)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().ok_or(ErrorKind::IsADirectory)?;
    loop {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(
            ".{}-{}.part",
            process::id(),
            NUMBER.fetch_add(1, Relaxed)
        ));
        let hidden = target.with_file_name(hidden);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&hidden)
        {
            // Left by a killed process that had the same number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            result => return result.map(|file| (file, hidden)),
        }
    }
}
