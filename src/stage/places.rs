//! Where something in a copy stands in the user's file.
//!
//! A copy has the lines of the file that it stands for. Only a relative path in an `include!` is longer in it, so what
//! stands behind that has another column there, and everything after it another offset.

/// A copy that the compiler has read, and the user's file that it was made of.
pub struct Places {
    copy: Vec<String>,
    /// Each line, and where it starts.
    own: Vec<(usize, String)>,
}

impl Places {
    /// For the text of a copy, and that of the user's file.
    pub fn of(copy: &str, own: &str) -> Places {
        let mut at = 0;
        let mut lines = Vec::new();
        for line in own.split_inclusive('\n') {
            // The compiler counts without a byte-order mark, but from where the file begins.
            let text = if at == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
            lines.push((at + line.len() - text.len(), without_end(text).to_owned()));
            at += line.len();
        }
        lines.push((at, String::new()));
        let copy = copy.strip_prefix('\u{feff}').unwrap_or(copy);
        Places { copy: copy.split('\n').map(|line| without_end(line).to_owned()).collect(), own: lines }
    }

    /// Where a column of the copy's is in the user's line, and at which byte of his file. Lines and columns count from 1.
    pub fn place(&self, line: usize, column: usize) -> Option<(usize, usize)> {
        let (start, own) = self.own.get(line.checked_sub(1)?)?;
        let column = match self.copy.get(line - 1) {
            Some(copy) if copy != own => moved(copy, own, column),
            _ => column,
        };
        let before: usize = own.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
        Some((column, start + before))
    }

    /// The text of a line in the user's file.
    pub fn line(&self, line: usize) -> Option<&str> {
        self.own.get(line.checked_sub(1)?).map(|(_, text)| &**text)
    }
}

fn without_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// The column in the user's line: what both lines begin and end with is the same in both.
fn moved(copy: &str, own: &str, column: usize) -> usize {
    let (theirs, ours): (Vec<char>, Vec<char>) = (copy.chars().collect(), own.chars().collect());
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
        let copy = "let a = f(include_str!(\"/a/longer/é.txt\"), x, y);";
        let of = |text: &str, part: &str| text.chars().count() - text.split_once(part).unwrap().1.chars().count();
        for part in ["let", "f(", "), x", ", y", ";"] {
            assert_eq!(moved(copy, own, of(copy, part)), of(own, part), "{part}");
        }
        assert_eq!(moved(own, own, 7), 7);
    }

    #[test]
    fn an_offset_counts_what_the_user_has_in_his_file() {
        let own = "\u{feff}// é\r\nlet ü = \"ä\" + x;\r\nfn f() {}";
        let places = Places::of(own, own);
        for (line, part) in [(1, "é"), (2, "ü"), (2, "x"), (3, "fn"), (3, "}")] {
            let text = places.line(line).unwrap();
            let column = text[..text.find(part).unwrap()].chars().count() + 1;
            assert_eq!(places.place(line, column), Some((column, own.find(part).unwrap())), "{part}");
        }
    }
}
