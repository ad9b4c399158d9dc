//! cargo's JSON messages about a kernel in its user's words: with the names of his own files, and the places in them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use cargo_metadata::diagnostic::Diagnostic as Message;
use serde_json::Value;

use crate::error::Diagnostic;
use crate::kernel::source::Source;
use crate::rustc::diagnostics::{from_message, is_users};
use crate::stage::places::Places;
use crate::stage::view::View;

/// What translates the messages of one run.
pub struct Messages<'a> {
    source: &'a Source,
    view: &'a View,
    /// The folder that file names are relative to.
    folder: &'a Path,
    files: HashMap<PathBuf, Option<Rc<Places>>>,
}

impl<'a> Messages<'a> {
    /// For messages in which file names are relative to this folder.
    pub fn of(source: &'a Source, view: &'a View, folder: &'a Path) -> Messages<'a> {
        Messages { source, view, folder, files: HashMap::new() }
    }

    /// A line of cargo's in the user's words; `None` for what is about generated code. What is no message stays as it is.
    pub fn in_users_words(&mut self, line: &str, colours: bool) -> Option<String> {
        let Ok(mut value) = serde_json::from_str::<Value>(line) else { return Some(line.to_owned()) };
        if value["reason"] != "compiler-message" {
            return Some(line.to_owned());
        }
        let read = serde_json::from_value::<Message>(value["message"].clone()).ok();
        let mut found: Vec<Diagnostic> = read.and_then(|read| from_message(read, self.folder)).into_iter().collect();
        self.view.restore(&mut found);
        if found.iter().any(|found| !is_users(self.source, found)) {
            return None;
        }
        if let Some(path) = value["target"]["src_path"].as_str().map(PathBuf::from) {
            value["target"]["src_path"] = self.view.real(&path).to_string_lossy().into();
        }
        self.translate(&mut value["message"]);
        for found in found {
            value["message"]["rendered"] = if colours { found.ansi.into() } else { found.rendered().into() };
        }
        Some(value.to_string())
    }

    /// Translates a message and those below it.
    fn translate(&mut self, message: &mut Value) {
        if let Some(text) = message["rendered"].as_str().map(strip_ansi_escapes::strip_str) {
            message["rendered"] = text.into();
        }
        for span in message["spans"].as_array_mut().into_iter().flatten() {
            self.place(span);
        }
        for child in message["children"].as_array_mut().into_iter().flatten() {
            self.translate(child);
        }
    }

    fn place(&mut self, span: &mut Value) {
        let Some(name) = span["file_name"].as_str() else { return };
        let real = self.view.real(&self.folder.join(name));
        if !name.starts_with('<') {
            span["file_name"] = real.to_string_lossy().into();
        }
        if let Some(file) = self.file(&real) {
            for end in ["start", "end"] {
                let number = |span: &Value, key: &str| span[key].as_u64().and_then(|n| usize::try_from(n).ok());
                let (line_key, column_key) = (format!("line_{end}"), format!("column_{end}"));
                let (Some(line), Some(column)) = (number(span, &line_key), number(span, &column_key)) else { continue };
                if let Some((column, offset)) = file.place(line, column) {
                    span[column_key] = column.into();
                    span[format!("byte_{end}")] = offset.into();
                }
            }
            let first = span["line_start"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
            for (at, text) in span["text"].as_array_mut().into_iter().flatten().enumerate() {
                let Some(own) = file.line(first + at) else { continue };
                for key in ["highlight_start", "highlight_end"] {
                    let column = text[key].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
                    if let Some((column, _)) = file.place(first + at, column) {
                        text[key] = column.into();
                    }
                }
                text["text"] = own.into();
            }
        }
        if span["expansion"].is_object() {
            self.place(&mut span["expansion"]["span"]);
            self.place(&mut span["expansion"]["def_site_span"]);
        }
    }

    fn file(&mut self, real: &Path) -> Option<Rc<Places>> {
        let read = || self.view.places(real).map(Rc::new);
        self.files.entry(real.to_path_buf()).or_insert_with(read).clone()
    }
}
