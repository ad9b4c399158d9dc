//! Whose files may decide what an import runs.
//!
//! Settings and cargo's configuration name linkers, wrappers and compilers. They are looked for in all folders above a
//! kernel, and in some of these anybody can leave a file. Whoever may replace the kernel itself decides what its import
//! runs in any case. Besides them only the user and root do.

use std::fs::{self, Metadata};
use std::path::Path;

#[cfg(unix)]
use crate::config::access::{Access, ENTER, Named, WRITE};

/// Why a file decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objection {
    /// It belongs to somebody else.
    Foreign,
    /// Everybody can write to it.
    Open,
    /// Its access list lets somebody write to it who may not replace the kernel.
    Listed,
    /// It is a second name of a file, in a folder in which anybody may have given it that.
    Linked,
}

impl Objection {
    /// What is wrong with the file.
    pub fn words(self) -> &'static str {
        match self {
            Objection::Foreign => "belongs to another user",
            Objection::Open => "can be written to by everybody",
            Objection::Listed => "can be written to by others, whom its access list names",
            Objection::Linked => "is a hard link in a folder that everybody can write to",
        }
    }
}

/// Who may decide about the kernels of a folder.
pub struct Trust<'a> {
    folder: &'a Path,
    #[cfg_attr(not(unix), expect(dead_code))]
    kernel: Option<&'a Path>,
}

impl<'a> Trust<'a> {
    /// Who may decide about a kernel in this folder. Where the kernel lies elsewhere, as a notebook's cell does, or there is
    /// none, the folder stands for it: Python itself takes modules from there.
    pub fn of(folder: &'a Path, kernel: Option<&'a Path>) -> Trust<'a> {
        Trust { folder, kernel: kernel.filter(|kernel| kernel.starts_with(folder)) }
    }

    /// Why a file or folder does not decide anything; nothing where it does, or is not there.
    pub fn objection(&self, path: &Path) -> Option<Objection> {
        self.objection_to(path, &fs::symlink_metadata(path).ok()?)
    }
}

#[cfg(unix)]
impl Trust<'_> {
    /// The same for what was looked at already, without following a link.
    pub fn objection_to(&self, path: &Path, found: &Metadata) -> Option<Objection> {
        use std::os::unix::fs::MetadataExt;
        if !self.is_owner(found) && !self.is_team(path, found) {
            return Some(Objection::Foreign);
        }
        if found.is_symlink() {
            let target = fs::canonicalize(path).ok()?;
            return self.objection(&target);
        }
        if found.mode() & EVERYBODY != 0 && !self.is_open() {
            return Some(Objection::Open);
        }
        if self.is_listed(path, found) {
            return Some(Objection::Listed);
        }
        let linked = found.is_file() && found.nlink() > 1;
        (linked && path.parent().is_some_and(|folder| self.is_writable(folder))).then_some(Objection::Linked)
    }

    /// Can somebody who decides nothing put a file into this folder or one above it?
    pub fn is_exposed(&self, folder: &Path) -> bool {
        !self.is_open() && folder.ancestors().any(|folder| self.is_writable(folder))
    }

    /// Whoever owns the root of all folders decides everything; in a container that may seem to be nobody.
    fn is_writable(&self, folder: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let foreign = |found: &Metadata| folder.parent().is_some() && !self.is_owner(found);
        fs::metadata(folder)
            .is_ok_and(|found| found.mode() & EVERYBODY != 0 || foreign(&found) || self.is_listed(folder, &found))
    }

    /// Does an access list let anybody write here who decides nothing?
    fn is_listed(&self, path: &Path, found: &Metadata) -> bool {
        Access::of(path, found).writers().any(|who| !self.may_replace(who)) && !self.is_open()
    }

    /// Root, the user and the kernel's owner decide anyway. Others whom a list names do if they can come as far as the
    /// kernel, and write there.
    fn may_replace(&self, who: Named) -> bool {
        let lets = |path: &Path, what| fs::metadata(path).is_ok_and(|found| Access::of(path, &found).lets(who, what));
        matches!(who, Named::User(number) if self.decides(number))
            || [Some(self.folder), self.kernel].into_iter().flatten().any(|path| lets(path, WRITE))
                && self.folder.ancestors().all(|folder| lets(folder, ENTER))
    }

    /// Is it the user's, root's, or of the one whose code is about to run?
    fn is_owner(&self, found: &Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;
        self.decides(found.uid())
    }

    fn decides(&self, user: u32) -> bool {
        use std::os::unix::fs::MetadataExt;
        [ROOT, rustix::process::geteuid().as_raw()].contains(&user)
            || self.subject().is_some_and(|kernel| kernel.uid() == user)
    }

    /// Was a file put there by a group whose members may replace the kernel, and all between it and them?
    fn is_team(&self, path: &Path, found: &Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;
        let group = found.gid();
        let shared = |folder: &Path| {
            fs::metadata(folder).is_ok_and(|found| {
                let allowed = Access::of(folder, &found).group;
                found.gid() == group && allowed & GROUP == GROUP && found.mode() & (EVERYBODY | STICKY) == 0
            })
        };
        let Some(above) = path.ancestors().skip(1).find(|above| self.folder.starts_with(above)) else { return false };
        found.mode() & EVERYBODY == 0
            && path.ancestors().skip(1).take_while(|folder| folder.starts_with(above)).all(shared)
            && self.folder.ancestors().take_while(|folder| *folder != above).all(shared)
    }

    /// May everybody replace the kernel? On a file system without owners everybody may do everything.
    fn is_open(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let open = |found: Metadata| found.mode() & EVERYBODY != 0 && (found.is_file() || found.mode() & STICKY == 0);
        let reached = |folder: &Path| fs::metadata(folder).is_ok_and(|found| found.mode() & ENTERED != 0);
        [Some(self.folder), self.kernel].into_iter().flatten().any(|path| fs::metadata(path).is_ok_and(open))
            && self.folder.ancestors().all(reached)
    }

    fn subject(&self) -> Option<Metadata> {
        fs::metadata(self.kernel.unwrap_or(self.folder)).ok()
    }
}

#[cfg(unix)]
const ROOT: u32 = 0;
/// The bit of a mode that lets everybody write.
#[cfg(unix)]
const EVERYBODY: u32 = 0o002;
/// The one that lets everybody enter a folder.
#[cfg(unix)]
const ENTERED: u32 = 0o001;
/// What a group needs in a folder to replace what is there.
#[cfg(unix)]
const GROUP: u32 = WRITE | ENTER;
/// The bit that keeps everybody from removing the files of others.
#[cfg(unix)]
const STICKY: u32 = 0o1000;

/// On Windows access lists decide, which are not looked at.
#[cfg(not(unix))]
impl Trust<'_> {
    /// The same for what was looked at already.
    pub fn objection_to(&self, _: &Path, _: &Metadata) -> Option<Objection> {
        None
    }

    /// Can somebody who decides nothing put a file into this folder or one above it?
    pub fn is_exposed(&self, _: &Path) -> bool {
        let _ = self.folder;
        false
    }
}
