//! Dep-info: the makefile syntax in which rustc and cargo say what a build has read.

use std::path::{Path, PathBuf};

/// What a dep-info file names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DepInfo {
    /// Files, as written.
    pub files: Vec<PathBuf>,
    /// Environment variables that `env!` and `option_env!` read, with the value that they had.
    pub variables: Vec<(String, Option<String>)>,
}

impl DepInfo {
    /// Reads a dep-info file; a missing one names nothing.
    pub fn read(path: &Path) -> DepInfo {
        std::fs::read_to_string(path).map(|text| DepInfo::parse(&text)).unwrap_or_default()
    }

    /// Reads the text of a dep-info file. Spaces in names are escaped and ends of lines are not: a colon with a space behind
    /// it begins a list, and an empty line ends it.
    pub fn parse(text: &str) -> DepInfo {
        let mut info = DepInfo::default();
        let mut list: Option<String> = None;
        for line in text.split('\n') {
            if let Some(variable) = line.strip_prefix("# env-dep:") {
                let (name, value) = match variable.split_once('=') {
                    Some((name, value)) => (name, Some(unescaped(value))),
                    None => (variable, None),
                };
                info.variables.push((unescaped(name), value));
            } else if let Some((_, files)) = line.split_once(": ").filter(|_| !line.starts_with('#')) {
                info.add(list.replace(files.to_owned()));
            } else if line.is_empty() {
                info.add(list.take());
            } else if let Some(list) = &mut list {
                list.push('\n');
                list.push_str(line);
            }
        }
        info.add(list);
        info
    }

    fn add(&mut self, list: Option<String>) {
        for file in list.iter().flat_map(|files| split(files)) {
            if !self.files.contains(&file) {
                self.files.push(file);
            }
        }
    }
}

/// Splits at spaces that no backslash precedes.
fn split(files: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut letters = files.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek() == Some(&' ') => current.extend(letters.next()),
            ' ' => found.push(std::mem::take(&mut current)),
            letter => current.push(letter),
        }
    }
    found.push(current);
    found.into_iter().filter(|file| !file.is_empty()).map(PathBuf::from).collect()
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => {}
            },
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_variables_are_read() {
        let text = "/t/k.d: /k/a.rs /k/with\\ space.txt\n\n/t/libk.so: /k/a.rs /k/with\\ space.txt\n\n/k/a.rs:\n\n# env-dep:HOME=/a\\\\b\n# env-dep:NONE\n";
        let info = DepInfo::parse(text);
        assert_eq!(info.files, [PathBuf::from("/k/a.rs"), PathBuf::from("/k/with space.txt")]);
        assert_eq!(info.variables, [("HOME".to_owned(), Some("/a\\b".to_owned())), ("NONE".to_owned(), None)]);
    }

    #[test]
    fn a_name_may_have_ends_of_lines_in_it() {
        let text = "/t\n1/k.d: /k\n1/a.rs x\ny\\ z.txt\n\n/t\n1/k.so: /k\n1/a.rs\n\n/k\n1/a.rs:\nx\ny\\ z.txt:\n\n# env-dep:A=1\n";
        let info = DepInfo::parse(text);
        assert_eq!(info.files, [PathBuf::from("/k\n1/a.rs"), PathBuf::from("x\ny z.txt")]);
        assert_eq!(info.variables, [("A".to_owned(), Some("1".to_owned()))]);
        let by_line = DepInfo::parse("/t/a: /k/a.rs\n/t/b: /k/b.rs\n");
        assert_eq!(by_line.files, [PathBuf::from("/k/a.rs"), PathBuf::from("/k/b.rs")]);
    }
}
