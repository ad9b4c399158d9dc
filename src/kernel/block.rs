//! Where the manifest block of a kernel file stands: in its frontmatter, or in one of the comments at its head.

use std::ops::Range;
use std::path::Path;

use crate::error::{Error, Result};

/// The top-level tables that a kernel's manifest may have.
pub const TABLES: [&str; 7] = ["dependencies", "features", "lints", "package", "patch", "profile", "target"];

/// The TOML of a manifest block, and where it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// The TOML, line by line as it stands in the file.
    pub toml: String,
    /// The 1-based line of the file on which the TOML's first line stands.
    pub line: usize,
    /// Bytes of the file that rustc must not see: the frontmatter, fences included.
    pub hidden: Option<Range<usize>>,
    /// What each line of it begins with, such as `//! `.
    pub prefix: &'static str,
    /// Does it stand between two fences?
    pub fenced: bool,
}

/// The comments in which a block may stand, longest mark first.
const COMMENTS: [&str; 4] = ["//!", "///", "//:", "//"];

/// Finds the one manifest block of a file. `//! ```cargo` is ours and that of cargo scripts; other tools write the same
/// in other comments, and what can only be a manifest is read there too:
///
/// - the fence in any comment at the head of the file, `/*! ... */` included, of any length, and of tildes;
/// - a fence of another name (` ```toml `, or none) around nothing but tables that a kernel's manifest may have;
/// - the lines of `//:`, and the one line of `// cargo-deps:`.
pub fn find(path: &Path, text: &str) -> Result<Option<Block>> {
    let front = frontmatter(text);
    let skip = front.as_ref().and_then(|block| block.hidden.clone()).map_or(0, |hidden| hidden.end);
    let first = newlines(&text[..skip]);
    let mut head: Head<'_> =
        Head { path, blocks: front.into_iter().collect(), others: Vec::new(), open: None, fence: "```", inside: false };
    for (number, line) in text[skip..].lines().enumerate().map(|(at, line)| (first + at + 1, line)) {
        if !head.read(number, line.trim_start_matches('\u{feff}').trim())? {
            break;
        }
    }
    head.end()
}

/// The comments at the head of a file, as far as they were read.
struct Head<'a> {
    path: &'a Path,
    /// Blocks that are nothing else.
    blocks: Vec<Block>,
    /// Blocks with a fence that examples in a documentation have too.
    others: Vec<Block>,
    /// The block whose end has not come, and whether its fence says that it is one.
    open: Option<(Block, bool)>,
    /// What its fence consists of.
    fence: &'a str,
    /// Are we inside of `/* ... */`?
    inside: bool,
}

impl<'a> Head<'a> {
    /// Reads a line; false where the head has ended.
    fn read(&mut self, number: usize, line: &'a str) -> Result<bool> {
        let opens = !self.inside && line.starts_with("/*");
        if self.inside || opens {
            let content = if opens { line.trim_start_matches('/').trim_start_matches(['*', '!']) } else { line };
            let (content, rest) = match content.split_once("*/") {
                Some((content, rest)) => (content, Some(rest.trim())),
                None => (content, None),
            };
            let content = content.trim_start();
            self.content(number, content.strip_prefix('*').unwrap_or(content), "");
            self.inside = rest.is_none();
            if !self.inside {
                self.leave()?;
            }
            return Ok(rest.is_none_or(|rest| rest.is_empty() || rest.starts_with("//")));
        }
        let comment = COMMENTS.iter().find_map(|mark| Some((*mark, line.strip_prefix(mark)?)));
        let Some((mark, content)) = comment else {
            self.leave()?;
            if line.starts_with("---") {
                let place = format!("{}:{number}", self.path.display());
                let message =
                    format!("{place}: a frontmatter stands at the very beginning of a file, above all comments");
                let hint = "begin each of its lines with `//! `, and write `//! ```cargo` and `//! ``` for the dashes";
                return Err(Error::config(message).hint(hint).kernel(self.path));
            }
            // Nothing of this can stand below the first item.
            return Ok(line.is_empty() || line.starts_with("#!"));
        };
        if self.open.as_ref().is_some_and(|(block, _)| block.prefix.trim_end() != mark) {
            self.leave()?;
        }
        let prefix = ["//! ", "/// ", "//: ", "// "].into_iter().find(|prefix| prefix.trim_end() == mark);
        let list = content.trim_start().strip_prefix("cargo-deps:").filter(|_| mark == "//");
        match list {
            Some(list) => self.blocks.extend(dependency_list(list, number)),
            None => {
                if mark == "//:" && self.open.is_none() && !content.trim_start().starts_with("```") {
                    self.open = Some((Block { line: number, prefix: "//: ", ..Block::default() }, true));
                }
                self.content(number, content, prefix.unwrap_or_default());
            }
        }
        Ok(true)
    }

