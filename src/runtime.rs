//! Rust's standard library as a shared one, for builds that are made fast.
//!
//! Linking it into every edit is a tenth of an edit's time. A copy of it stays in the cache, so that what is cached loads
//! without a toolchain, and after the toolchain was replaced.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::{Cache, Staging};
use crate::digest::{Stamp, checksum, stamp};

/// The folder of the layout.
const FOLDER: &str = "runtime";
/// It is looked for beside the folders of a published build and of one that is being verified, wherever the cache is.
const FLAGS: [&str; 3] =
    ["-Cprefer-dynamic", "-Clink-arg=-rpath=$ORIGIN/../../../runtime", "-Clink-arg=-rpath=$ORIGIN/../../runtime"];

/// The copy in the cache, as it was when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Its file name, which has the compiler's hash in it.
    name: String,
    checksum: (u64, String),
    stamp: Option<Stamp>,
}

impl Runtime {
    /// Copies the library out of the compiler's folder of libraries.
    pub fn provide(cache: &Cache, staging: &Staging, libraries: &Path) -> Option<Runtime> {
        let names = std::fs::read_dir(libraries).ok()?.flatten().filter_map(|file| file.file_name().into_string().ok());
        let mut names = names.filter(|name| name.starts_with("libstd-") && name.ends_with(".so"));
        let (name, None) = (names.next()?, names.next()) else { return None };
        let (copy, place) = (staging.path().join(&name), folder(cache).join(&name));
        cache.copy_file(&libraries.join(&name), &copy).ok()?;
        let checksum = checksum(&copy).ok()?;
        cache.remove_empty(&place);
        cache.move_file(&copy, &place).ok()?;
        Some(Runtime { name, checksum, stamp: stamp(&place) })
    }

    /// The flags for a rustc that links a kernel with its own linker.
    pub fn flags() -> [&'static str; 3] {
        FLAGS
    }

    /// Is the copy what it was? The error says what is damaged.
    pub fn check(&self, cache: &Cache) -> Result<(), String> {
        let place = folder(cache).join(&self.name);
        if self.stamp.is_some() && stamp(&place) == self.stamp {
            return Ok(());
        }
        match checksum(&place) {
            Ok(sum) if sum == self.checksum => Ok(()),
            Ok(_) => Err(format!("the content of {} is not what was written", self.name)),
            Err(e) => Err(format!("{} cannot be read: {e}", self.name)),
        }
    }
}

fn folder(cache: &Cache) -> PathBuf {
    cache.layout().join(FOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_copy_is_what_it_was_until_somebody_touches_it() {
        let root = tempfile::tempdir().unwrap();
        let cache_dir = root.path().join("c").to_string_lossy().into_owned();
        let cache = Cache::open(&Settings { cache_dir, ..Settings::default() }).unwrap();
        cache.prepare().unwrap();
        let staging = cache.staging().unwrap();
        assert_eq!(Runtime::provide(&cache, &staging, root.path()), None);
        std::fs::write(root.path().join("libstd-1.so"), "content").unwrap();
        let runtime = Runtime::provide(&cache, &staging, root.path()).unwrap();
        let copy = folder(&cache).join("libstd-1.so");
        let check = |expected: Result<(), &str>| assert_eq!(runtime.check(&cache), expected.map_err(str::to_owned));
        check(Ok(()));
        std::fs::write(&copy, "content").unwrap();
        check(Ok(()));
        std::fs::write(&copy, "another").unwrap();
        check(Err("the content of libstd-1.so is not what was written"));
        std::fs::remove_file(&copy).unwrap();
        assert!(runtime.check(&cache).unwrap_err().starts_with("libstd-1.so cannot be read: "));
        std::fs::write(root.path().join("libstd-2.so"), "").unwrap();
        assert_eq!(Runtime::provide(&cache, &staging, root.path()), None, "which of two it is cannot be told");
    }
}
