// rsimport
//! How alike are two strings: edit distances, similarities and phonetic codes, and the matrix of two
//! lists of strings.
//!
//! Names and results are those of the Python package jellyfish 1.3. The distances are computed many
//! rows at a time in the bits of a word, by the algorithms of Myers and Hyyrö, and `cdist` works on
//! as many pairs at once as fit into a vector register. Each part names its sources.
//!
//! ```cargo
//! [dependencies]
//! numpy = "0.30"
//! rayon = "1.12"
//! unicode-normalization = "0.1"
//! unicode-segmentation = "1.13"
//! ```

use std::cell::Cell;
use std::collections::HashSet;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use numpy::{Element, PyArray2, PyArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use jaro::Variant;
use matrix::{Distance, Job};
use symbols::{Alphabet, Pair, Symbol, Words};

#[path = "strings/damerau.rs"]
mod damerau;
#[path = "strings/jaro.rs"]
mod jaro;
#[path = "strings/levenshtein.rs"]
mod levenshtein;
#[path = "strings/matrix.rs"]
mod matrix;
#[path = "strings/phonetic.rs"]
mod phonetic;
#[path = "strings/symbols.rs"]
mod symbols;

/// From this many pairs of symbols on, other threads may run meanwhile: a tenth of a millisecond.
const LONG: usize = 1 << 20;
const BETWEEN_SIGNALS: Duration = Duration::from_millis(100);

/// Return how many symbols to insert, delete or replace to turn `a` into `b`.
///
/// A symbol is what a reader takes for one character, an extended grapheme cluster of Unicode: "e"
/// with a combining accent is one symbol, and another one than "é" as a single code point. Normalise
/// first where that matters. The time grows with `len(a) * len(b) / 64`, the memory with their sum.
/// Long strings are compared with the GIL released.
///
/// Source: G. Myers, J. ACM 46 (1999), in the form of H. Hyyrö, Nordic J. Computing 10 (2003).
///
/// Raises TypeError unless both are str, UnicodeEncodeError for lone surrogates, and
/// KeyboardInterrupt at a Ctrl-C in long runs.
#[pyfunction]
fn levenshtein_distance(py: Python<'_>, a: &str, b: &str) -> PyResult<usize> {
    match Pair::new(a, b) {
        Pair::Ascii(a, b) => long_work(py, a, b, |pause| levenshtein::distance(a, b, pause)),
        Pair::Codes(a, b) => long_work(py, &a, &b, |pause| levenshtein::distance(&a, &b, pause)),
    }
}

/// Return how many symbols to insert, delete, replace or swap with their neighbour to turn `a` into
/// `b`.
///
/// This is the unrestricted distance, a true metric: what was swapped may be edited again, so "ca"
/// and "abc" are 2 apart. Symbols are those of `levenshtein_distance`. The time grows with
/// `len(a) * len(b)`, the memory with their sum. Long strings are compared with the GIL released.
///
/// Source: R. Lowrance and R. A. Wagner, J. ACM 22 (1975), in the linear space of C. Zhao and
/// S. Sahni, BMC Bioinformatics 20 (2019).
///
/// Raises what `levenshtein_distance` does.
#[pyfunction]
fn damerau_levenshtein_distance(py: Python<'_>, a: &str, b: &str) -> PyResult<usize> {
    let mut room = Vec::new();
    match Pair::new(a, b) {
        Pair::Ascii(a, b) => long_work(py, a, b, |pause| damerau::distance(a, b, &mut room, pause)),
        Pair::Codes(a, b) => long_work(py, &a, &b, |pause| {
            damerau::distance(&a, &b, &mut room, pause)
        }),
    }
}

/// Return at how many places `a` and `b` differ.
///
/// The symbols that the longer string has in excess count as different. Symbols are those of
/// `levenshtein_distance`.
///
/// Source: R. W. Hamming, "Error detecting and error correcting codes", Bell System Technical
/// Journal 29 (1950).
///
/// Raises TypeError unless both are str, UnicodeEncodeError for lone surrogates.
#[pyfunction]
fn hamming_distance(a: &str, b: &str) -> usize {
    match Pair::new(a, b) {
        Pair::Ascii(a, b) => levenshtein::hamming(a, b),
        Pair::Codes(a, b) => levenshtein::hamming(&a, &b),
    }
}

/// Return the similarity of Jaro, from 0.0 for nothing in common to 1.0 for equal strings.
///
/// It counts symbols that both have at nearly the same place, and how many of them are in another
/// order. Without any such symbol it is 0.0, and so it is for two empty strings. Symbols are those
/// of `levenshtein_distance`.
///
/// Source: M. A. Jaro, J. American Statistical Association 84 (1989).
///
/// Raises TypeError unless both are str, UnicodeEncodeError for lone surrogates.
#[pyfunction]
fn jaro_similarity(a: &str, b: &str) -> f64 {
    jaro_of(a, b, Variant::Jaro)
}

/// Return the similarity of Jaro with Winkler's bonus for an equal start, from 0.0 to 1.0.
///
/// Of two strings with a `jaro_similarity` above 0.7, each of the first four symbols up to a
/// difference takes away a tenth of what is missing to 1. `long_tolerance` adds the adjustment for
/// strings of five and more symbols of which most agree.
///
/// Source: W. E. Winkler, Proc. Section on Survey Research Methods (1990), and his program strcmp95.
///
/// Raises what `jaro_similarity` does.
#[pyfunction]
#[pyo3(signature = (a, b, long_tolerance = None))]
fn jaro_winkler_similarity(a: &str, b: &str, long_tolerance: Option<bool>) -> f64 {
    let is_long = long_tolerance.unwrap_or(false);
    let variant = if is_long {
        Variant::WinklerLong
    } else {
        Variant::Winkler
    };
    jaro_of(a, b, variant)
}

/// Return how many parts two strings share, out of all that either has: from 0.0 to 1.0.
///
/// The parts are words between white space or, with an `ngram_size`, the pieces of so many code
/// points into which the string is cut from its start on; they do not overlap, and the last may be
/// shorter. Two strings without parts have a similarity of 0.0.
///
/// Source: P. Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11 (1912).
///
/// Raises TypeError unless both are str, UnicodeEncodeError for lone surrogates, ValueError if
/// `ngram_size` is 0 and OverflowError if it is negative.
#[pyfunction]
#[pyo3(signature = (a, b, ngram_size = None))]
fn jaccard_similarity(a: &str, b: &str, ngram_size: Option<usize>) -> PyResult<f64> {
    if ngram_size == Some(0) {
        return Err(PyValueError::new_err("ngram_size must be at least 1"));
    }
    let (a, b) = (parts(a, ngram_size), parts(b, ngram_size));
    let shared = a.intersection(&b).count();
    let all = a.len() + b.len() - shared;
    Ok(if all == 0 {
        0.0
    } else {
        shared as f64 / all as f64
    })
}

/// Return the Soundex code of a name: its first letter and three digits, "" for "".
///
/// Names that sound alike in English share a code. Upper and lower case are the same, accents are
/// taken off, and what is no letter parts letters as a vowel does.
///
/// Source: the rules of the United States' National Archives for the census.
///
/// Raises TypeError unless `a` is str, UnicodeEncodeError for lone surrogates.
#[pyfunction]
fn soundex(a: &str) -> String {
    phonetic::soundex(a)
}

/// Return the Metaphone code of a text, its consonants as they sound in English.
///
/// "X" stands for "sh" and "0" for "th". Words keep their spaces, accents are taken off, and what is
/// no letter has no sound.
///
/// Source: L. Philips, "Hanging on the metaphone", Computer Language 7 (1990), as jellyfish has it.
///
/// Raises TypeError unless `a` is str, UnicodeEncodeError for lone surrogates.
#[pyfunction]
fn metaphone(a: &str) -> String {
    phonetic::metaphone(a)
}

/// Return the NYSIIS code of a name, which keeps more of its sound than Soundex does.
///
/// The code may be as long as the name. Letters with accents stand for themselves.
///
/// Source: R. L. Taft, "Name search techniques", New York State Identification and Intelligence
/// System, Special Report 1 (1970).
///
/// Raises TypeError unless `a` is str, UnicodeEncodeError for lone surrogates.
#[pyfunction]
fn nysiis(a: &str) -> String {
    phonetic::nysiis(a)
}

/// Return the codex of the match rating approach: a name without most vowels, six letters at most.
///
/// As in jellyfish, lengths are those of the UTF-8: of more than six bytes, the first and the last
/// three code points stay, even where these overlap.
///
/// Source: G. B. Moore and others, "Accessing individual records from personal data files using
/// non-unique identifiers", National Bureau of Standards, Special Publication 500-2 (1977).
///
/// Raises ValueError for what is no letter and no space, TypeError unless `a` is str,
/// UnicodeEncodeError for lone surrogates.
#[pyfunction]
fn match_rating_codex(a: &str) -> PyResult<String> {
    phonetic::match_rating_codex(a)
        .ok_or_else(|| PyValueError::new_err("the string must consist of letters and spaces"))
}

/// Do two names match by the rating of their codices? None if that cannot be told.
///
/// It cannot where the codices differ by three or more in their length, and for strings that have no
/// codex. Source: that of `match_rating_codex`.
///
/// Raises TypeError unless both are str, UnicodeEncodeError for lone surrogates.
#[pyfunction]
fn match_rating_comparison(a: &str, b: &str) -> Option<bool> {
    let (a, b) = (
        phonetic::match_rating_codex(a)?,
        phonetic::match_rating_codex(b)?,
    );
    phonetic::match_codices(&a, &b)
}

/// Return the matrix of all strings of `left` with all strings of `right`, as a numpy array.
///
/// Its shape is (len(left), len(right)), and each cell is what the function named by `metric` gives
/// for the two: "levenshtein", "damerau_levenshtein" and "hamming" give uint32, "jaro" and
/// "jaro_winkler" give float64. Distances above `score_cutoff` become the largest whole number
/// within it plus one, similarities below it become 0.0.
///
/// `left` and `right` are iterables of str. The work is shared by `threads` threads, as many as there
/// are processors if it is None, and the GIL is released. Levenshtein distances to strings of at most
/// 64 symbols are computed for 8 to 64 pairs at once, the more the shorter the strings of `right`.
///
/// Raises TypeError for what is no str, UnicodeEncodeError for lone surrogates, ValueError for an
/// unknown metric, zero threads, and a cutoff that is nan or negative, OverflowError for negative
/// threads, MemoryError if the matrix has no room, RuntimeError if no threads can be started, and
/// KeyboardInterrupt within a moment of a Ctrl-C.
#[pyfunction]
#[pyo3(signature = (left, right, metric = "levenshtein", score_cutoff = None, threads = None))]
fn cdist<'py>(
    left: &Bound<'py, PyAny>,
    right: &Bound<'py, PyAny>,
    metric: &str,
    score_cutoff: Option<f64>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = left.py();
    if score_cutoff.is_some_and(|cutoff| cutoff.is_nan() || cutoff < 0.0) {
        return Err(PyValueError::new_err("score_cutoff must be at least 0"));
    }
    let threads = threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    if threads == 0 {
        return Err(PyValueError::new_err("threads must be at least 1"));
    }
    let metric = metric_named(metric)?;

    let (left, right) = (strings_of(left, "left")?, strings_of(right, "right")?);
    let mut alphabet = Alphabet::new();
    let left = words(&left, &mut alphabet)?;
    let right = words(&right, &mut alphabet)?;
    let alphabet = alphabet.len();
    let job = Job {
        left,
        right,
        alphabet,
        threads,
    };
    match metric {
        Metric::Distance(metric) => {
            // A float beyond the range of the integers becomes the last of them.
            let cutoff = score_cutoff.map_or(u32::MAX, |cutoff| cutoff as u32);
            fill(py, &job, |cells| job.distances(cells, metric, cutoff))
        }
        Metric::Similarity(variant) => {
            let cutoff = score_cutoff.unwrap_or(0.0);
            fill(py, &job, |cells| job.similarities(cells, variant, cutoff))
        }
    }
}

