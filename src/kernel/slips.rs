//! What was meant by a line of a manifest that is no TOML: lists of dependencies are written otherwise elsewhere.

use crate::kernel::block::TABLES;

/// A hint for such a line.
pub fn slip(line: &str) -> Option<String> {
    let line = line.trim();
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    if let Some(table) = line.strip_suffix(':').filter(|table| TABLES.contains(table)) {
        return Some(format!("its heading is written [{table}]"));
    }
    if is_name(line) {
        return Some(format!("a crate stands with its version, or with \"*\" for the newest: {line} = \"*\""));
    }
    let at = line.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c))?;
    let (name, rest) = line.split_at(at);
    let version = rest.trim_start_matches([' ', ':', '=', '>', '<', '~', '^', '@']).trim_matches(['"', '\'']);
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c));
    if is_name(name) && is_version && !TABLES.contains(&name) {
        return Some(format!("a version is written as a text: {name} = \"{version}\""));
    }
    let many = line.split(',').filter(|part| part.contains('=')).count() > 1 && !line.contains('{');
    many.then(|| "each crate stands on a line of its own".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_toml() {
        for (line, meant) in [
            ("itoa", Some("itoa = \"*\"")),
            ("rand==0.9", Some("rand = \"0.9\"")),
            ("rand >= 0.9.1", Some("rand = \"0.9.1\"")),
            ("  rand: 0.9", Some("rand = \"0.9\"")),
            ("rand@0.9", Some("rand = \"0.9\"")),
            ("rand \"0.9\"", Some("rand = \"0.9\"")),
            ("dependencies:", Some("[dependencies]")),
            ("a = \"1\", b = \"2\"", Some("line of its own")),
            ("a = { version = \"1\", features = [\"x\" }", None),
            ("[dependencies", None),
            ("", None),
        ] {
            let hint = slip(line);
            match meant {
                Some(meant) => assert!(hint.as_ref().is_some_and(|hint| hint.ends_with(meant)), "{line}: {hint:?}"),
                None => assert_eq!(hint, None, "{line}"),
            }
        }
    }
}
