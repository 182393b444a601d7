//! Answers frequent questions in the customer's language. See the README.

mod config;

use hoopoe_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Question};

/// What a conversation remembers.
#[derive(Default, Serialize, Deserialize)]
struct State {
    /// What the contact has chosen.
    language: Option<String>,
    /// Messages in a row that fitted no question.
    #[serde(default)]
    unknown: u32,
}

#[flow(config_schema = include_str!("../config.schema.json"))]
fn faq(ctx: &Context, event: &Event, state: Option<State>) -> FlowResult {
    let Event::Message(message) = event else { return Outcome::nothing() };
    let config: Config = ctx.config()?;
    let state = state.unwrap_or_default();
    let language = match &state.language {
        Some(language) => language.clone(),
        None => config.language_of(&ctx.conversation.contact).to_owned(),
    };

    if let Some(question) = message.choice().and_then(|id| config.question(id)) {
        return answer(&config, question, &language).state(&State { unknown: 0, ..state });
    }
    let text = message.text().unwrap_or_default().to_lowercase();
    if let Some((question, asked_in)) = config.find(&text, &language) {
        let language = Some(asked_in.to_owned());
        return answer(&config, question, asked_in).state(&State { language, unknown: 0 });
    }
    if let Some(chosen) = config.language_named(&text) {
        return offer(&config, chosen).state(&State { language: Some(chosen.to_owned()), unknown: 0 });
    }
    if state.unknown + 1 >= config.hand_off_after {
        return Outcome::reply(config.texts.hand_off.in_language(&language, &config.default_language))
            .then_hand_off(format!("no question fits: {text}"))
            .state(&State { unknown: 0, ..state });
    }
    offer(&config, &language).state(&State { unknown: state.unknown + 1, ..state })
}

fn answer(config: &Config, question: &Question, language: &str) -> FlowResult {
    match (&question.answer, &question.template) {
        (Some(answer), _) => Outcome::reply(answer.in_language(language, &config.default_language)),
        (None, Some(key)) => Outcome::template(key, []).language(language),
        (None, None) => FlowError::reject(format!("the question `{}` has neither answer nor template", question.id)),
    }
}

/// Say that nothing was understood, and which questions there are.
fn offer(config: &Config, language: &str) -> FlowResult {
    let default = &config.default_language;
    let titles = config.questions.iter().map(|question| (&*question.id, question.title.in_language(language, default)));
    Outcome::reply(config.texts.unknown.in_language(language, default))
        .choices(config.texts.questions.in_language(language, default), titles)
}

#[cfg(test)]
#[path = "../stories.rs"]
mod stories;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stories::stories;

    #[test]
    fn natively() {
        for story in stories() {
            story(testing::Harness::<faq>::new());
        }
    }
}
