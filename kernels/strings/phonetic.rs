//! Codes of how a word sounds in English.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Stands for what is beyond the end of a word.
const END: char = '*';

/// Soundex, by the rules of the United States' census: a letter and three digits.
pub fn soundex(text: &str) -> String {
    let upper = text.to_uppercase();
    let mut letters = upper.nfkd();
    let Some(first) = letters.next() else {
        return String::new();
    };
    let mut code = String::from(first);
    let mut digits = 0;
    let mut last = digit(first);
    for letter in letters {
        let digit = digit(letter);
        if digit.is_some() && digit != last && digits < 3 {
            code.extend(digit);
            digits += 1;
        }
        // H and W do not part letters of the same sound, as vowels do.
        if !matches!(letter, 'H' | 'W') {
            last = digit;
        }
    }
    code.extend((digits..3).map(|_| '0'));
    code
}

fn digit(letter: char) -> Option<char> {
    match letter {
        'B' | 'F' | 'P' | 'V' => Some('1'),
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => Some('2'),
        'D' | 'T' => Some('3'),
        'L' => Some('4'),
        'M' | 'N' => Some('5'),
        'R' => Some('6'),
        _ => None,
    }
}

/// Metaphone: the consonants, each as the letter of its sound, 0 for "th".
pub fn metaphone(text: &str) -> String {
    let upper = text.to_uppercase();
    let mut letters: Vec<char> = upper.nfkd().collect();
    if ["KN", "GN", "PN", "WR", "AE"]
        .iter()
        .any(|start| upper.starts_with(start))
    {
        letters.remove(0);
    }
    let at = |place: usize| letters.get(place).copied().unwrap_or(END);
    let mut code = String::new();
    let mut place = 0;
    while place < letters.len() {
        let (letter, next, third) = (letters[place], at(place + 1), at(place + 2));
        let before = place.checked_sub(1).map(at);
        // How many letters behind this one its sound has used up.
        let mut used = 0;
        if letter != next || letter == 'C' {
            let mut own = [0; 4];
            let own = letter.encode_utf8(&mut own);
            let sound;
            (sound, used) = sound_of(own, before, letter, next, third);
            if sound != " " || !(code.is_empty() || code.ends_with(' ')) {
                code += sound;
            }
        }
        place += 1 + used;
    }
    code
}

/// The sound of a letter, which `own` has as text, and how many of the following letters belong to
/// it; `before` is None at the start.
fn sound_of(
    own: &str,
    before: Option<char>,
    letter: char,
    next: char,
    third: char,
) -> (&str, usize) {
    let starts = before.is_none();
    let sounds_sh = next == 'I' && matches!(third, 'O' | 'A');
    match letter {
        'A' | 'E' | 'I' | 'O' | 'U' if starts || before == Some(' ') => (own, 0),
        'F' | 'J' | 'L' | 'M' | 'N' | 'R' => (own, 0),
        'B' if before == Some('M') && next == END => ("", 0),
        'B' => ("B", 0),
        'C' if next == 'H' || (next == 'I' && third == 'A') => ("X", 1),
        'C' if softens(next) => ("S", 1),
        'C' => ("K", 0),
        'D' if next == 'G' && softens(third) => ("J", 2),
        'D' => ("T", 0),
        'G' if softens(next) => ("J", 0),
        'G' if next == 'H' && !is_vowel(third) => ("", 1),
        'G' if next == 'N' && third == END => ("", 1),
        'G' => ("K", 0),
        'H' if is_vowel(next) || !before.is_some_and(is_vowel) => ("H", 0),
        'K' if before == Some('C') => ("", 0),
        'K' | 'Q' => ("K", 0),
        'P' if next == 'H' => ("F", 1),
        'P' => ("P", 0),
        'S' if next == 'H' => ("X", 1),
        'S' if sounds_sh => ("X", 2),
        'S' => ("S", 0),
        'T' if sounds_sh => ("X", 0),
        'T' if next == 'H' => ("0", 1),
        'T' if next == 'C' && third == 'H' => ("", 0),
        'T' => ("T", 0),
        'V' => ("F", 0),
        'W' if starts && next == 'H' => ("W", 1),
        'W' if is_vowel(next) => ("W", 0),
        'X' if starts && (next == 'H' || sounds_sh) => ("X", 0),
        'X' if starts => ("S", 0),
        'X' => ("KS", 0),
        'Y' if is_vowel(next) => ("Y", 0),
        'Z' => ("S", 0),
        ' ' => (own, 0),
        _ => ("", 0),
    }
}

fn softens(letter: char) -> bool {
    matches!(letter, 'E' | 'I' | 'Y')
}

fn is_vowel(letter: char) -> bool {
    matches!(letter, 'A' | 'E' | 'I' | 'O' | 'U')
}