enum Metric {
    Distance(Distance),
    Similarity(Variant),
}

fn metric_named(name: &str) -> PyResult<Metric> {
    Ok(match name {
        "levenshtein" => Metric::Distance(Distance::Levenshtein),
        "damerau_levenshtein" => Metric::Distance(Distance::DamerauLevenshtein),
        "hamming" => Metric::Distance(Distance::Hamming),
        "jaro" => Metric::Similarity(Variant::Jaro),
        "jaro_winkler" => Metric::Similarity(Variant::Winkler),
        _ => {
            let text = format!(
                "metric must be \"levenshtein\", \"damerau_levenshtein\", \"hamming\", \"jaro\" \
                 or \"jaro_winkler\", not {name:?}"
            );
            return Err(PyValueError::new_err(text));
        }
    })
}

/// Run `work`, with the GIL released if it is long; then its pauses look for signals now and then.
#[inline]
fn long_work<S: Symbol>(
    py: Python<'_>,
    a: &[S],
    b: &[S],
    work: impl FnOnce(&dyn Fn() -> PyResult<()>) -> PyResult<usize> + Send,
) -> PyResult<usize> {
    if a.len().saturating_mul(b.len()) < LONG {
        return work(&|| Ok(()));
    }
    py.detach(|| {
        let last = Cell::new(Instant::now());
        work(&|| {
            if last.get().elapsed() < BETWEEN_SIGNALS {
                return Ok(());
            }
            last.set(Instant::now());
            Python::attach(|py| py.check_signals())
        })
    })
}

