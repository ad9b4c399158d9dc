//! What PyO3 leaves in a library that was built with its feature `experimental-inspect`: descriptions of functions,
//! classes, members and modules in JSON, each behind a symbol of its own. pyo3-introspection reads the same, but makes
//! stubs of it that not every type checker takes, and knows nothing of members that no declarative module names.

use std::path::Path;

use object::read::ExportTarget;
use object::{File, Object, ObjectSection};

use crate::error::{Error, Result};

/// The name of such a symbol in the one form that there is so far. macOS puts an underscore before it.
const SYMBOL: &[u8] = b"PYO3_INTROSPECTION_1_";

/// The descriptions in a library; none where PyO3 is too old to leave any, or leaves them in another form.
pub fn descriptions(library: &Path) -> Result<Vec<String>> {
    let data = std::fs::read(library).map_err(|e| unreadable(library, &e))?;
    found(&data).map_err(|e| unreadable(library, &e))
}

fn unreadable(library: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::cache(format!("{}: what PyO3 says of the kernel cannot be read: {why}", library.display()))
}

fn found(data: &[u8]) -> std::result::Result<Vec<String>, Box<dyn std::error::Error>> {
    let file = File::parse(data)?;
    let mut texts = Vec::new();
    for export in file.exports()? {
        let export = export?;
        let name = export.name();
        let Some(name) = name.name() else { continue };
        if let ExportTarget::Address { address } = export.target()
            && name.strip_prefix(b"_").unwrap_or(name).starts_with(SYMBOL)
        {
            texts.extend(text_at(&file, address));
        }
    }
    Ok(texts)
}

/// The text at an address, behind its length.
fn text_at(file: &File<'_>, address: u64) -> Option<String> {
    let at =
        |address: u64, size: u64| file.sections().find_map(|section| section.data_range(address, size).ok().flatten());
    let length: [u8; 4] = at(address, 4)?.try_into().ok()?;
    let length = if file.is_little_endian() { u32::from_le_bytes(length) } else { u32::from_be_bytes(length) };
    String::from_utf8(at(address + 4, length.into())?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_descriptions_has_none_and_a_text_cannot_be_read() {
        assert_eq!(descriptions(&std::env::current_exe().unwrap()).unwrap(), Vec::<String>::new());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("k.so");
        std::fs::write(&file, "text").unwrap();
        assert!(descriptions(&file).unwrap_err().message.contains("k.so: what PyO3 says"));
    }
}
