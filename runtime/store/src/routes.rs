//! Which tenant an item belongs to: by the number that it came to, or by the business account.

use std::sync::Arc;

use uuid::Uuid;

use crate::consent::Words;
use crate::{Error, Store};

/// Where items of one number go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The owner.
    pub tenant_id: Uuid,
    /// The number.
    pub channel_id: Uuid,
    /// `whatsapp`, `messenger` or `instagram`.
    pub kind: String,
    /// Whether the tenant's flow wants to see statuses.
    pub wants_statuses: bool,
    /// Whether the number as people write it is known.
    pub number_known: bool,
    /// Whether a status has suspended the number: another one may let it go on.
    pub suspended_by_status: bool,
    /// The words by which the tenant's contacts opt out of marketing.
    pub words: Arc<Words>,
    /// Messages that come so soon after the first reach the flow together.
    pub debounce_seconds: i16,
}

/// A channel of a business account.
#[derive(Debug, Clone)]
pub struct AccountChannel {
    /// Meta's id of the account.
    pub waba_id: String,
    /// The number as people write it, digits only, as far as it is known.
    pub number: Option<String>,
    /// Where its items go.
    pub route: Route,
}

/// How an item names its number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// `metadata.phone_number_id`.
    PhoneNumber(String),
    /// `entry.id` of Messenger: a page.
    Page(String),
    /// `entry.id` of Instagram: an account.
    Instagram(String),
    /// `entry.id`, the business account as a whole: of each tenant that has channels there the oldest.
    Account(String),
    /// One of an account's numbers, as people write it, digits only, if the item says which. It stands for the channel
    /// of that number, or, as long as nobody knows which that is, for the account's oldest where all of the account's
    /// are one tenant's.
    NumberOf(String, Option<String>),
}

/// A channel, with what its tenant wants.
struct Row {
    /// Which of the keys names it, from 1.
    place: i64,
    tenant_id: Uuid,
    id: Uuid,
    kind: String,
    wants_statuses: bool,
    number_known: bool,
    suspended_by_status: bool,
    stop_words: Option<Vec<String>>,
    start_words: Option<Vec<String>>,
    debounce_seconds: i16,
}

impl From<Row> for Route {
    fn from(row: Row) -> Self {
        Self {
            tenant_id: row.tenant_id,
            channel_id: row.id,
            kind: row.kind,
            wants_statuses: row.wants_statuses,
            number_known: row.number_known,
            suspended_by_status: row.suspended_by_status,
            words: Words::of(row.stop_words, row.start_words),
            debounce_seconds: row.debounce_seconds,
        }
    }
}

impl Store {
    /// The routes of `keys`, in their order: none for unknown ones, more than one only for an account that tenants
    /// share, the oldest first. One query.
    pub async fn routes(&self, keys: &[Key]) -> Result<Vec<Arc<[Route]>>, Error> {
        let numbers: Vec<Option<&str>> = keys.iter().map(Key::number).collect();
        let accounts: Vec<Option<&str>> = keys.iter().map(Key::account).collect();
        let accounts_of_numbers: Vec<Option<&str>> = keys.iter().map(Key::account_of_number).collect();
        let displayed: Vec<Option<&str>> = keys.iter().map(Key::displayed).collect();
        let kinds: Vec<&str> = keys.iter().map(Key::kind).collect();
        // On the message's way: a server that is away is told of at once.
        let mut db = self.hot.statements().await?;
        // Indexes channels_phone_number_id and channels_waba_id.
        let rows = sqlx::query_as!(
            Row,
            r#"select k.place as "place!", c.tenant_id as "tenant_id!", c.id as "id!",
                      c.kind as "kind!",
                      'status' = any (t.flow_wants) as "wants_statuses!",
                      c.display_phone_number is not null as "number_known!",
                      coalesce(c.by_status, false) as "suspended_by_status!", t.stop_words, t.start_words,
                      t.debounce_seconds
               from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                    with ordinality as k (number, account, account_of_number, displayed, kind, place)
               cross join lateral (
                   (select tenant_id, id, kind, display_phone_number, created_at, taken_at >= suspended_at as by_status
                    from channels
                    where phone_number_id = k.number and kind = k.kind)
                   union all
                   (select distinct on (tenant_id) tenant_id, id, kind, display_phone_number, created_at,
                           taken_at >= suspended_at
                    from channels
                    where waba_id = k.account
                    order by tenant_id, created_at, id)
                   union all
                   (select * from (
                       (select tenant_id, id, kind, display_phone_number, created_at, taken_at >= suspended_at
                        from channels
                        where waba_id = k.account_of_number
                          and regexp_replace(display_phone_number, '[^0-9]', '', 'g') = k.displayed
                        order by created_at, id limit 1)
                       union all
                       (select tenant_id, id, kind, display_phone_number, created_at, taken_at >= suspended_at
                        from channels
                        where waba_id = k.account_of_number
                          and (select count(distinct tenant_id) from channels where waba_id = k.account_of_number) = 1
                        order by created_at, id limit 1)
                    ) as either limit 1)
               ) as c
               join tenants t on t.id = c.tenant_id
               order by k.place, c.created_at, c.id"#,
            &numbers as &[Option<&str>],
            &accounts as &[Option<&str>],
            &accounts_of_numbers as &[Option<&str>],
            &displayed as &[Option<&str>],
            &kinds as &[&str]
        )
        .fetch_all(&mut *db)
        .await?;
        db.commit().await?;
        let mut routes: Vec<Vec<Route>> = vec![Vec::new(); keys.len()];
        for row in rows {
            if let Some(of_key) = usize::try_from(row.place).ok().and_then(|place| routes.get_mut(place - 1)) {
                of_key.push(Route::from(row));
            }
        }
        Ok(routes.into_iter().map(Arc::from).collect())
    }

