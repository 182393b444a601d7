//! Failing: `retry` and `reject`, and ways to get there with `?`.

use std::fmt::Display;

use crate::{FlowError, Outcome};

/// What a flow gives back. See [`Build`](crate::Build) for the methods that it has.
pub type FlowResult = Result<Outcome, FlowError>;

impl FlowError {
    /// Something passing is in the way: run the same event again later, with backoff, at most 5 times.
    ///
    /// ```
    /// use hoopoe_sdk::prelude::*;
    ///
    /// fn flow(ctx: &Context, _event: &Event) -> FlowResult {
    ///     if ctx.attempt == 1 {
    ///         return FlowError::retry("not yet");
    ///     }
    ///     Outcome::reply("now")
    /// }
    /// # assert_eq!(flow(&testing::context(), &testing::text("hi")), Err(FlowError::Retry("not yet".into())));
    /// ```
    pub fn retry(reason: impl Into<String>) -> FlowResult {
        Err(FlowError::Retry(reason.into()))
    }

    /// This event cannot be handled: record the reason, and go on with the next.
    pub fn reject(reason: impl Into<String>) -> FlowResult {
        Err(FlowError::Reject(reason.into()))
    }
}

/// Turns what is absent or went wrong into a [`FlowError`].
///
/// ```
/// use hoopoe_sdk::prelude::*;
///
/// fn double(text: &str) -> FlowResult {
///     let number: u32 = text.parse().or_reject("not a number")?;
///     let doubled = number.checked_mul(2).or_reject("too large")?;
///     Outcome::reply(doubled.to_string())
/// }
/// # assert!(double("21").is_ok());
/// assert_eq!(double("x"), Err(FlowError::Reject("not a number: invalid digit found in string".into())));
/// assert_eq!(double("4294967295"), Err(FlowError::Reject("too large".into())));
/// ```
pub trait OrFail<T> {
    /// Run the event again later when there is no value.
    fn or_retry(self, reason: impl Display) -> Result<T, FlowError>;
    /// Give the event up when there is no value.
    fn or_reject(self, reason: impl Display) -> Result<T, FlowError>;
}

impl<T, E: Display> OrFail<T> for Result<T, E> {
    fn or_retry(self, reason: impl Display) -> Result<T, FlowError> {
        self.map_err(|error| FlowError::Retry(format!("{reason}: {error}")))
    }

    fn or_reject(self, reason: impl Display) -> Result<T, FlowError> {
        self.map_err(|error| FlowError::Reject(format!("{reason}: {error}")))
    }
}

impl<T> OrFail<T> for Option<T> {
    fn or_retry(self, reason: impl Display) -> Result<T, FlowError> {
        self.ok_or_else(|| FlowError::Retry(reason.to_string()))
    }

    fn or_reject(self, reason: impl Display) -> Result<T, FlowError> {
        self.ok_or_else(|| FlowError::Reject(reason.to_string()))
    }
}

/// The same input would fail the same way again, so these give the event up.
macro_rules! reject_on {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for FlowError {
            fn from(error: $error) -> Self {
                FlowError::Reject(error.to_string())
            }
        })*
    };
}

reject_on!(
    serde_json::Error,
    std::char::ParseCharError,
    std::fmt::Error,
    std::num::ParseFloatError,
    std::num::ParseIntError,
    std::num::TryFromIntError,
    std::str::ParseBoolError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    Box<dyn std::error::Error>,
    Box<dyn std::error::Error + Send + Sync>,
);
