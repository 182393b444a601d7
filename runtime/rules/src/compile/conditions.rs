//! What a rule asks for.

use super::{Compiler, Groups, Problem, text};
use crate::fold::fold;
use crate::limits;
use crate::pattern;
use crate::schema::{Fold, Kind, Match, OneOrMany};
use crate::wire::Writer;

/// The conditions of one rule.
pub(super) struct Conditions<'a, 'b> {
    pub compiler: &'a mut Compiler<'b>,
    pub groups: &'a mut Groups,
    pub is_timeout: bool,
}

/// What holds for nested conditions as well.
#[derive(Clone, Copy, Default)]
struct Options {
    fold: Fold,
    words: bool,
    /// Within a `not`, where nothing is caught.
    negated: bool,
    depth: usize,
}

impl Conditions<'_, '_> {
    /// Writes one node for a match that asks for one thing, an `&` node for one that asks for more.
    pub fn write(&mut self, path: &str, matches: &Match, writer: &mut Writer) -> Result<(), Problem> {
        self.all_of(path, matches, Options::default(), writer)
    }

    fn all_of(&mut self, path: &str, matches: &Match, outer: Options, writer: &mut Writer) -> Result<(), Problem> {
        if outer.depth > limits::NESTING {
            let message = format!("all, any and not are nested more than {} deep", limits::NESTING);
            return Err(Problem::new(path, message));
        }
        let options = Options {
            fold: matches.fold.unwrap_or(outer.fold),
            words: matches.words.unwrap_or(outer.words),
            depth: outer.depth + 1,
            ..outer
        };
        let mut inner = Writer::default();
        let count = self.each(path, matches, options, &mut inner)?;
        match count {
            0 => {
                let message = "it asks for nothing; give it a condition, or leave match out for a rule that always \
                               matches";
                Err(Problem::new(path, message))
            }
            1 => {
                writer.text.push_str(&inner.text);
                Ok(())
            }
            _ => {
                writer.leaf('&', &inner.text);
                Ok(())
            }
        }
    }

    /// Cheap conditions first: what fails at once spares the others.
    fn each(&mut self, path: &str, matches: &Match, options: Options, writer: &mut Writer) -> Result<usize, Problem> {
        let mut count = 0;
        if let Some(kinds) = &matches.kind {
            self.needs_message(path, "kind")?;
            list(&format!("{path}.kind"), kinds)?;
            writer.node('k', |writer| {
                kinds.places().for_each(|(_, kind)| writer.leaf('v', kind.name()));
                Ok(())
            })?;
            count += 1;
        }
        count += self.phrases(path, "reply_id", &matches.reply_id, ('b', ""), str::to_owned, writer)?;
        count += self.phrases(path, "tags", &matches.tags, ('t', ""), str::to_owned, writer)?;
        if let Some(languages) = &matches.language {
            let path = format!("{path}.language");
            list(&path, languages)?;
            writer.node('l', |writer| {
                for (place, language) in languages.places() {
                    let language = text::language(&text::at(&path, place), language)?;
                    writer.leaf('v', &language.to_ascii_lowercase());
                }
                Ok(())
            })?;
            count += 1;
        }
        count += self.hours(path, &matches.business_hours, writer)?;
        count += self.variables(path, matches, writer)?;
        let folded = |text: &str| fold(text.trim(), options.fold).into_owned();
        let level = level(options.fold);
        count += self.phrases(path, "exact", &matches.exact, ('e', level), folded, writer)?;
        count += self.phrases(path, "starts_with", &matches.starts_with, ('p', level), folded, writer)?;
        let tag = if options.words { 'w' } else { 'c' };
        let folded = |text: &str| fold(text, options.fold).into_owned();
        count += self.phrases(path, "contains", &matches.contains, (tag, level), folded, writer)?;
        if let Some(patterns) = &matches.regex {
            self.regexes(path, patterns, options, writer)?;
            count += 1;
        }
        for (name, tag, nested) in [("all", '&', &matches.all), ("any", '|', &matches.any)] {
            let Some(nested) = nested else { continue };
            let path = format!("{path}.{name}");
            length(&path, nested.len())?;
            writer.node(tag, |writer| {
                let mut nested = nested.iter().enumerate();
                nested.try_for_each(|(place, one)| self.all_of(&format!("{path}[{place}]"), one, options, writer))
            })?;
            count += 1;
        }
        if let Some(nested) = &matches.not {
            let options = Options { negated: true, ..options };
            writer.node('!', |writer| self.all_of(&format!("{path}.not"), nested, options, writer))?;
            count += 1;
        }
        Ok(count)
    }

