//! What must hold for any bytes as a rule set. The fuzz target uses it as well.

use hoopoe_rules::{Effect, Input, Moment, Outcome, Program, RuleSet, State, Zone, limits};

/// 2026-01-01T12:00:00Z.
const NOON: u64 = 1_767_268_800_000;

/// Effects of one message at the most: an action changes ten tags or does one thing; then a fallback and a timer.
const EFFECTS: usize = (limits::CONTINUED_ACTIONS + limits::ACTIONS) * limits::ACTIONS + 2;

/// Nothing panics, what is refused is named with its place, and what is taken runs within the limits. Gives whether it
/// was taken.
pub fn rules(input: &[u8]) -> bool {
    let set: RuleSet = match serde_json::from_slice(input) {
        Ok(set) => set,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    match hoopoe_rules::compile(&set, &zones) {
        Ok(config) => {
            runs(&config);
            true
        }
        Err(problem) => {
            let fields = ["flows", "businessHours", "defaultLanguage", "fallbackTemplateKey"];
            assert!(fields.iter().any(|field| problem.path.starts_with(field)), "no place: {problem}");
            assert!(!problem.message.is_empty(), "no reason: {problem}");
            // It may quote what was given, with escapes.
            let length = problem.to_string().len();
            assert!(length <= 2_000 + 20 * input.len(), "{length} bytes about {}", input.len());
            false
        }
    }
}

fn zones(name: &str) -> Option<Zone> {
    match name {
        "Europe/Berlin" => Some(Zone { first: 3600, changes: vec![(1_774_746_000, 7200)] }),
        "UTC" => Some(Zone { first: 0, changes: Vec::new() }),
        _ => None,
    }
}

/// A short conversation: each message finds what the one before it left.
fn runs(config: &str) {
    assert!(config.len() <= limits::COMPILED, "{} bytes", config.len());
    let program = Program::read(config).unwrap_or_else(|error| panic!("{error}: {config}"));
    let moments = [
        Moment::Message { kind: "text", text: Some("hello, my number is 4711"), reply: None },
        Moment::Timeout { payload: "0" },
        Moment::Message { kind: "button_reply", text: None, reply: Some(("yes", "Yes")) },
        Moment::Message { kind: "image", text: Some("\u{1f99a} Stra\u{df}e \0 {{text}}"), reply: None },
        Moment::Message { kind: "reaction", text: None, reply: None },
    ];
    let mut state = State::default();
    for (number, moment) in moments.into_iter().enumerate() {
        let event_id = number.to_string();
        let input = Input {
            moment,
            event_id: &event_id,
            now: NOON,
            tenant_name: "Acme",
            contact_name: Some("Ada"),
            contact_phone: None,
            contact_username: None,
            tags: &[],
        };
        let outcome = program.run(&input, state).unwrap_or_else(|error| panic!("{error}: {config}"));
        bounded(&outcome);
        state = outcome.state;
    }
}

fn bounded(outcome: &Outcome) {
    let is_within = |text: &str, limit: usize| text.chars().count() <= limit;
    assert!(outcome.effects.len() <= EFFECTS, "{} effects", outcome.effects.len());
    for effect in &outcome.effects {
        let holds = match effect {
            Effect::Template { variables, .. } => {
                variables.len() <= limits::VARIABLES
                    && variables.iter().all(|(_, value)| is_within(value, limits::VALUE * limits::VALUE))
            }
            Effect::Text { body, .. } => !body.trim().is_empty() && is_within(body, limits::TEXT),
            Effect::Buttons { body, header, footer, buttons } => {
                is_within(body, limits::BUTTONS_TEXT)
                    && header.iter().chain(footer).all(|margin| is_within(margin, limits::MARGIN))
                    && (1..=limits::BUTTONS).contains(&buttons.len())
            }
            Effect::Tag { name, .. } => is_within(name, limits::TAG),
            Effect::HandOff(reason) => is_within(reason, limits::REASON),
            Effect::Schedule { due, .. } => *due <= NOON + limits::TIMEOUT * 1000,
            Effect::Cancel => true,
        };
        assert!(holds, "out of bounds: {effect:?}");
    }
    let state = serde_json::to_string(&outcome.state).unwrap_or_default();
    assert!(state.len() <= 64 << 10, "{} bytes of state", state.len());
}
