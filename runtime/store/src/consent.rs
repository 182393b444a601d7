//! Opt-out of marketing: by a word that the contact writes, by its preference in WhatsApp, or by the tenant.
//!
//! A change takes effect in the transaction that stores what brought it, so a repeated webhook changes and answers
//! nothing. Of several wishes the latest by Meta's clock counts, in whatever order they come; of two of one second the
//! opt-out. Every change is written down in `consent_changes`.

mod words;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

pub use words::{Words, normalise};

use crate::contacts::{self, Party, Place, Sighting};
use crate::conversation_settings::WINDOW;
use crate::identity;
use crate::lanes::LaneKey;
use crate::outbound::{self, Addressed, Inserted, Outbound};
use crate::{Error, Store};

/// What an opt-out by a word is answered unless the tenant says otherwise.
pub const STOP_ANSWER: &str = "You will get no more offers from us. Reply START to get them again.";
/// What an opt-in by a word is answered unless the tenant says otherwise.
pub const START_ANSWER: &str = "Welcome back: you will get offers from us again. Reply STOP to end them.";
/// Priority of the answer: a contact waits for it.
const ANSWER: i16 = 0;

/// What a contact wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// No more marketing.
    OptOut,
    /// Marketing again.
    OptIn,
}

/// Where a wish came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The contact wrote a word.
    Message,
    /// Meta's marketing preference.
    Meta,
    /// The tenant.
    Api,
}

/// A wish with its contact.
#[derive(Debug)]
pub(crate) struct Wished<'a> {
    pub party: &'a Party,
    pub place: Place,
    pub wish: Wish,
    pub source: Source,
    pub detail: Option<&'a str>,
    pub event_id: Option<i64>,
    pub at: DateTime<Utc>,
}

/// A change of a contact's consent.
#[derive(Debug, Clone)]
pub struct ConsentChange {
    /// Grows.
    pub id: i64,
    /// The contact.
    pub contact_id: Uuid,
    /// The contact's WhatsApp id.
    pub wa_id: Option<String>,
    /// The contact's business-scoped user id.
    pub user_id: Option<String>,
    /// `opt-out` or `opt-in`.
    pub change: String,
    /// `message`, `meta` or `api`.
    pub source: String,
    /// The word, Meta's words, or the reason that was given.
    pub detail: Option<String>,
    /// The event that brought it.
    pub event_id: Option<i64>,
    /// When the contact wished it, by Meta's clock.
    pub occurred_at: DateTime<Utc>,
    /// When it was written down.
    pub recorded_at: DateTime<Utc>,
}

impl Wish {
    fn change(self) -> &'static str {
        match self {
            Wish::OptOut => "opt-out",
            Wish::OptIn => "opt-in",
        }
    }
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Source::Message => "message",
            Source::Meta => "meta",
            Source::Api => "api",
        }
    }
}

