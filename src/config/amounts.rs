//! How much the cache keeps, as people write it: `5G` and `90d`, or `none` for no limit.

use std::time::Duration;

use crate::config::settings::Settings;

const DAY: f64 = 24.0 * 3600.0;
/// The units of sizes. One letter counts in thousands, as disks are sold.
const SIZES: [(&str, f64); 11] = [
    ("", 1.0),
    ("b", 1.0),
    ("k", 1e3),
    ("m", 1e6),
    ("g", 1e9),
    ("t", 1e12),
    ("ki", 1024.0),
    ("mi", 1_048_576.0),
    ("gi", 1_073_741_824.0),
    ("ti", 1_099_511_627_776.0),
    ("bytes", 1.0),
];
/// The units of ages.
const AGES: [(&str, f64); 5] = [("", DAY), ("d", DAY), ("h", 3600.0), ("m", 60.0), ("w", 7.0 * DAY)];

/// What the cache may hold; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many bytes.
    pub size: Option<u64>,
    /// What was last used longer ago than this goes.
    pub age: Option<Duration>,
}

impl Limits {
    /// The limits that the settings name. They have been checked when they were set.
    pub fn of(settings: &Settings) -> Limits {
        Limits { size: size(&settings.cache_max_size).flatten(), age: age(&settings.cache_max_age).flatten() }
    }

    /// Is there any?
    pub fn are_none(&self) -> bool {
        *self == Limits { size: None, age: None }
    }
}

/// A size: `5G`, `500 MB`, `2GiB`, or `none`, which is `Some(None)`.
pub fn size(text: &str) -> Option<Option<u64>> {
    let text = text.trim().to_ascii_lowercase();
    let short = text.strip_suffix('b').unwrap_or(&text);
    Some(amount(short, &SIZES)?.map(|bytes| bytes as u64))
}

/// An age: `90d`, `12h`, `2w`, a number of days, or `none`, which is `Some(None)`.
pub fn age(text: &str) -> Option<Option<Duration>> {
    match amount(&text.trim().to_ascii_lowercase(), &AGES)? {
        None => Some(None),
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok().map(Some),
    }
}

fn amount(text: &str, units: &[(&str, f64)]) -> Option<Option<f64>> {
    if text == "none" {
        return Some(None);
    }
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit = text[digits..].trim();
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    Some(Some(number * scale)).filter(|amount| amount.is_none_or(f64::is_finite))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("5G", 5_000_000_000),
            ("5 gb", 5_000_000_000),
            ("1.5M", 1_500_000),
            ("2GiB", 2 << 30),
            ("2Gi", 2 << 30),
            ("10k", 10_000),
            ("700", 700),
            ("700B", 700),
            ("0", 0),
        ] {
            assert_eq!(size(text), Some(Some(bytes)), "{text}");
        }
        for (text, hours) in [("90d", 90 * 24), ("12h", 12), ("2w", 14 * 24), ("3", 72), ("0.5 d", 12)] {
            assert_eq!(age(text), Some(Some(Duration::from_secs(hours * 3600))), "{text}");
        }
        assert_eq!((size("none"), age("None")), (Some(None), Some(None)));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "G", "-1", "5X", "5 G 3", "much", "1e3", "1..5", "inf", "5d"] {
            assert_eq!(size(text), None, "{text}");
        }
        for text in ["", "d", "-1d", "5y", "5G", "soon", &"9".repeat(400)] {
            assert_eq!(age(text), None, "{text}");
        }
    }
}
