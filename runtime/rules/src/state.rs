//! What a conversation remembers between messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fill::clipped;
use crate::limits;

/// The state of a conversation. Fields with one letter keep it small in every row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Variables, by name.
    #[serde(rename = "v", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Where the conversation is, when it waits for something.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
}

/// A step that waits for the next message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    #[serde(rename = "n")]
    pub name: String,
    /// The event that led here. It is the payload of the step's timer: a timer that was late knows that it was.
    #[serde(rename = "e")]
    pub entered: String,
    /// Whether there is a timer.
    #[serde(rename = "t", default, skip_serializing_if = "std::ops::Not::not")]
    pub timed: bool,
}

impl State {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty() && self.step.is_none()
    }

    /// Sets a variable; one that comes out empty is taken away. `false` when it does not fit any more.
    pub(crate) fn set(&mut self, name: &str, value: Option<String>) -> bool {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            self.variables.remove(name);
            return true;
        };
        let value = clipped(value, limits::VALUE);
        let before = self.variables.insert(name.to_owned(), value);
        let fits = self.variables.len() <= limits::CONVERSATION_VARIABLES
            && serde_json::to_string(&self.variables).is_ok_and(|json| json.len() <= limits::VARIABLES_BYTES);
        if !fits {
            match before {
                Some(before) => self.variables.insert(name.to_owned(), before),
                None => self.variables.remove(name),
            };
        }
        fits
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_bounded() {
        let mut state = State::default();
        assert!(state.set("a", Some("x".repeat(5000))));
        assert_eq!(state.variables["a"].len(), limits::VALUE);
        assert!(state.set("a", Some(String::new())) && state.is_empty());
        let long = "\u{1}".repeat(limits::VALUE);
        let fit = (0..100).take_while(|number| state.set(&format!("v{number}"), Some(long.clone()))).count();
        assert_eq!((fit, state.variables.len()), (7, 7));
        assert!(serde_json::to_string(&state).unwrap().len() < 64 << 10);
        assert!(!state.set("v0", Some(format!("{long}{long}"))) || state.variables["v0"] == long);
        assert!(state.set("v0", None) && state.variables.len() == 6);

        let mut state = State::default();
        let fit = (0..200).take_while(|number| state.set(&format!("v{number}"), Some("x".to_owned()))).count();
        assert_eq!(fit, limits::CONVERSATION_VARIABLES);
    }

    #[test]
    fn it_is_small_in_its_row() {
        let mut state = State::default();
        assert_eq!(serde_json::to_string(&state).unwrap(), "{}");
        state.set("language", Some("en".to_owned()));
        state.step = Some(Step { name: "ask".to_owned(), entered: "17".to_owned(), timed: false });
        let json = r#"{"v":{"language":"en"},"s":{"n":"ask","e":"17"}}"#;
        assert_eq!(serde_json::to_string(&state).unwrap(), json);
        assert_eq!(serde_json::from_str::<State>(json).unwrap(), state);
    }
}
