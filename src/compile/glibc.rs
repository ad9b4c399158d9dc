//! Which glibc a library needs, read from the versions of the symbols that it asks for.

use std::path::Path;

use object::read::elf::ElfFile64;
use object::{Endianness, FileKind};

use crate::freshness::machine::{Glibc, parsed};

/// The newest version of glibc that a library's symbols ask for; `None` where it asks for none, or is no library of ELF.
pub fn needed(library: &Path) -> Option<Glibc> {
    newest(&std::fs::read(library).ok()?)
}

fn newest(bytes: &[u8]) -> Option<Glibc> {
    if !matches!(FileKind::parse(bytes), Ok(FileKind::Elf64)) {
        return None;
    }
    let file = ElfFile64::<Endianness>::parse(bytes).ok()?;
    let (endian, sections) = (file.endian(), file.elf_section_table());
    let (mut files, names) = sections.gnu_verneed(endian, bytes).ok()??;
    let strings = sections.strings(endian, bytes, names).ok()?;
    let mut found = None;
    while let Ok(Some((_, mut versions))) = files.next() {
        while let Ok(Some(version)) = versions.next() {
            let name = version.name(endian, strings).ok().and_then(|name| std::str::from_utf8(name).ok());
            found = found.max(name.and_then(|name| parsed(name.strip_prefix("GLIBC_")?)));
        }
    }
    found
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use crate::freshness::machine::has_glibc;

    #[test]
    fn a_program_of_this_machine_needs_a_glibc_that_it_has() {
        let found = needed(&std::env::current_exe().unwrap()).unwrap();
        assert!(found >= (2, 2) && has_glibc(found), "{found:?}");
    }

    #[test]
    fn what_is_no_library_needs_none() {
        assert_eq!(newest(b""), None);
        assert_eq!(newest(b"\x7fELF\x02\x01\x01"), None);
        assert_eq!(needed(Path::new("/nowhere")), None);
    }
}
