//! The files as the compiler sees them: the user's own where that will do, else copies or links, with the way back.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::cache::layout::Cache;
use crate::error::{Diagnostic, Error, Result};
use crate::kernel::cell::Cell;
use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;
use crate::kernel::syntax;
use crate::paths::followed;
use crate::rustc::dep_info::DepInfo;
use crate::rustc::diagnostics::{move_places, name_folder, unstage};
use crate::stage::copies::{Form, Stage, Staged, computes_includes, stage};
use crate::stage::glue::Glue;
use crate::stage::links::{Links, surround};
use crate::stage::places::Places;
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
    /// Are there functions for fast calls in the crate root?
    pub is_fast: bool,
    /// The glue, where that is a crate of its own.
    pub glue: Option<Glue>,
    /// What is told of the kernel before it is compiled.
    pub warnings: Vec<Diagnostic>,
}

impl View {
    /// Prepares what the compiler is given, in the kernel's folder in the cache.
    pub fn of(source: &Source, manifest: &Manifest, cache: &Cache, work: &Path, form: Form) -> Result<View> {
        View::with(source, manifest, cache, work, form, "")
    }

    /// The same with a text below what the user wrote in the crate root.
    pub fn with(
        source: &Source,
        manifest: &Manifest,
        cache: &Cache,
        work: &Path,
        form: Form,
        below: &str,
    ) -> Result<View> {
        let view = if source.manifest.is_some() {
            View::of_crate(source, manifest, cache, work, below)?
        } else {
            View::of_file(source, manifest, cache, work, form, below)?
        };
        // A kernel that is copied into the cache may lie anywhere.
        if view.root().to_str().is_none() {
            let what =
                format!("{} lies at a path that is not Unicode, and cargo builds nothing there", source.path.display());
            return Err(Error::config(what).hint("give its folder another name").kernel(&source.path));
        }
        Ok(view)
    }

    /// A crate is seen where it lies, through links where its root has more in it than the user wrote.
    fn of_crate(source: &Source, manifest: &Manifest, cache: &Cache, work: &Path, below: &str) -> Result<View> {
        let links = work.join("links");
        let file = syntax::parse(&source.text);
        let generated = pymodule::generated(source, &source.text, file.as_ref(), manifest, false)?;
        let appended = generated.text.map_or_else(|| below.to_owned(), |module| format!("{module}\n{below}"));
        let lib = (!appended.is_empty()).then(|| format!("{}\n{appended}", source.text));
        let plain = View { warnings: generated.warnings, ..View::plain(source) };
        Ok(match Links::of(source, lib.as_deref(), cache, &links)? {
            Some(seen) => View { source: seen.source(source), replaced: Some((links, PathBuf::from("/"))), ..plain },
            None => plain,
        })
    }

    /// A file is copied where anything is added to it, with its neighbours as links where it computes what it includes.
    fn of_file(
        source: &Source,
        manifest: &Manifest,
        cache: &Cache,
        work: &Path,
        form: Form,
        below: &str,
    ) -> Result<View> {
        let staged = match stage(source, manifest, form, below)? {
            Stage::Direct => return Ok(View::plain(source)),
            Stage::Copies(staged) => staged,
        };
        let Staged { files, in_pieces, is_fast, glue, warnings } = staged;
        let copies = work.join("src");
        // Making links needs a privilege on Windows, so there such a path leads nowhere.
        let (root, real) = if cfg!(unix) && files.iter().any(|(_, text)| computes_includes(text)) {
            let links = surround(&source.base, &files, cache, &copies)?;
            (links.inside(&source.base.join(&files[0].0)), PathBuf::from("/"))
        } else {
            cache.empty(&copies)?;
            for (path, text) in &files {
                cache.write(&copies.join(path), text.as_bytes())?;
            }
            (copies.join(&files[0].0), source.base.clone())
        };
        Ok(View {
            source: Source { path: root, ..source.clone() },
            replaced: Some((copies, real)),
            cell: Cell::of(&source.path).map(|cell| (source.path.clone(), cell.label)),
            in_pieces,
            is_fast,
            glue,
            warnings,
        })
    }