    fn content(&mut self, number: usize, content: &'a str, prefix: &'static str) {
        let word = content.trim();
        let (fence, name) = fence(word);
        match &mut self.open {
            Some((block, certain)) if name.is_empty() && fence.starts_with(self.fence) && block.fenced => {
                let list = if *certain { &mut self.blocks } else { &mut self.others };
                list.extend(self.open.take().map(|(block, _)| block));
            }
            Some((block, _)) => {
                block.toml.push_str(content.strip_prefix(' ').unwrap_or(content));
                block.toml.push('\n');
            }
            None => {
                let certain = name == "cargo" || name.starts_with("cargo,");
                if !fence.is_empty() {
                    self.fence = fence;
                    let block = Block { line: number + 1, prefix, fenced: true, ..Block::default() };
                    self.open = Some((block, certain));
                }
            }
        }
    }

    /// The comment has ended: so has a block without a fence, and one with a fence is not closed.
    fn leave(&mut self) -> Result<()> {
        match self.open.take() {
            Some((block, _)) if !block.fenced => self.blocks.push(block),
            Some((block, certain)) if certain || has_dependencies(&block.toml) => {
                Err(Error::config(format!(
                    "{}:{}: the manifest block that starts here is not closed",
                    self.path.display(),
                    block.line - 1
                ))
                .hint(format!("end it with a line `{}{}", block.prefix, self.fence))
                .kernel(self.path))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn end(mut self) -> Result<Option<Block>> {
        self.leave()?;
        if self.blocks.is_empty() {
            self.blocks = self.others;
            self.blocks.retain(|block| is_manifest(&block.toml));
        }
        match <[Block; 1]>::try_from(self.blocks) {
            Ok([block]) => Ok(Some(block)),
            Err(blocks) if blocks.is_empty() => Ok(None),
            Err(blocks) => Err(Error::config(format!(
                "{}:{}: this is a second manifest block; the first is on line {}",
                self.path.display(),
                blocks[1].line,
                blocks[0].line
            ))
            .hint("put all dependencies into one block")
            .kernel(self.path)),
        }
    }
}

/// The fence at the start of a line, three backticks or tildes or more, and its name.
fn fence(line: &str) -> (&str, &str) {
    let letter = if line.starts_with('~') { '~' } else { '`' };
    let name = line.trim_start_matches(letter);
    let length = line.len() - name.len();
    if length < 3 { ("", line) } else { (&line[..length], name.trim()) }
}

/// The frontmatter of a cargo script (RFC 3502) at the start of a text, after an optional shebang.
pub fn frontmatter(text: &str) -> Option<Block> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut at = text.len() - body.len();
    let mut open: Option<(usize, usize, usize)> = None;
    let mut line = 1;
    for piece in body.split_inclusive('\n') {
        let trimmed = piece.trim_end();
        match open {
            None if trimmed.starts_with("---") => {
                let dashes = trimmed.len() - trimmed.trim_start_matches('-').len();
                open = Some((at, at + piece.len(), dashes));
                line += 1;
            }
            None if trimmed.trim().is_empty()
                || (line == 1 && trimmed.starts_with("#!") && !trimmed.starts_with("#![")) =>
            {
                line += 1
            }
            None => return None,
            Some((start, inner, dashes)) if trimmed.len() == dashes && trimmed.bytes().all(|b| b == b'-') => {
                let hidden = Some(start..at + trimmed.len());
                return Some(Block { toml: text[inner..at].to_owned(), line, hidden, prefix: "", fenced: true });
            }
            Some(_) => {}
        }
        at += piece.len();
    }
    None
}

/// The line of something that looks like a manifest block and is none, and what keeps it from being one.
pub fn lookalike(text: &str) -> Option<(usize, String)> {
    let mut item: Option<usize> = None;
    let mut inside = false;
    for (number, line) in
        text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_start_matches('\u{feff}').trim()))
    {
        inside |= line.starts_with("/*");
        let content = COMMENTS.iter().find_map(|mark| line.strip_prefix(mark)).map(str::trim);
        let content = content.or(inside.then(|| line.trim_start_matches(['/', '*', '!', ' '])));
        inside &= !line.contains("*/");
        let heading = |line: &str| ["[dependencies]", "[dependencies."].iter().any(|head| line.starts_with(head));
        match (content, item) {
            (Some(content), Some(item)) if content.starts_with("```cargo") || heading(content) => {
                return Some((
                    number,
                    format!("stands below the first item (line {item}): move it up, right below line 1"),
                ));
            }
            (Some(content), None) if heading(content) => {
                return Some((
                    number,
                    "has no fences: it begins with `//! ```cargo` and ends with `//! ```".to_owned(),
                ));
            }
            (Some(_), _) => {}
            (None, None) if heading(line) => {
                return Some((
                    number,
                    "is no comment: begin each of its lines with `//! `, between `//! ```cargo` and `//! ```"
                        .to_owned(),
                ));
            }
            (None, None) if !line.is_empty() && !line.starts_with("#!") => item = Some(number),
            _ => {}
        }
    }
    None
}

