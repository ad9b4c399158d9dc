//! What a compiler says, within bounds. A kernel may have a hundred thousand warnings, of which a user reads the first; all
//! of them would fill the memory, the terminal, and metadata that every import reads.

use crate::error::Diagnostic;

/// So many errors are kept, and of everything else together.
const ERRORS: Bounds = Bounds { count: 1000, bytes: 4 << 20 };
const OTHERS: Bounds = Bounds { count: 100, bytes: 256 << 10 };
/// What one diagnostic, or all that cargo writes, may have of text.
const LONGEST: usize = 64 << 10;

struct Bounds {
    count: usize,
    bytes: usize,
}

/// Diagnostics in the order in which they came: the first ones, and how many there were besides.
#[derive(Debug, Default)]
pub struct Collected {
    kept: Vec<Diagnostic>,
    errors: Tally,
    others: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    kept: usize,
    bytes: usize,
    left_out: usize,
}

impl Collected {
    /// Adds a diagnostic.
    pub fn add(&mut self, mut found: Diagnostic) {
        let is_error = found.level == "error";
        let (tally, bounds) = if is_error { (&mut self.errors, ERRORS) } else { (&mut self.others, OTHERS) };
        for text in [&mut found.ansi, &mut found.message] {
            if text.len() > LONGEST {
                *text = Excerpt::of(text).text();
            }
        }
        let bytes = found.ansi.len() + found.message.len();
        // The first one is kept in any case, and once one was left out, all later ones are.
        if tally.left_out > 0 || tally.kept == bounds.count || tally.kept > 0 && tally.bytes + bytes > bounds.bytes {
            tally.left_out += 1;
            return;
        }
        tally.kept += 1;
        tally.bytes += bytes;
        self.kept.push(found);
    }

    /// Those that are kept.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> + Clone {
        self.kept.iter()
    }

    /// All of them, followed by a sentence about those that were left out.
    pub fn all(&mut self) -> Vec<Diagnostic> {
        let Collected { mut kept, errors, others } = std::mem::take(self);
        for (level, name, tally) in [("error", "errors", errors), ("warning", "warnings", others)] {
            if tally.left_out > 0 {
                let message = format!("and {} more {name}", tally.left_out);
                kept.push(Diagnostic {
                    level: level.to_owned(),
                    code: None,
                    file: None,
                    line: None,
                    column: None,
                    ansi: format!("{level}: {message}\n"),
                    message,
                });
            }
        }
        kept
    }
}

/// The beginning and the end of a text that grows, where it becomes long.
#[derive(Debug, Default)]
pub struct Excerpt {
    head: String,
    tail: String,
    left_out: usize,
}

impl Excerpt {
    /// An excerpt of a text.
    pub fn of(text: &str) -> Excerpt {
        let mut excerpt = Excerpt::default();
        excerpt.add(text);
        excerpt
    }

    /// Adds a line, or a whole text.
    pub fn add(&mut self, text: &str) {
        let room = (LONGEST / 2).saturating_sub(self.head.len());
        let at = if self.tail.is_empty() { boundary(text, room) } else { 0 };
        self.head.push_str(&text[..at]);
        let rest = &text[at..];
        let from = surplus(rest);
        self.tail.push_str(&rest[from..]);
        self.left_out += from;
        // Less is moved about if the end is cut once it has doubled.
        if self.tail.len() > LONGEST {
            let from = surplus(&self.tail);
            self.tail.drain(..from);
            self.left_out += from;
        }
    }

    /// The text, with a remark where something was left out.
    pub fn text(&self) -> String {
        let from = surplus(&self.tail);
        match self.left_out + from {
            0 => format!("{}{}", self.head, self.tail),
            bytes => format!("{}\n[... {bytes} bytes ...]\n{}", self.head, &self.tail[from..]),
        }
    }
}

/// So much of the beginning of a text is more than an end may have.
fn surplus(text: &str) -> usize {
    boundary(text, text.len().saturating_sub(LONGEST / 2))
}

/// Where a text can be cut, at this place or the last one before it.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(level: &str, ansi: String) -> Diagnostic {
        let (level, message) = (level.to_owned(), String::new());
        Diagnostic { level, message, ansi, code: None, file: None, line: None, column: None }
    }

    #[test]
    fn the_first_are_kept_and_the_others_counted_and_no_error_is_lost_to_warnings() {
        let mut collected = Collected::default();
        for number in 0..5000 {
            collected.add(diagnostic("warning", format!("{number}")));
        }
        collected.add(diagnostic("error", "wrong".to_owned()));
        let all = collected.all();
        assert_eq!(all.len(), OTHERS.count + 2);
        assert_eq!((all[0].ansi.as_str(), all[OTHERS.count - 1].ansi.as_str()), ("0", "99"));
        assert_eq!((all[OTHERS.count].ansi.as_str(), all[OTHERS.count].level.as_str()), ("wrong", "error"));
        assert_eq!(all[OTHERS.count + 1].ansi, "warning: and 4900 more warnings\n");
        assert!(collected.all().is_empty());
    }

    #[test]
    fn few_long_ones_are_bounded_too() {
        let mut collected = Collected::default();
        for _ in 0..50 {
            collected.add(diagnostic("warning", "é".repeat(1 << 20)));
        }
        let all = collected.all();
        assert!(all.iter().map(|found| found.ansi.len()).sum::<usize>() < OTHERS.bytes + 1000);
        assert!(all.last().unwrap().message.contains("more warnings"));
    }

    #[test]
    fn an_excerpt_has_the_beginning_and_the_end() {
        let mut excerpt = Excerpt::default();
        excerpt.add("first\n");
        for number in 0..100_000 {
            excerpt.add(&format!("line {number}\n"));
        }
        let text = excerpt.text();
        assert!(text.starts_with("first\nline 0\n") && text.ends_with("line 99999\n"));
        assert!(text.len() < LONGEST + 100 && text.contains("bytes ...]"));
        assert_eq!(Excerpt::of("short").text(), "short");
        assert!(Excerpt::of(&"é".repeat(1 << 20)).text().len() < LONGEST + 100);
    }
}