    /// The user's own file, as it is.
    fn plain(source: &Source) -> View {
        View {
            source: source.clone(),
            replaced: None,
            cell: None,
            in_pieces: false,
            is_fast: false,
            glue: None,
            warnings: Vec::new(),
        }
    }

    /// The crate root that the compiler is given.
    pub fn root(&self) -> &Path {
        &self.source.path
    }

    /// The user's name for a path that the compiler named.
    pub fn real(&self, path: &Path) -> PathBuf {
        let path = followed(path);
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

    /// The flags that make panics and `file!()` name a kernel's files as seen from its folder, and a cell by its label. Of
    /// two that fit, the later holds. An absolute path would be that of the kernel that was compiled, while a copy of it
    /// in another folder loads the same library. Crates are compiled from their folder, so that cargo does it for them.
    /// A profiler or debugger that is to open them has to be told `whole` paths.
    pub fn remap_flags(&self, whole: bool) -> Vec<String> {
        let folder = match (&self.replaced, whole || self.is_crate()) {
            (Some((seen, real)), true) => format!("{}={}", seen.display(), real.display()),
            (Some((seen, _)), false) => format!("{}=", seen.display()),
            (None, true) => return Vec::new(),
            (None, false) => format!("{}=", self.source.base.display()),
        };
        let cell = self.cell.as_ref().map(|(_, label)| format!("{}={label}", self.source.path.display()));
        [folder].into_iter().chain(cell).map(|pair| format!("--remap-path-prefix={pair}")).collect()
    }

    /// The folder that file names in what the compiler says are relative to, if it runs in this one.
    pub fn names_folder<'a>(&'a self, running: &'a Path) -> &'a Path {
        if self.is_crate() { running } else { &self.source.base }
    }

    fn is_crate(&self) -> bool {
        self.source.manifest.is_some()
    }

    /// What stands where in a file of the user's, if the compiler was given a copy of it.
    pub fn places(&self, real: &Path) -> Option<Places> {
        let (root, label) = match &self.cell {
            Some((file, label)) => (file.clone(), Some(Path::new(label))),
            None => (self.real(&self.source.path), None),
        };
        let (seen, base) = self.replaced.as_ref()?;
        // What is compiled is what was read when the kernel was staged.
        if real == root || Some(real) == label {
            let copy = std::fs::read_to_string(&self.source.path).ok()?;
            return Some(Places::of(&copy, &self.source.text));
        }
        let copy = std::fs::read_to_string(seen.join(real.strip_prefix(base).ok()?)).ok()?;
        Some(Places::of(&copy, &std::fs::read_to_string(real).ok()?))
    }

    /// Puts the user's paths, and the places in his files, into what the compiler said; once and not again.
    pub fn restore(&self, diagnostics: &mut [Diagnostic]) {
        if let Some((_, label)) = &self.cell {
            unstage(diagnostics, &self.source.path, Path::new(label));
            // rustc knows the cell by its label already, and a label is no path in any folder.
            let files = diagnostics.iter_mut().filter_map(|diagnostic| diagnostic.file.as_mut());
            files.filter(|file| file.ends_with(label)).for_each(|file| file.clone_from(label));
        }
        if !self.is_crate() {
            name_folder(diagnostics, &self.source.base);
        }
        if let Some((seen, real)) = &self.replaced {
            unstage(
                diagnostics,
                seen,
                real.strip_prefix("/").map_or(real, |rest| if rest.as_os_str().is_empty() { rest } else { real }),
            );
        }
        let mut files = HashMap::new();
        move_places(diagnostics, |file, line, column| {
            let places = files.entry(file.to_owned()).or_insert_with(|| self.places(Path::new(file)));
            Some(places.as_ref()?.place(line, column)?.0)
        });
    }

    /// Puts the user's paths into the sentence of an error, whose diagnostics have them already.
    pub fn restored(&self, mut error: Error) -> Error {
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