/// `time="0.1.25", libc` as a block on one line.
fn dependency_list(list: &str, line: usize) -> Option<Block> {
    let mut entries = Vec::new();
    let (mut depth, mut quoted, mut start) = (0, false, 0);
    for (at, letter) in list.char_indices().chain([(list.len(), ',')]) {
        match letter {
            '"' => quoted = !quoted,
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ',' if (depth == 0 && !quoted) || at == list.len() => {
                let entry = list[start..at].trim();
                start = (at + 1).min(list.len());
                if !entry.is_empty() {
                    entries.push(if entry.contains('=') { entry.to_owned() } else { format!("{entry} = \"*\"") });
                }
            }
            _ => {}
        }
    }
    let toml = format!("dependencies = {{ {} }}\n", entries.join(", "));
    Some(Block { toml, line, prefix: "// ", ..Block::default() })
}

/// Can a text only be the manifest of a kernel, be it faulty?
fn is_manifest(toml: &str) -> bool {
    let tables = |table: toml::Table| !table.is_empty() && table.keys().all(|key| TABLES.contains(&key.as_str()));
    has_dependencies(toml) || toml.parse().is_ok_and(tables)
}

fn has_dependencies(toml: &str) -> bool {
    toml.lines().any(|line| line.trim() == "[dependencies]" || line.trim_start().starts_with("[dependencies."))
}

