//! A text in which many phrases are looked for, most of them in vain.

use std::borrow::Cow;
use std::cell::OnceCell;

/// Pairs of bytes are told apart by this many bits.
const PAIRS: usize = 4096;

/// A text, and which pairs of bytes it has.
pub(super) struct Seen<'a> {
    pub text: Cow<'a, str>,
    pairs: [u64; PAIRS / 64],
    /// Where words can begin: before which there is no letter or digit.
    beginnings: OnceCell<Vec<usize>>,
}

impl<'a> Seen<'a> {
    pub fn new(text: Cow<'a, str>) -> Self {
        let mut pairs = [0; PAIRS / 64];
        for pair in text.as_bytes().windows(2) {
            let (word, bit) = place(pair);
            pairs[word] |= bit;
        }
        Self { text, pairs, beginnings: OnceCell::new() }
    }

    /// Whether the text has the phrase.
    pub fn contains(&self, phrase: &str) -> bool {
        self.may_contain(phrase) && self.text.contains(phrase)
    }

    /// Whether the text has the phrase with no letter or digit right before or behind it.
    pub fn contains_words(&self, phrase: &str) -> bool {
        let phrase = phrase.trim();
        let Some(first) = phrase.bytes().next().filter(|_| self.may_contain(phrase)) else { return false };
        let text = &*self.text;
        let beginnings = self.beginnings.get_or_init(|| beginnings(text));
        beginnings.iter().any(|at| {
            text.as_bytes()[*at] == first
                && text[*at..].strip_prefix(phrase).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        })
    }

    /// False when the phrase has a pair that the text has not: much cheaper than a search.
    fn may_contain(&self, phrase: &str) -> bool {
        phrase.as_bytes().windows(2).all(|pair| {
            let (word, bit) = place(pair);
            self.pairs[word] & bit != 0
        })
    }
}

/// The place of a pair: a word, and a bit in it.
fn place(pair: &[u8]) -> (usize, u64) {
    let number = ((usize::from(pair[0]) << 4) ^ usize::from(pair[1])) % PAIRS;
    (number / 64, 1 << (number % 64))
}

fn beginnings(text: &str) -> Vec<usize> {
    let mut was_letter = false;
    let places = text.char_indices().filter_map(|(at, char)| {
        let begins = !std::mem::replace(&mut was_letter, char.is_alphanumeric());
        begins.then_some(at)
    });
    places.collect()
}
