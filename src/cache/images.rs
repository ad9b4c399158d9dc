//! Copies of published libraries that one process loads beside the library itself.
//!
//! A library is mapped once, whatever opens it how often, with its statics and classes. Whoever is to find them as they
//! were at first gets a copy. The copies lie in a folder like that of a build until the process ends: debuggers, and a
//! panic that shows its backtrace, read them later.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fs, io};

use crate::cache::layout::Cache;
use crate::cache::staging::Staging;
use crate::error::{Error, Result};

/// The copies of this process. It is locked while Python's own lock is held, so that nobody forks meanwhile.
static IMAGES: Mutex<Option<Images>> = Mutex::new(None);

struct Images {
    /// The process that made the folder; a child makes one of its own.
    process: u32,
    folder: Staging,
    count: usize,
}

/// Copies a published library for one load, to a path from which this process has not loaded anything.
pub fn image(library: &Path) -> Result<PathBuf> {
    let mut images = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    let mut current = match images.take() {
        Some(mine) if mine.process == process => mine,
        parents => {
            // The folder of a parent is the parent's to remove.
            std::mem::forget(parents);
            Images { process, folder: folder_for(library).map_err(|e| uncopied(library, &e))?, count: 0 }
        }
    };
    current.count += 1;
    let folder = current.folder.path().join(current.count.to_string());
    let copy = folder.join(library.file_name().unwrap_or_default());
    let copied = fs::create_dir_all(&folder).and_then(|()| fs::copy(library, &copy));
    *images = Some(current);
    copied.map(|_| copy).map_err(|e| uncopied(library, &e))
}

/// Removes the copies, where that is possible while they are loaded; otherwise a later build does.
pub fn discard_images() {
    let mut images = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
    if images.as_ref().is_some_and(|images| images.process == std::process::id()) {
        *images = None;
    }
}

fn folder_for(library: &Path) -> io::Result<Staging> {
    Cache::of(library).and_then(|cache| cache.staging().ok()).map_or_else(Staging::elsewhere, Ok)
}

fn uncopied(library: &Path, error: &io::Error) -> Error {
    Error::cache(format!("{} cannot be copied, so that it is loaded anew: {error}", library.display()))
        .hint("a new process needs no copy")
}