fn jaro_of(a: &str, b: &str, variant: Variant) -> f64 {
    match Pair::new(a, b) {
        Pair::Ascii(a, b) => jaro::similarity(a, b, variant),
        Pair::Codes(a, b) => jaro::similarity(&a, &b, variant),
    }
}

fn parts(text: &str, ngram_size: Option<usize>) -> HashSet<&str> {
    let Some(size) = ngram_size else {
        return text.split_whitespace().collect();
    };
    let mut starts = text
        .char_indices()
        .map(|(start, _)| start)
        .step_by(size)
        .peekable();
    let mut parts = HashSet::new();
    while let Some(start) = starts.next() {
        let end = starts.peek().copied().unwrap_or(text.len());
        parts.insert(&text[start..end]);
    }
    parts
}

fn strings_of<'py>(list: &Bound<'py, PyAny>, name: &str) -> PyResult<Vec<Bound<'py, PyString>>> {
    if list.is_instance_of::<PyString>() {
        let text = format!("{name} must hold strings, and is one itself");
        return Err(PyTypeError::new_err(text));
    }
    let mut strings = Vec::new();
    for (index, item) in list.try_iter()?.enumerate() {
        let item = item?;
        let Ok(item) = item.cast::<PyString>() else {
            let kind = item.get_type().name()?;
            let text = format!("{name}[{index}] must be str, not {kind}");
            return Err(PyTypeError::new_err(text));
        };
        strings.push(item.clone());
    }
    Ok(strings)
}

fn words<'a>(strings: &'a [Bound<'_, PyString>], alphabet: &mut Alphabet<'a>) -> PyResult<Words> {
    let mut words = Words::default();
    for string in strings {
        alphabet.push(&mut words, string.to_str()?);
    }
    Ok(words)
}

/// Make the matrix and let `work` fill it without the GIL.
fn fill<'py, T: Element + Copy>(
    py: Python<'py>,
    job: &Job,
    work: impl FnOnce(&mut [T]) -> PyResult<()> + Send,
) -> PyResult<Bound<'py, PyAny>> {
    // numpy's own function raises MemoryError where there is no room.
    let shape = (job.left.len(), job.right.len());
    let matrix = py
        .import("numpy")?
        .call_method1("zeros", (shape, T::get_dtype(py)))?;
    let matrix = matrix.cast_into::<PyArray2<T>>()?;
    let mut cells = matrix.readwrite();
    let cells_of_all_rows = cells.as_slice_mut()?;
    py.detach(|| work(cells_of_all_rows))?;
    drop(cells);
    Ok(matrix.into_any())
}