    /// A list of texts; `level` says how they are compared.
    fn phrases(
        &mut self,
        path: &str,
        field: &str,
        phrases: &Option<OneOrMany<String>>,
        (tag, level): (char, &str),
        fold: impl Fn(&str) -> String,
        writer: &mut Writer,
    ) -> Result<usize, Problem> {
        let Some(phrases) = phrases else { return Ok(0) };
        if field != "tags" {
            self.needs_message(path, field)?;
        }
        let path = format!("{path}.{field}");
        list(&path, phrases)?;
        if !level.is_empty() {
            self.compiler.phrases += phrases.places().count();
            if self.compiler.phrases > limits::PHRASES {
                let message = format!("with these, there are more than {} phrases; use fewer", limits::PHRASES);
                return Err(Problem::new(path, message));
            }
        }
        writer.node(tag, |writer| {
            writer.text.push_str(level);
            for (place, phrase) in phrases.places() {
                let path = text::at(&path, place);
                let folded = fold(text::visible(&path, phrase, limits::PHRASE)?);
                if folded.trim().is_empty() {
                    return Err(Problem::new(path, "it is empty without accents; give it a letter, or another fold"));
                }
                writer.leaf('v', &folded);
            }
            Ok(())
        })?;
        Ok(1)
    }

    fn hours(&self, path: &str, names: &Option<OneOrMany<String>>, writer: &mut Writer) -> Result<usize, Problem> {
        let Some(names) = names else { return Ok(0) };
        let path = format!("{path}.business_hours");
        list(&path, names)?;
        writer.node('h', |writer| {
            for (place, name) in names.places() {
                let hours = self.compiler.hours.get(name.as_str()).ok_or_else(|| {
                    let message = format!("businessHours of the rule set has no {name:?}");
                    Problem::new(text::at(&path, place), message)
                })?;
                writer.leaf('v', &hours.to_string());
            }
            Ok(())
        })?;
        Ok(1)
    }

    fn variables(&self, path: &str, matches: &Match, writer: &mut Writer) -> Result<usize, Problem> {
        let Some(variables) = &matches.variables else { return Ok(0) };
        let path = format!("{path}.variables");
        length(&path, variables.len())?;
        for (name, values) in variables {
            let path = format!("{path}.{name}");
            text::name(&path, name)?;
            writer.node('V', |writer| {
                writer.leaf('n', name);
                let Some(values) = values else { return Ok(()) };
                list(&path, values)?;
                for (place, value) in values.places() {
                    writer.leaf('v', text::bounded(&text::at(&path, place), value, limits::PHRASE)?);
                }
                Ok(())
            })?;
        }
        Ok(variables.len())
    }

    fn regexes(
        &mut self,
        path: &str,
        patterns: &OneOrMany<String>,
        options: Options,
        writer: &mut Writer,
    ) -> Result<(), Problem> {
        self.needs_message(path, "regex")?;
        let path = format!("{path}.regex");
        list(&path, patterns)?;
        for (place, pattern) in patterns.places() {
            let path = text::at(&path, place);
            text::bounded(&path, pattern, limits::PATTERN)?;
            let weight = pattern::weigh(pattern, options.fold).map_err(|message| Problem::new(&path, message))?;
            self.compiler.regexes += weight;
            if self.compiler.regexes > limits::REGEXES {
                let message = format!(
                    "it takes {weight} bytes when it is compiled, and with it all regular expressions more than {}; \
                     use fewer or smaller ones, or exact, starts_with and contains",
                    limits::REGEXES
                );
                return Err(Problem::new(path, message));
            }
            if !options.negated {
                let (most, names) = pattern::groups(pattern, options.fold);
                self.groups.any = true;
                self.groups.most = self.groups.most.max(most);
                self.groups.names.extend(names);
            }
        }
        writer.node('r', |writer| {
            writer.text.push_str(level(options.fold));
            patterns.places().for_each(|(_, pattern)| writer.leaf('v', pattern));
            Ok(())
        })
    }

    fn needs_message(&self, path: &str, field: &str) -> Result<(), Problem> {
        if self.is_timeout {
            return Err(Problem::new(format!("{path}.{field}"), "there is no message on a timeout; leave it out"));
        }
        Ok(())
    }
}

fn list<T>(path: &str, list: &OneOrMany<T>) -> Result<(), Problem> {
    length(path, list.places().count())
}

fn length(path: &str, length: usize) -> Result<(), Problem> {
    if (1..=limits::LIST).contains(&length) {
        return Ok(());
    }
    Err(Problem::new(path, format!("it has {length} entries; give it 1 to {}", limits::LIST)))
}

/// As a character in front of the texts to compare with.
fn level(fold: Fold) -> &'static str {
    match fold {
        Fold::None => "0",
        Fold::Case => "1",
        Fold::CaseAndAccents => "2",
    }
}

impl Kind {
    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Image => "image",
            Kind::Video => "video",
            Kind::Audio => "audio",
            Kind::Document => "document",
            Kind::Sticker => "sticker",
            Kind::Location => "location",
            Kind::Contacts => "contacts",
            Kind::Reaction => "reaction",
            Kind::ButtonReply => "button_reply",
            Kind::ListReply => "list_reply",
            Kind::FormReply => "form_reply",
            Kind::CallPermissionReply => "call_permission_reply",
            Kind::TemplateButton => "template_button",
            Kind::Order => "order",
            Kind::System => "system",
            Kind::Edit => "edit",
            Kind::Revoke => "revoke",
            Kind::Unsupported => "unsupported",
            Kind::Unknown => "unknown",
        }
    }
}
