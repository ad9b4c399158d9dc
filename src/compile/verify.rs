//! The check before an artifact is published: it is a library, and it exports the module. What else it exports is found
//! out on this occasion.
//!
//! The library is read and not opened: opening it would run its constructors in a process that perhaps only builds it,
//! and would take what no process has much of, as the memory for thread-local variables of the initial-exec model.

use std::collections::HashSet;
use std::path::Path;

use object::{BinaryFormat, File, Object};

use crate::error::{Error, Result};
use crate::kernel::exports::{Export, settled};
use crate::kernel::source::Source;

/// Looks for `PyInit_<module>` in a library, and returns those of the functions named in the source that are in it.
pub fn verify(library: &Path, source: &Source, named: Vec<Export>) -> Result<Vec<Export>> {
    let refused = |what: String| Error::config(format!("{}: {what}", source.path.display())).kernel(&source.path);
    let exported = exported(library).map_err(|e| {
        refused(format!("the compiled kernel cannot be read as a library: {e}"))
            .hint("a `build.target` for another machine in cargo's configuration has this effect")
    })?;
    if exported.contains(format!("PyInit_{}", source.module).as_bytes()) {
        return Ok(settled(named.into_iter().filter(|export| exported.contains(export.name.as_bytes())).collect()));
    }
    let own = format!("fn PyInit_{}", source.module);
    let is_hidden = source.text.contains(&own);
    let hint = match is_hidden {
        true => format!("write #[unsafe(no_mangle)] above `pub extern \"C\" {own}`"),
        false => format!(
            "it needs `#[pymodule] fn {}(...)` or `#[pymodule] mod {0}`, or none at all in a single file",
            source.module
        ),
    };
    Err(refused(format!("the compiled kernel exports no module `{0}` (no symbol PyInit_{0})", source.module))
        .hint(hint))
}

/// The names of all that a library exports, as its source calls them.
fn exported(library: &Path) -> std::result::Result<HashSet<Vec<u8>>, Box<dyn std::error::Error>> {
    let data = std::fs::read(library)?;
    let file = File::parse(&*data)?;
    let mut names = HashSet::new();
    for export in file.exports()? {
        if let Some(name) = export?.name().name() {
            // macOS puts an underscore before every name.
            let plain = name.strip_prefix(b"_").filter(|_| file.format() == BinaryFormat::MachO).unwrap_or(name);
            names.insert(plain.to_vec());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_library_is_told_and_the_names_of_one_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("k.so");
        for content in [&b""[..], b"text", b"\x7fELF", &[b"\x7fELF\x02\x01\x01", &[0xff; 300][..]].concat()] {
            std::fs::write(&file, content).unwrap();
            assert!(exported(&file).is_err(), "{content:?}");
        }
        assert!(exported(&folder.path().join("absent")).is_err());
    }
}
