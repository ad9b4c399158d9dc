//! Names that somebody may have meant.

/// The name among these that is most like a given one, if any is like it: a letter in four may be wrong.
pub fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|other| (distance(name, other), other));
    // Or the rest of it was left out.
    let cut = |other: &str| name.len() > 3 && other.starts_with(name);
    near.filter(|(distance, other)| *distance > 0 && (*distance <= 1 + name.len() / 4 || cut(other)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// How many letters have to be put in, taken out or changed.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut above_left = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in to.iter().enumerate() {
            let replaced = above_left + usize::from(letter != *other);
            above_left = row[column + 1];
            row[column + 1] = replaced.min(above_left + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["dependencies", "package", "profile"];
        for (name, meant) in [
            ("dependecies", Some("dependencies")),
            ("dependancies", Some("dependencies")),
            ("dependency", Some("dependencies")),
            ("profiles", Some("profile")),
            ("depend", Some("dependencies")),
            ("rayon", None),
            ("package", None),
        ] {
            assert_eq!(similar(name, known), meant, "{name}");
        }
    }
}
