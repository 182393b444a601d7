//! State between JSON and the flow's own type.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{FlowError, waiting};

/// What the third parameter of a flow can be: `Option<S>` with an `S` that serde can read.
#[diagnostic::on_unimplemented(message = "a flow's state parameter is an `Option<S>` where `S: serde::Deserialize`")]
pub trait StateParameter: Sized {
    /// Read it from what the last run left.
    fn decode(state: Option<&[u8]>) -> Result<Self, FlowError>;
}

impl<S: DeserializeOwned> StateParameter for Option<S> {
    fn decode(state: Option<&[u8]>) -> Result<Self, FlowError> {
        state
            .map(serde_json::from_slice)
            .transpose()
            .map_err(|error| FlowError::Reject(format!("the conversation's state cannot be read: {error}")))
    }
}

/// Take over state as it is, if it can be read.
pub fn keep<P: StateParameter>(state: &[u8]) -> Result<Vec<u8>, String> {
    match P::decode(Some(waiting::open(state).1)) {
        Ok(_) => Ok(state.to_vec()),
        Err(FlowError::Retry(reason) | FlowError::Reject(reason)) => Err(reason),
    }
}

/// Let the flow's own function turn old state into new.
pub fn migrate<O: DeserializeOwned, S: Serialize, E: std::fmt::Display>(
    from_version: &str,
    state: &[u8],
    function: impl FnOnce(&str, O) -> Result<S, E>,
) -> Result<Vec<u8>, String> {
    let (awaited, own) = waiting::open(state);
    let old = serde_json::from_slice(own)
        .map_err(|error| format!("the state of version {from_version} cannot be read: {error}"))?;
    let new = function(from_version, old).map_err(|error| error.to_string())?;
    serde_json::to_vec(&new).map(|new| waiting::seal(awaited, new)).map_err(|error| error.to_string())
}