    /// The tenant's channels that belong to a business account, the oldest first.
    pub async fn account_channels(&self, tenant_id: Uuid) -> Result<Vec<AccountChannel>, Error> {
        // Primary key, by tenant.
        let rows = sqlx::query!(
            r#"select c.waba_id as "waba_id!", regexp_replace(c.display_phone_number, '[^0-9]', '', 'g') as number,
                      c.id, c.kind, 'status' = any (t.flow_wants) as "wants_statuses!",
                      coalesce(c.taken_at >= c.suspended_at, false) as "suspended_by_status!", t.stop_words, t.start_words,
                      t.debounce_seconds
               from channels c join tenants t on t.id = c.tenant_id
               where c.tenant_id = $1 and c.waba_id is not null
               order by c.created_at, c.id"#,
            tenant_id
        )
        .fetch_all(&self.pool)
        .await?;
        let channels = rows.into_iter().map(|row| AccountChannel {
            route: Route {
                tenant_id,
                channel_id: row.id,
                kind: row.kind,
                wants_statuses: row.wants_statuses,
                number_known: row.number.is_some(),
                suspended_by_status: row.suspended_by_status,
                words: Words::of(row.stop_words, row.start_words),
                debounce_seconds: row.debounce_seconds,
            },
            waba_id: row.waba_id,
            number: row.number,
        });
        Ok(channels.collect())
    }

    /// Keeps the number as people write it, as Meta tells it with every webhook; the first that is told stays.
    pub async fn learn_number(&self, route: &Route, display_phone_number: &str) -> Result<(), Error> {
        sqlx::query!(
            "update channels set display_phone_number = $3
             where tenant_id = $1 and id = $2 and display_phone_number is null",
            route.tenant_id,
            route.channel_id,
            display_phone_number
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

impl Key {
    fn number(&self) -> Option<&str> {
        match self {
            Key::PhoneNumber(id) | Key::Page(id) | Key::Instagram(id) => Some(id),
            Key::Account(_) | Key::NumberOf(..) => None,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Key::PhoneNumber(_) | Key::Account(_) | Key::NumberOf(..) => "whatsapp",
            Key::Page(_) => "messenger",
            Key::Instagram(_) => "instagram",
        }
    }

    fn account(&self) -> Option<&str> {
        match self {
            Key::Account(account) => Some(account),
            Key::PhoneNumber(_) | Key::Page(_) | Key::Instagram(_) | Key::NumberOf(..) => None,
        }
    }

    fn account_of_number(&self) -> Option<&str> {
        match self {
            Key::NumberOf(account, _) => Some(account),
            Key::PhoneNumber(_) | Key::Page(_) | Key::Instagram(_) | Key::Account(_) => None,
        }
    }

    fn displayed(&self) -> Option<&str> {
        match self {
            Key::NumberOf(_, displayed) => displayed.as_deref(),
            Key::PhoneNumber(_) | Key::Account(_) | Key::Page(_) | Key::Instagram(_) => None,
        }
    }
}
