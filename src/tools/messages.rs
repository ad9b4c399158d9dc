//! cargo's JSON messages about a kernel in its user's words: with the names of his own files, and the places in them.
//!
//! A copy has the lines of the file that it stands for. Only a relative path in an `include!` is longer in it, so what
//! stands behind that has another column there, and everything after it another offset.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use cargo_metadata::diagnostic::Diagnostic as Message;
use serde_json::Value;

use crate::error::Diagnostic;
use crate::kernel::source::Source;
use crate::rustc::diagnostics::{from_message, is_users};
use crate::stage::view::View;

/// What translates the messages of one run.
pub struct Messages<'a> {
    source: &'a Source,
    view: &'a View,
    /// The folder that file names are relative to.
    folder: &'a Path,
    files: HashMap<PathBuf, Option<Rc<File>>>,
}

/// A file of the user's whose copy the compiler has read.
struct File {
    staged: Vec<String>,
    /// Each line, and where it starts.
    own: Vec<(usize, String)>,
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
        let staged = self.folder.join(name);
        let real = self.view.real(&staged);
        if !name.starts_with('<') {
            span["file_name"] = real.to_string_lossy().into();
        }
        if real != staged
            && let Some(file) = self.file(&staged, &real)
        {
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
                let Some((_, own)) = file.own.get((first + at).saturating_sub(1)) else { continue };
                for key in ["highlight_start", "highlight_end"] {
                    let column = text[key].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
                    if let Some((column, _)) = file.place(first + at, column) {
                        text[key] = column.into();
                    }
                }
                text["text"] = own.as_str().into();
            }
        }
        if span["expansion"].is_object() {
            self.place(&mut span["expansion"]["span"]);
            self.place(&mut span["expansion"]["def_site_span"]);
        }
    }

    fn file(&mut self, staged: &Path, real: &Path) -> Option<Rc<File>> {
        let read = || {
            // What is compiled is what was read when the kernel was staged.
            let own = match real == self.source.path {
                true => self.source.text.clone(),
                false => std::fs::read_to_string(real).ok()?,
            };
            Some(Rc::new(File::of(&std::fs::read_to_string(staged).ok()?, &own)))
        };
        self.files.entry(staged.to_path_buf()).or_insert_with(read).clone()
    }
}

impl File {
    fn of(staged: &str, own: &str) -> File {
        let mut at = 0;
        let mut lines = Vec::new();
        for line in own.split_inclusive('\n') {
            // The compiler counts without a byte-order mark, but from where the file begins.
            let text = if at == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
            lines.push((at + line.len() - text.len(), without_end(text).to_owned()));
            at += line.len();
        }
        lines.push((at, String::new()));
        let staged = staged.strip_prefix('\u{feff}').unwrap_or(staged);
        File { staged: staged.split('\n').map(|line| without_end(line).to_owned()).collect(), own: lines }
    }

    /// Where a column of the copy's is in the user's line, and at which byte of his file.
    fn place(&self, line: usize, column: usize) -> Option<(usize, usize)> {
        let (start, own) = self.own.get(line.checked_sub(1)?)?;
        let column = match self.staged.get(line - 1) {
            Some(staged) if staged != own => moved(staged, own, column),
            _ => column,
        };
        let before: usize = own.chars().take(column - 1).map(char::len_utf8).sum();
        Some((column, start + before))
    }
}

fn without_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// The column in the user's line: what both lines begin and end with is the same in both.
fn moved(staged: &str, own: &str, column: usize) -> usize {
    let (theirs, ours): (Vec<char>, Vec<char>) = (staged.chars().collect(), own.chars().collect());
    let before = theirs.iter().zip(&ours).take_while(|(a, b)| a == b).count();
    let most = theirs.len().min(ours.len()) - before;
    let behind = theirs.iter().rev().zip(ours.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let at = column.saturating_sub(1);
    match at {
        _ if at <= before => column,
        _ if at >= theirs.len() - behind => (at + ours.len()).saturating_sub(theirs.len()) + 1,
        _ => before + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_behind_a_longer_path_is_that_of_the_users_line() {
        let own = "let a = f(include_str!(\"é.txt\"), x, y);";
        let staged = "let a = f(include_str!(\"/a/longer/é.txt\"), x, y);";
        let of = |text: &str, part: &str| text.chars().count() - text.split_once(part).unwrap().1.chars().count();
        for part in ["let", "f(", "), x", ", y", ";"] {
            assert_eq!(moved(staged, own, of(staged, part)), of(own, part), "{part}");
        }
        assert_eq!(moved(own, own, 7), 7);
    }

    #[test]
    fn an_offset_counts_what_the_user_has_in_his_file() {
        let own = "\u{feff}// é\r\nlet ü = \"ä\" + x;\r\nfn f() {}";
        let file = File::of(own, own);
        for (line, part) in [(1, "é"), (2, "ü"), (2, "x"), (3, "fn"), (3, "}")] {
            let text = &file.own[line - 1].1;
            let column = text[..text.find(part).unwrap()].chars().count() + 1;
            assert_eq!(file.place(line, column), Some((column, own.find(part).unwrap())), "{part}");
        }
    }
}
