//! The configuration, and what is found in it.

use std::collections::BTreeMap;

use hoopoe_sdk::Contact;
use serde::Deserialize;

/// The tenant's configuration, see `config.schema.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    pub(crate) default_language: String,
    languages: BTreeMap<String, String>,
    #[serde(default)]
    countries: BTreeMap<String, String>,
    pub(crate) texts: Said,
    #[serde(default = "two")]
    pub(crate) hand_off_after: u32,
    pub(crate) questions: Vec<Question>,
}

fn two() -> u32 {
    2
}

/// What the flow says besides answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Said {
    pub(crate) unknown: Texts,
    pub(crate) hand_off: Texts,
    #[serde(default)]
    pub(crate) questions: Texts,
}

#[derive(Deserialize)]
pub(crate) struct Question {
    pub(crate) id: String,
    pub(crate) title: Texts,
    words: BTreeMap<String, Vec<String>>,
    pub(crate) answer: Option<Texts>,
    pub(crate) template: Option<String>,
}

/// A text by language.
#[derive(Default, Deserialize)]
pub(crate) struct Texts(BTreeMap<String, String>);

impl Texts {
    /// The text in this language, else in the language without its country, else in the default language.
    pub(crate) fn in_language(&self, language: &str, default: &str) -> &str {
        let texts = fallback(language, default).into_iter().filter_map(|language| self.0.get(language));
        texts.map(String::as_str).next().unwrap_or("?")
    }
}

/// `pt_BR`, `pt`, default.
fn fallback<'a>(language: &'a str, default: &'a str) -> [&'a str; 3] {
    [language, language.split('_').next().unwrap_or(language), default]
}

impl Config {
    pub(crate) fn question(&self, id: &str) -> Option<&Question> {
        self.questions.iter().find(|question| question.id == id)
    }

    /// The language of the country that the contact's number begins with, else the default.
    pub(crate) fn language_of(&self, contact: &Contact) -> &str {
        let number = contact.wa_id.as_deref().unwrap_or_default();
        let matching = self.countries.iter().filter(|(digits, _)| number.starts_with(digits.as_str()));
        matching.max_by_key(|(digits, _)| digits.len()).map_or(&self.default_language, |(_, language)| language)
    }

    /// The language that is called so, in lower case.
    pub(crate) fn language_named(&self, text: &str) -> Option<&str> {
        let named = self.languages.iter().find(|(_, name)| name.to_lowercase() == text);
        named.map(|(language, _)| language.as_str())
    }

    /// The first question of which a text in lower case has a word, and the language to answer in: the contact's when
    /// it has the word, else the one that has it.
    pub(crate) fn find<'a>(&'a self, text: &str, language: &'a str) -> Option<(&'a Question, &'a str)> {
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
        let find_in = |language: &str| self.questions.iter().find(|question| question.has_one_of(&words, language));
        let [own, general, default] = fallback(language, &self.default_language);
        if let Some(question) = find_in(own).or_else(|| find_in(general)) {
            return Some((question, language));
        }
        let others = std::iter::once(default).chain(self.languages.keys().map(String::as_str));
        others.into_iter().find_map(|other| Some((find_in(other)?, other)))
    }
}

impl Question {
    fn has_one_of(&self, words: &[&str], language: &str) -> bool {
        let mut wanted = self.words.get(language).into_iter().flatten();
        wanted.any(|wanted| words.contains(&wanted.to_lowercase().as_str()))
    }
}