/// What NYSIIS replaces at the start of a name: the letters at these places, by others.
const STARTS: [(&str, Range<usize>, &[&str]); 6] = [
    ("MAC", 1..2, &["C"]),
    ("KN", 0..1, &[]),
    ("K", 0..1, &["C"]),
    ("PH", 0..2, &["F", "F"]),
    ("PF", 0..2, &["F", "F"]),
    ("SCH", 1..3, &["S", "S"]),
];
/// What it replaces at the end, each by one letter.
const ENDS: [(&str, &str); 7] = [
    ("IE", "Y"),
    ("EE", "Y"),
    ("DT", "D"),
    ("RT", "D"),
    ("RD", "D"),
    ("NT", "D"),
    ("ND", "D"),
];

/// NYSIIS, the code of the New York State Identification and Intelligence System.
pub fn nysiis(text: &str) -> String {
    let upper = text.to_uppercase();
    // Letters together with their marks, so that only those without any are of the alphabet.
    let mut name: Vec<&str> = upper.graphemes(true).collect();
    if name.is_empty() {
        return String::new();
    }
    let start = STARTS.iter().find(|(start, ..)| upper.starts_with(start));
    if let Some((_, places, letters)) = start {
        name.splice(places.clone(), letters.iter().copied());
    }
    let end = ENDS.iter().find(|(end, _)| upper.ends_with(end));
    if let Some(&(_, letter)) = end {
        name.truncate(name.len().saturating_sub(2));
        name.push(letter);
    }

    let mut key = vec![name[0]];
    let mut place = 1;
    while place < name.len() {
        let (letters, used) = translate(&name, place);
        if letters.last() != key.last() {
            key.extend(letters.into_iter().filter(|letter| !letter.is_empty()));
        }
        place += used;
    }
    if key.len() > 1 && key.ends_with(&["S"]) {
        key.pop();
    }
    if key.ends_with(&["A", "Y"]) {
        key.remove(key.len() - 2);
    }
    if key.len() > 1 && key.ends_with(&["A"]) {
        key.pop();
    }
    key.concat()
}

/// What stands for the letter at a place behind the first, two letters or "" and one, and how many
/// letters of the name that takes.
fn translate<'a>(name: &[&'a str], place: usize) -> ([&'a str; 2], usize) {
    let (before, letter) = (name[place - 1], name[place]);
    let next = name.get(place + 1).copied();
    let third = name.get(place + 2).copied();
    let is_vowel = |letter: &str| matches!(letter, "A" | "E" | "I" | "O" | "U");
    match letter {
        "E" if next == Some("V") => (["A", "F"], 2),
        "A" | "E" | "I" | "O" | "U" => (["", "A"], 1),
        "Q" => (["", "G"], 1),
        "Z" => (["", "S"], 1),
        "M" => (["", "N"], 1),
        "K" if next == Some("N") => (["", "N"], 1),
        "K" => (["", "C"], 1),
        "S" if (next, third) == (Some("C"), Some("H")) => (["S", "S"], 3),
        "P" if next == Some("H") => (["", "F"], 2),
        "H" if !is_vowel(before) => (["", before], 1),
        "H" if !next.is_some_and(is_vowel) => (["", "A"], 1),
        "W" if is_vowel(before) => (["", before], 1),
        _ => (["", letter], 1),
    }
}

/// The codex of the match rating approach, or None for what is not made of letters and spaces.
pub fn match_rating_codex(text: &str) -> Option<String> {
    let upper = text.to_uppercase();
    if !upper.chars().all(|c| c.is_alphabetic() || c == ' ') {
        return None;
    }
    let mut codex = String::new();
    let mut before = None;
    for letter in upper.graphemes(true) {
        let is_vowel = matches!(letter, "A" | "E" | "I" | "O" | "U");
        let stays = if is_vowel {
            before.is_none()
        } else {
            before != Some(letter)
        };
        if stays {
            codex += letter;
        }
        before = Some(letter);
    }
    if codex.len() > 6 {
        let letters: Vec<char> = codex.chars().collect();
        let (start, end) = (letters.len().min(3), letters.len().saturating_sub(3));
        codex = letters[..start].iter().chain(&letters[end..]).collect();
    }
    Some(codex)
}

/// Do two codices match? None if their lengths are too far apart to tell.
pub fn match_codices(a: &str, b: &str) -> Option<bool> {
    if a.len().abs_diff(b.len()) >= 3 {
        return None;
    }
    // What differs at the same place from the start, and of that what differs from the end.
    let shared = a.chars().zip(b.chars());
    let (mut a_rest, mut b_rest): (Vec<char>, Vec<char>) = shared.filter(|(x, y)| x != y).unzip();
    a_rest.extend(a.chars().skip(b.chars().count()));
    b_rest.extend(b.chars().skip(a.chars().count()));
    let pairs = a_rest.iter().rev().zip(b_rest.iter().rev());
    let unmatched = pairs.filter(|(x, y)| x != y).count() + a_rest.len().abs_diff(b_rest.len());
    // With both sides' excess counted on one of them, this is the larger of their numbers.
    let rating = 6 - unmatched.min(6);
    let needed = match a.len() + b.len() {
        0..=4 => 5,
        5..=7 => 4,
        8..=11 => 3,
        _ => 2,
    };
    Some(rating >= needed)
}
