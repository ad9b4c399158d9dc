//! Kernels that are no files of the user's, whose text lies in the cache: cells of notebooks, and texts of a program.
//!
//! The file of a cell has a line of ours where the notebook has the line of the magic, so that all other lines have the
//! numbers that the user sees; that of a text has it at the end. Messages call them `<cell NAME>` and `<kernel NAME>`, and
//! relative paths start where the notebook or the program runs.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The folder of the cache with a folder for each notebook.
pub const CELLS: &str = "cells";
/// The folder of the cache with a folder for each text of a program.
pub const TEXTS: &str = "texts";
/// The file beside the cells of a notebook which names the folder that the notebook runs in; also beside a text.
pub const FOLDER_FILE: &str = "folder.txt";

const HEAD: &str = "// rsimport cell: ";

/// A kernel file that is the text of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What messages call it.
    pub label: String,
    /// The folder that the notebook runs in.
    pub folder: PathBuf,
    /// Is it a text of a program? Each of these has a file of its own.
    pub is_text: bool,
}

impl Cell {
    /// What is known of a kernel file that is a cell; `None` where it is none.
    pub fn of(path: &Path) -> Option<Cell> {
        let own = path.parent()?;
        let above = own.parent()?.file_name()?;
        let is_text = above == TEXTS;
        if !is_text && above != CELLS {
            return None;
        }
        let folder = PathBuf::from(std::fs::read_to_string(own.join(FOLDER_FILE)).ok()?);
        let (what, name) = (if is_text { "kernel" } else { "cell" }, path.file_stem()?.to_string_lossy());
        Some(Cell { label: format!("<{what} {name}>"), folder, is_text })
    }
}

/// Is a file of which rustc speaks a cell or a text? What macros of the compiler's make it calls by such names too.
pub fn is_label(file: &str) -> bool {
    ["<cell ", "<kernel "].iter().any(|start| file.starts_with(start))
}

/// Calls a cell by its name in an error about it.
pub fn named(mut error: Error) -> Error {
    if let Some((kernel, cell)) = error.kernel.as_deref().and_then(|kernel| Some((kernel, Cell::of(kernel)?))) {
        error.message = error.message.replace(&*kernel.to_string_lossy(), &cell.label);
    }
    error
}

/// The folder that relative paths in a kernel file start from.
pub fn folder_of(path: &Path) -> PathBuf {
    match Cell::of(path) {
        Some(cell) => cell.folder,
        None => path.parent().unwrap_or(Path::new("/")).to_path_buf(),
    }
}

/// The text of a cell's file: the cell without the line of the magic, with a line for its dependencies in that place.
pub fn file_text(cell: &str, deps: &[String]) -> Result<String> {
    Ok(format!("{}\n{cell}", line_of(deps)?))
}

/// The text of a program's kernel with a line for its dependencies behind it.
pub fn with_dependencies(text: &str, deps: &[String]) -> Result<String> {
    if deps.is_empty() {
        return Ok(text.to_owned());
    }
    Ok(format!("{text}\n{}", line_of(deps)?))
}

fn line_of(deps: &[String]) -> Result<String> {
    let lines = deps.iter().map(|spec| dependency_line(spec)).collect::<Result<Vec<_>>>()?;
    let head = format!("{HEAD}{{ {} }}", lines.join(", "));
    if !deps.is_empty() && dependencies(&head).is_none() {
        return Err(Error::config(format!("{:?} names a dependency twice", deps.join(" "))));
    }
    Ok(head)
}

/// The dependencies that the first or the last line of such a file names, as TOML with the one key `dependencies`.
pub fn dependencies(text: &str) -> Option<String> {
    let named = |line: Option<&str>| line?.strip_prefix(HEAD).map(str::to_owned);
    let mut lines = text.lines();
    let toml = format!("dependencies = {}", named(lines.next()).or_else(|| named(lines.next_back()))?);
    toml.parse::<toml::Table>().ok().map(|_| toml)
}

/// A specification as people type it as a line of `[dependencies]`: `name`, `name=version` or `name = { ... }`.
pub fn dependency_line(spec: &str) -> Result<String> {
    let (name, version) = spec.split_once(['=', '@']).unwrap_or((spec, "*"));
    let (name, version) = (name.trim(), version.trim());
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let value = if version.starts_with(['{', '"', '\'']) { version.to_owned() } else { format!("{version:?}") };
    let line = format!("{name} = {value}");
    if plain && !spec.contains('\n') && line.parse::<toml::Table>().is_ok() {
        return Ok(line);
    }
    Err(Error::config(format!("{spec:?} is not a dependency"))
        .hint("write it as numpy, numpy=0.30 or 'rand = { version = \"0.9\", features = [\"small_rng\"] }'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_is_written_as_people_type_it() {
        let check = |spec: &str, line: Option<&str>| assert_eq!(dependency_line(spec).ok().as_deref(), line, "{spec}");
        check("numpy=0.30", Some("numpy = \"0.30\""));
        check("numpy@0.30", Some("numpy = \"0.30\""));
        check("numpy", Some("numpy = \"*\""));
        check("rand = { version = \"0.9\" }", Some("rand = { version = \"0.9\" }"));
        check("rand = {", None);
        check("no name=1", None);
        check("x=1\n[profile.dev]", None);
    }

    #[test]
    fn the_lines_of_a_cell_keep_their_numbers_and_its_dependencies_can_be_read_back() {
        let text = file_text("fn f() {}\n", &["numpy=0.30".into(), "rand".into()]).unwrap();
        assert_eq!(text.lines().nth(1), Some("fn f() {}"));
        assert_eq!(dependencies(&text).unwrap(), "dependencies = { numpy = \"0.30\", rand = \"*\" }");
        assert_eq!(dependencies("fn f() {}"), None);
        let text = with_dependencies("fn f() {}", &["numpy=0.30".into()]).unwrap();
        assert_eq!(text.lines().next(), Some("fn f() {}"));
        assert_eq!(dependencies(&text).unwrap(), "dependencies = { numpy = \"0.30\" }");
        assert!(file_text("", &["a=1".into(), "a=2".into()]).is_err());
    }

    #[test]
    fn a_file_is_a_cell_where_a_notebook_keeps_its_cells() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join(CELLS).join("a1");
        std::fs::create_dir_all(&own).unwrap();
        assert_eq!(Cell::of(&own.join("step.rs")), None);
        std::fs::write(own.join(FOLDER_FILE), "/home/me").unwrap();
        let cell = Cell { label: "<cell step>".into(), folder: "/home/me".into(), is_text: false };
        assert_eq!(Cell::of(&own.join("step.rs")), Some(cell));
        assert_eq!(Cell::of(&folder.path().join("step.rs")), None);
    }
}
