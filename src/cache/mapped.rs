//! What running processes have mapped. Elsewhere than on Linux nobody says so: Windows refuses to remove a library that is
//! loaded, and on other systems a process that has loaded one keeps it although it is removed.

use std::path::{Path, PathBuf};

/// The files below a folder that processes have mapped, relative to the folder; only processes that may be looked at.
#[cfg(target_os = "linux")]
pub fn mapped(folder: &Path) -> Vec<PathBuf> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let Ok(real) = folder.canonicalize() else { return Vec::new() };
    let below = memchr::memmem::Finder::new(real.as_os_str().as_bytes());
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if !process.file_name().as_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let Ok(maps) = std::fs::read(process.path().join("maps")) else { continue };
        for line in maps.split(|byte| *byte == b'\n') {
            let Some(path) = below.find(line).map(|at| &line[at..]) else { continue };
            let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
            found.extend(Path::new(OsStr::from_bytes(path)).strip_prefix(&real).map(Path::to_path_buf));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Nobody tells.
#[cfg(not(target_os = "linux"))]
pub fn mapped(_: &Path) -> Vec<PathBuf> {
    Vec::new()
}