/// How many lines a text ends.
pub fn newlines(text: &str) -> usize {
    memchr::memchr_iter(b'\n', text.as_bytes()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> std::result::Result<Option<(String, usize)>, String> {
        let found = find(Path::new("k.rs"), text);
        found.map(|block| block.map(|block| (block.toml.trim().to_owned(), block.line))).map_err(|error| error.message)
    }

    #[test]
    fn what_can_only_be_a_manifest_block_is_one() {
        let toml = "[dependencies]\na = \"1\"";
        for (text, line) in [
            ("// rsimport\n//! ```cargo\n//! [dependencies]\n//! a = \"1\"\n//! ```\n", 3),
            ("// rsimport\n//! ```toml\n//! [dependencies]\n//! a = \"1\"\n//! ```\n", 3),
            ("// rsimport\n//! ```\n//! [dependencies]\n//! a = \"1\"\n//! ```\n", 3),
            ("// rsimport\n// ```cargo\n// [dependencies]\n// a = \"1\"\n// ```\n", 3),
            ("// rsimport\n/// ```cargo\n/// [dependencies]\n/// a = \"1\"\n/// ```\nfn f() {}", 3),
            ("// rsimport\n//: [dependencies]\n//: a = \"1\"\nuse x;", 2),
            ("// rsimport\n//: ```cargo\n//: [dependencies]\n//: a = \"1\"\n//: ```\nuse x;", 3),
            ("// rsimport\n/*! Title.\n```cargo\n[dependencies]\na = \"1\"\n```\n*/\nuse x;", 4),
            ("// rsimport\n/*\n * ```cargo\n * [dependencies]\n * a = \"1\"\n * ```\n */\nuse x;", 4),
            ("// rsimport\n//! ````cargo\n//! [dependencies]\n//! a = \"1\"\n//! ````\nuse x;", 3),
            ("// rsimport\n//! ~~~cargo\n//! [dependencies]\n//! a = \"1\"\n//! ~~~\nuse x;", 3),
        ] {
            assert_eq!(found(text), Ok(Some((toml.to_owned(), line))), "{text}");
        }
        let list = "// rsimport\n// cargo-deps: a=\"1\", b, c = { version = \"1\", features = [\"x\", \"y\"] }\n";
        let toml = "dependencies = { a=\"1\", b = \"*\", c = { version = \"1\", features = [\"x\", \"y\"] } }";
        assert_eq!(found(list), Ok(Some((toml.to_owned(), 2))));
    }

    #[test]
    fn an_example_in_the_documentation_is_none() {
        for text in [
            "//! ```toml\n//! [tool.poetry]\n//! ```\n",
            "//! ```\n//! k.f(1)\n//! ```\n",
            "//! ```python\n//! import k\n//! ```\n//!\n//! ```\n//! x\n",
            "/* a */ fn f() {}\n/*\n```cargo\n[dependencies]\n```\n*/",
            "fn f() {}\n//! ```cargo\n//! [dependencies]\n",
        ] {
            assert_eq!(found(text), Ok(None), "{text}");
        }
        let both = "//! ```cargo\n//! ```\n//! ```toml\n//! [profile.dev]\n//! ```\n";
        assert_eq!(found(both), Ok(Some((String::new(), 2))));
    }

    #[test]
    fn a_frontmatter_below_a_comment_is_named() {
        let message = "k.rs:2: a frontmatter stands at the very beginning of a file, above all comments";
        assert_eq!(found("// rsimport\n---\n[dependencies]\n---\nuse x;"), Err(message.to_owned()));
    }

    #[test]
    fn a_block_that_is_not_closed_is_named_in_every_form() {
        for text in [
            "//! ```cargo\n//! a = 1\n",
            "// ```cargo\n// a = 1\nfn f() {}",
            "//! ```toml\n//! [dependencies]\nuse x;",
            "/*!```cargo\na = 1\n*/\nuse x;",
            "//! ```cargo\n// [dependencies]\n",
        ] {
            let message = "k.rs:1: the manifest block that starts here is not closed";
            assert_eq!(found(text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_block_is_found_with_its_line() {
        for (text, line, word) in [
            ("// rsimport\nuse x;\n//! ```cargo\n", 3, "first item (line 2)"),
            ("// rsimport\nuse x;\n// ```cargo\n// [dependencies]\n", 3, "first item"),
            ("// rsimport\n// [dependencies]\n// a = \"1\"\nuse x;", 2, "no fences"),
            ("// rsimport\n[dependencies]\na = \"1\"\n", 2, "no comment"),
        ] {
            let (at, why) = lookalike(text).unwrap();
            assert!(at == line && why.contains(word), "{text}: {at} {why}");
        }
        assert_eq!(lookalike("// rsimport\n// dependencies are few\nuse x;\nfn f() {}\n"), None);
    }
}
