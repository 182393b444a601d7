//! How a tenant's conversations are kept within Meta's rules: what becomes of messages outside of the window, and by
//! which words people opt out of marketing.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::{Error, Store};

/// How long after the contact's last message free-form messages may be sent. Source: Meta's customer service window.
pub const WINDOW: TimeDelta = TimeDelta::hours(24);

/// What becomes of a free-form message when the contact wrote longer ago than [`WINDOW`]. A contact that never wrote,
/// as far as is known here, is nobody's window: such messages are for Meta to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutsideWindow {
    /// It is refused.
    #[default]
    Refuse,
    /// It goes to Meta all the same.
    Pass,
    /// A template goes out in its place.
    Template,
}

/// A tenant's choices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationSettings {
    /// Outside of the window.
    pub outside_window: OutsideWindow,
    /// The template for [`OutsideWindow::Template`]: a Graph API message without recipient, JSON text.
    pub window_template: Option<String>,
    /// Words that opt out, as [`crate::consent::normalise`] leaves them; absent: those of the release.
    pub stop_words: Option<Vec<String>>,
    /// Words that opt in again.
    pub start_words: Option<Vec<String>>,
    /// What an opt-out is answered; absent: the words of the release; empty: nothing.
    pub stop_answer: Option<String>,
    /// What an opt-in is answered.
    pub start_answer: Option<String>,
    /// Messages that come so soon after the first reach the flow together, 0 to 60; 0: each by itself.
    pub debounce_seconds: i16,
}

impl OutsideWindow {
    /// As in the tables and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Pass => "pass",
            Self::Template => "template",
        }
    }

    /// The choice of this name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Refuse, Self::Pass, Self::Template].into_iter().find(|choice| choice.name() == name)
    }
}

impl Store {
    /// A tenant's choices, or `None` when there is no such tenant.
    pub async fn conversation_settings(&self, tenant_id: Uuid) -> Result<Option<ConversationSettings>, Error> {
        // Primary key.
        let row = sqlx::query!(
            "select outside_window, window_template::text as window_template, stop_words, start_words, stop_answer,
                    start_answer, debounce_seconds
             from tenants where id = $1",
            tenant_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| ConversationSettings {
            outside_window: OutsideWindow::of(&row.outside_window).unwrap_or_default(),
            window_template: row.window_template,
            stop_words: row.stop_words,
            start_words: row.start_words,
            stop_answer: row.stop_answer,
            start_answer: row.start_answer,
            debounce_seconds: row.debounce_seconds,
        }))
    }

    /// Sets a tenant's choices. The window counts from the next message on; words once nobody remembers the routes.
    pub async fn set_conversation_settings(&self, id: Uuid, settings: &ConversationSettings) -> Result<(), Error> {
        sqlx::query!(
            "update tenants set outside_window = $2, window_template = $3::text::json, stop_words = $4,
                 start_words = $5, stop_answer = $6, start_answer = $7, debounce_seconds = $8
             where id = $1",
            id,
            settings.outside_window.name(),
            settings.window_template,
            settings.stop_words.as_deref(),
            settings.start_words.as_deref(),
            settings.stop_answer,
            settings.start_answer,
            settings.debounce_seconds
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
