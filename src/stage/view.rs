//! The files as the compiler sees them: the user's own where that will do, else copies or links, with the way back.

use std::path::{Path, PathBuf};

use crate::cache::layout::Cache;
use crate::error::{Diagnostic, Error, Result};
use crate::kernel::cell::Cell;
use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;
use crate::paths::normal;
use crate::rustc::dep_info::DepInfo;
use crate::rustc::diagnostics::unstage;
use crate::stage::copies::{Stage, computes_includes, stage};
use crate::stage::links::{Links, surround};
use crate::stage::pymodule;

/// What the compiler is given, and what that is called on the user's side.
#[derive(Debug, Clone)]
pub struct View {
    /// The kernel with the paths that the compiler sees.
    pub source: Source,
    /// The folder that the compiler sees and the user's folder that it stands for.
    replaced: Option<(PathBuf, PathBuf)>,
    /// The file of a cell, and what it is called.
    cell: Option<(PathBuf, String)>,
    /// Is the crate root in pieces, so that it is not what the user wrote?
    pub in_pieces: bool,
}

impl View {
    /// Prepares what the compiler is given, in the kernel's folder in the cache; in pieces if that is wanted and pays.
    pub fn of(source: &Source, manifest: &Manifest, cache: &Cache, work: &Path, in_pieces: bool) -> Result<View> {
        let plain = View { source: source.clone(), replaced: None, cell: None, in_pieces: false };
        if source.manifest.is_some() {
            let below = work.join("links");
            let lib = with_module(source, manifest);
            return Ok(match Links::of(source, lib.as_deref(), cache, &below)? {
                Some(links) => {
                    View { source: links.source(source), replaced: Some((below, PathBuf::from("/"))), ..plain }
                }
                None => plain,
            });
        }
        let stage = stage(source, manifest, in_pieces)?;
        let in_pieces = matches!(stage, Stage::Pieces(_));
        match stage {
            Stage::Direct => Ok(plain),
            Stage::Copies(files) | Stage::Pieces(files) => {
                let copies = work.join("src");
                let cell = Cell::of(&source.path).map(|cell| (source.path.clone(), cell.label));
                // Making links needs a privilege on Windows, so there such a path leads nowhere.
                if cfg!(unix) && files.iter().any(|(_, text)| computes_includes(text)) {
                    let links = surround(&source.base, &files, cache, &copies)?;
                    let source = Source { path: links.inside(&source.base.join(&files[0].0)), ..source.clone() };
                    return Ok(View { source, replaced: Some((copies, PathBuf::from("/"))), cell, in_pieces });
                }
                cache.empty(&copies)?;
                for (path, text) in &files {
                    cache.write(&copies.join(path), text.as_bytes())?;
                }
                let source = Source { path: copies.join(&files[0].0), ..source.clone() };
                let base = source.base.clone();
                Ok(View { source, replaced: Some((copies, base)), cell, in_pieces })
            }
        }
    }

    /// The crate root that the compiler is given.
    pub fn root(&self) -> &Path {
        &self.source.path
    }

    /// The user's name for a path that the compiler named.
    pub fn real(&self, path: &Path) -> PathBuf {
        let path = normal(path);
        if let Some((file, _)) = &self.cell
            && path == self.source.path
        {
            return file.clone();
        }
        match &self.replaced {
            Some((seen, real)) => path.strip_prefix(seen).map(|rest| real.join(rest)).unwrap_or(path),
            None => path,
        }
    }

    /// The files that a compiler has read, by the user's names for them.
    pub fn files(&self, dep_info: &DepInfo, folder: &Path) -> Vec<PathBuf> {
        dep_info.files.iter().map(|file| self.real(&folder.join(file))).collect()
    }

    /// The flags that make rustc name the user's paths in panics and in `file!()`. Of two that fit, the later holds.
    pub fn remap_flags(&self) -> Vec<String> {
        let folder =
            self.replaced.as_ref().map(|(seen, real)| format!("{}={}", seen.display(), real.display())).into_iter();
        let cell = self.cell.as_ref().map(|(_, label)| format!("{}={label}", self.source.path.display()));
        folder.chain(cell).map(|pair| format!("--remap-path-prefix={pair}")).collect()
    }

    /// Puts the user's paths into what the compiler said.
    pub fn restore(&self, diagnostics: &mut [Diagnostic]) {
        if let Some((_, label)) = &self.cell {
            unstage(diagnostics, &self.source.path, Path::new(label));
            // rustc knows the cell by its label already, and a label is no path in any folder.
            let files = diagnostics.iter_mut().filter_map(|diagnostic| diagnostic.file.as_mut());
            files.filter(|file| file.ends_with(label)).for_each(|file| file.clone_from(label));
        }
        if let Some((seen, real)) = &self.replaced {
            unstage(
                diagnostics,
                seen,
                real.strip_prefix("/").map_or(real, |rest| if rest.as_os_str().is_empty() { rest } else { real }),
            );
        }
    }

    /// The same for an error.
    pub fn restored(&self, mut error: Error) -> Error {
        self.restore(&mut error.diagnostics);
        if let Some((file, _)) = &self.cell {
            error.message = error.message.replace(&*self.source.path.to_string_lossy(), &file.to_string_lossy());
        }
        if let Some((seen, real)) = &self.replaced {
            let real = if real.parent().is_none() { String::new() } else { real.to_string_lossy().into_owned() };
            error.message = error.message.replace(&*seen.to_string_lossy(), &real);
        }
        error
    }
}

/// The `lib.rs` of a crate with a generated module; `None` where the crate has one, or nothing to make one from. It may
/// stand in any file of the crate, so one that names it anywhere is left alone.
fn with_module(source: &Source, manifest: &Manifest) -> Option<String> {
    let sources = walkdir::WalkDir::new(source.path.parent()?).into_iter().flatten().map(walkdir::DirEntry::into_path);
    let mut rust = sources.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    if rust.any(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("pymodule"))) {
        return None;
    }
    let file = syn::parse_file(&source.text).ok();
    let appended = pymodule::generated(source, file.as_ref(), manifest, false).ok()??;
    Some(format!("{}\n{appended}", source.text))
}
