//! What new items tell besides being events: wishes about marketing, and facts of channels.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::rows::Row;
use super::{Arrival, Notice, What};
use crate::Store;
use crate::channel_facts::{self, Told};
use crate::consent::{Source, Wished};
use crate::contacts::{Party, Place};
use crate::webhooks::notices::Notices;

impl Store {
    /// Carries out what the new ones among these rows tell; without any, no statement runs. Gives whether something is
    /// to be sent.
    #[expect(clippy::too_many_arguments, reason = "what the transaction has come to")]
    pub(super) async fn told(
        &self,
        db: &mut PgConnection,
        rows: &[Row<'_>],
        stored: &HashMap<usize, i64>,
        places: &HashMap<Party, Place>,
        arrivals: &[Arc<Arrival>],
        notices: &mut Notices,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        let mut wishes = Vec::new();
        let mut facts = Vec::new();
        for row in rows {
            let Some(event_id) = stored.get(&row.arrival).copied() else { continue };
            let wished = |party, wish, source, detail, at| {
                let place = places.get(party).copied()?;
                Some(Wished { party, place, wish, source, detail, event_id: Some(event_id), at })
            };
            match &*arrivals[row.arrival] {
                Arrival::Message(message) => wishes.extend(message.wish.and_then(|wish| {
                    wished(&message.party, wish, Source::Message, message.body.as_deref(), message.item.said_at())
                })),
                Arrival::Notice(Notice { item, what: What::Preference(party, wish, words) }) => {
                    wishes.extend(wished(party, *wish, Source::Meta, words.as_deref(), item.said_at()));
                }
                Arrival::Notice(Notice { item, what: What::Fact(fact) }) => {
                    let (tenant_id, channel_id) = (item.tenant_id, item.channel_id);
                    facts.push(Told { tenant_id, channel_id, event_id, fact });
                }
                Arrival::Status(_)
                | Arrival::Watermark(_)
                | Arrival::Echo(_)
                | Arrival::Other(_)
                | Arrival::Unrouted(_) => {}
            }
        }
        if !facts.is_empty() {
            channel_facts::record(db, &facts, notices).await?;
        }
        if wishes.is_empty() {
            return Ok(false);
        }
        Ok(self.grant(db, &mut wishes, now).await?.waits)
    }
}