impl Store {
    /// Carries wishes out, and queues the answers to those that changed something. The caller holds the contacts' lanes
    /// of the flow stage, or nothing.
    pub(crate) async fn grant(
        &self,
        db: &mut PgConnection,
        wishes: &mut [Wished<'_>],
        now: DateTime<Utc>,
    ) -> Result<Inserted, sqlx::Error> {
        wishes.sort_by_key(|wished| (wished.at, wished.wish == Wish::OptOut));
        let mut answers: Vec<(Outbound, &Wished<'_>)> = Vec::new();
        for wished in wishes.iter() {
            let is_news = change(db, wished, now).await?;
            if is_news && wished.source == Source::Message && wished.at + WINDOW > now {
                answers.extend(self.answer(db, wished).await?.map(|answer| (answer, wished)));
            }
        }
        self.check_there(db, wishes).await?;
        let addressed: Vec<Addressed<'_>> = answers
            .iter()
            .map(|(message, wished)| Addressed {
                tenant_id: wished.party.tenant_id,
                channel_id: wished.party.channel_id,
                place: wished.place,
                wa_id: wished.party.wa_id.as_deref(),
                user_id: wished.party.user_id.as_deref(),
                message,
                priority: ANSWER,
                own: false,
                lane: None,
            })
            .collect();
        outbound::insert(db, &addressed, now, TimeDelta::zero()).await
    }

    /// Fails when a contact has been merged into another meanwhile: its wish was written down where nobody looks.
    async fn check_there(&self, db: &mut PgConnection, wishes: &[Wished<'_>]) -> Result<(), sqlx::Error> {
        let contact =
            |wished: &Wished<'_>| LaneKey { tenant_id: wished.party.tenant_id, contact_id: wished.place.contact_id };
        let merged = identity::merged_among(db, &wishes.iter().map(contact).collect::<Vec<_>>()).await?;
        if merged.is_empty() {
            return Ok(());
        }
        self.contacts.forget_contacts(&merged);
        Err(identity::merged())
    }

    /// The answer to a wish, unless the tenant wants none.
    async fn answer(&self, db: &mut PgConnection, wished: &Wished<'_>) -> Result<Option<Outbound>, sqlx::Error> {
        // Primary key.
        let of_tenant =
            sqlx::query!("select stop_answer, start_answer from tenants where id = $1", wished.party.tenant_id)
                .fetch_one(db)
                .await?;
        let (chosen, usual) = match wished.wish {
            Wish::OptOut => (of_tenant.stop_answer, STOP_ANSWER),
            Wish::OptIn => (of_tenant.start_answer, START_ANSWER),
        };
        let body = chosen.unwrap_or_else(|| usual.to_owned());
        Ok((!body.is_empty()).then(|| Outbound {
            id: self.ambient.id(),
            kind: "text".to_owned(),
            payload: json!({ "type": "text", "text": { "body": body, "preview_url": false } }).to_string(),
            body: Some(body),
            idempotency_key: wished.event_id.map(|event| format!("consent:{event}")),
            event_id: wished.event_id,
            send_at: None,
            expires_at: None,
            max_attempts: None,
            marketing: false,
            free_form: false,
            trace: None,
        }))
    }

    /// Opts a contact out of marketing or in again on behalf of the tenant. Whether that was news.
    pub async fn set_consent(&self, party: &Party, wish: Wish, reason: Option<&str>) -> Result<bool, Error> {
        match self.try_set_consent(party, wish, reason).await {
            Err(error) if identity::is_merged(&error) => Ok(self.try_set_consent(party, wish, reason).await?),
            done => Ok(done?),
        }
    }

    async fn try_set_consent(&self, party: &Party, wish: Wish, reason: Option<&str>) -> Result<bool, sqlx::Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let sighting = Sighting { party, seen: None, at: None, aside: false, dialed: true };
        let found = contacts::resolve(&mut tx, &self.contacts, &self.ambient, &[sighting]).await?;
        let Some(place) = found.places.get(party).copied() else { return Ok(false) };
        let wished = Wished { party, place, wish, source: Source::Api, detail: reason, event_id: None, at: now };
        let is_news = change(&mut tx, &wished, now).await?;
        self.check_there(&mut tx, &[wished]).await?;
        tx.commit().await?;
        self.contacts.learn(found.learned);
        Ok(is_news)
    }

    /// A page of a tenant's changes of consent, newest first, all before `before`; of one contact when it is named.
    pub async fn consent_changes(
        &self,
        tenant_id: Uuid,
        contact_id: Option<Uuid>,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<ConsentChange>, Error> {
        // Primary keys, the first backwards.
        let changes = sqlx::query_as!(
            ConsentChange,
            "select cc.id, cc.contact_id, ct.wa_id, ct.user_id, cc.change, cc.source, cc.detail, cc.event_id,
                    cc.occurred_at, cc.recorded_at
             from consent_changes cc
             join contacts ct on ct.tenant_id = cc.tenant_id and ct.id = cc.contact_id
             where cc.tenant_id = $1 and cc.id < $2 and ($3::uuid is null or cc.contact_id = $3)
             order by cc.id desc limit $4",
            tenant_id,
            before.unwrap_or(i64::MAX),
            contact_id,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(changes)
    }
}

/// Writes a wish down. Whether it changed what counts.
async fn change(db: &mut PgConnection, wished: &Wished<'_>, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let opts_out = wished.wish == Wish::OptOut;
    // Primary key. A wish that is older than the one that counts is none any more.
    let before = sqlx::query_scalar!(
        "update contacts c set opted_out = $3, consent_at = $4
         from (select opted_out from contacts where tenant_id = $1 and id = $2 for no key update) as b
         where c.tenant_id = $1 and c.id = $2
           and (c.consent_at is null or c.consent_at < $4 or (c.consent_at = $4 and $3))
         returning b.opted_out",
        wished.party.tenant_id,
        wished.place.contact_id,
        opts_out,
        wished.at
    )
    .fetch_optional(&mut *db)
    .await?;
    if before.is_none_or(|before| before == opts_out) {
        return Ok(false);
    }
    sqlx::query!(
        "insert into consent_changes (tenant_id, contact_id, change, source, detail, event_id, occurred_at, recorded_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        wished.party.tenant_id,
        wished.place.contact_id,
        wished.wish.change(),
        wished.source.name(),
        wished.detail,
        wished.event_id,
        wished.at,
        now
    )
    .execute(db)
    .await?;
    Ok(true)
}
