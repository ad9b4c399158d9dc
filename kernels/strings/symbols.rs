//! Strings as slices of comparable symbols, one for each user-perceived character.

use std::collections::HashMap;
use std::hash::Hash;

use unicode_segmentation::UnicodeSegmentation;

/// Codes from here on stand for clusters of several code points; the code of a single one is itself.
const FIRST_CLUSTER: u32 = 0x11_0000;
/// No code point below this one joins its neighbours, but for the pair CR LF.
const FIRST_COMBINING: char = '\u{300}';
/// Code points below this one have a place of their own in a table.
const LATIN: usize = 256;
/// Twice the symbols that a pattern of 64 can have, so that a free slot is always near.
const SLOTS: usize = 128;

/// What strings are compared by.
pub trait Symbol: Copy + Eq + Hash + Send + Sync {
    type Masks: Masks<Self>;
}

/// Where each symbol stands in a pattern of at most 64 symbols; the lowest bit is the first place.
pub trait Masks<S> {
    fn new(pattern: &[S]) -> Self;
    fn get(&self, symbol: S) -> u64;
}

impl Symbol for u8 {
    type Masks = AsciiMasks;
}

impl Symbol for u32 {
    type Masks = CodeMasks;
}

pub struct AsciiMasks([u64; 128]);

impl Masks<u8> for AsciiMasks {
    #[inline]
    fn new(pattern: &[u8]) -> Self {
        let mut masks = [0; 128];
        for (place, &byte) in pattern.iter().enumerate() {
            masks[usize::from(byte & 127)] |= 1 << place;
        }
        Self(masks)
    }

    #[inline]
    fn get(&self, byte: u8) -> u64 {
        self.0[usize::from(byte & 127)]
    }
}

/// A table for the codes of Latin-1, and a hash table with open addressing for all others.
pub struct CodeMasks {
    latin: [u64; LATIN],
    others: [(u32, u64); SLOTS],
}

impl Masks<u32> for CodeMasks {
    fn new(pattern: &[u32]) -> Self {
        let mut masks = Self {
            latin: [0; LATIN],
            others: [(0, 0); SLOTS],
        };
        for (place, &code) in pattern.iter().enumerate() {
            let mask = match masks.latin.get_mut(code as usize) {
                Some(mask) => mask,
                None => {
                    let slot = masks.slot(code);
                    masks.others[slot].0 = code;
                    &mut masks.others[slot].1
                }
            };
            *mask |= 1 << place;
        }
        masks
    }

    fn get(&self, code: u32) -> u64 {
        match self.latin.get(code as usize) {
            Some(&mask) => mask,
            None => self.others[self.slot(code)].1,
        }
    }
}

impl CodeMasks {
    /// The slot of a code, or the free one where it belongs: a mask of zero marks those.
    fn slot(&self, code: u32) -> usize {
        let mut slot = code as usize % SLOTS;
        while self.others[slot].1 != 0 && self.others[slot].0 != code {
            slot = (slot + 1) % SLOTS;
        }
        slot
    }
}

/// Two strings in the narrowest symbols that hold them both.
pub enum Pair<'a> {
    /// ASCII is read where Python keeps it.
    Ascii(&'a [u8], &'a [u8]),
    Codes(Vec<u32>, Vec<u32>),
}

impl<'a> Pair<'a> {
    #[inline]
    pub fn new(a: &'a str, b: &'a str) -> Self {
        if is_plain_ascii(a) && is_plain_ascii(b) {
            return Self::Ascii(a.as_bytes(), b.as_bytes());
        }
        let mut clusters = Clusters::default();
        let mut codes = [Vec::with_capacity(a.len()), Vec::with_capacity(b.len())];
        clusters.read(a, |code| codes[0].push(code));
        clusters.read(b, |code| codes[1].push(code));
        let [a, b] = codes;
        Self::Codes(a, b)
    }
}

/// Many strings, one after the other, in symbols numbered from 0 so that they index tables.
#[derive(Default)]
pub struct Words {
    symbols: Vec<u32>,
    ends: Vec<usize>,
}

impl Words {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Number of symbols in all words.
    pub fn size(&self) -> usize {
        self.symbols.len()
    }

    pub fn get(&self, index: usize) -> &[u32] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.symbols[start..self.ends[index]]
    }
}

/// The numbers of the symbols of several `Words`, which can then be compared.
pub struct Alphabet<'a> {
    clusters: Clusters<'a>,
    ascii: [Option<u32>; 128],
    others: HashMap<u32, u32>,
    len: u32,
}

impl<'a> Alphabet<'a> {
    pub fn new() -> Self {
        Self {
            clusters: Clusters::default(),
            ascii: [None; 128],
            others: HashMap::new(),
            len: 0,
        }
    }

    /// How many symbols have a number.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    pub fn push(&mut self, words: &mut Words, text: &'a str) {
        let Self {
            clusters,
            ascii,
            others,
            len,
        } = self;
        clusters.read(text, |code| {
            let number = match ascii.get_mut(code as usize) {
                Some(number) => number.get_or_insert(*len),
                None => others.entry(code).or_insert(*len),
            };
            // A symbol that was new took the next number.
            *len += u32::from(*number == *len);
            words.symbols.push(*number);
        });
        words.ends.push(words.symbols.len());
    }
}

/// Codes of user-perceived characters: extended grapheme clusters as of Unicode's Annex 29.
#[derive(Default)]
struct Clusters<'a> {
    known: HashMap<&'a str, u32>,
}

impl<'a> Clusters<'a> {
    fn read(&mut self, text: &'a str, mut each: impl FnMut(u32)) {
        if text.chars().all(|c| c < FIRST_COMBINING && c != '\r') {
            text.chars().for_each(|c| each(c.into()));
            return;
        }
        for cluster in text.graphemes(true) {
            let mut chars = cluster.chars();
            match (chars.next(), chars.next()) {
                (Some(only), None) => each(only.into()),
                _ => {
                    let next = FIRST_CLUSTER + self.known.len() as u32;
                    each(*self.known.entry(cluster).or_insert(next));
                }
            }
        }
    }
}

/// Is every byte a user-perceived character? CR LF would be one of two bytes.
#[inline]
fn is_plain_ascii(text: &str) -> bool {
    // Without an early exit the loop is compiled into vector instructions.
    text.bytes().fold(true, |plain, byte| {
        plain & byte.is_ascii() & (byte != b'\r')
    })
}
