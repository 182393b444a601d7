//! Embedded Signup: how far each number has come. One caller works on a number at a time, for a lease; who comes after a
//! failure goes on where it stopped. The end of a lease tells whose it is: who comes late with a former one changes
//! nothing.

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_secrets::Sealed;
use uuid::Uuid;

use crate::numbers::{self, NewNumber};
use crate::{Error, Store};

/// What Meta's dialog gave, and what for.
#[derive(Debug)]
pub struct SignupRequest<'a> {
    /// The tenant that gets a further number; a new one when absent.
    pub tenant_id: Option<Uuid>,
    /// Meta's id of the number.
    pub phone_number_id: &'a str,
    /// Meta's id of the business account.
    pub waba_id: &'a str,
    /// Meta's id of the business.
    pub business_id: Option<&'a str>,
    /// Of a new tenant.
    pub name: &'a str,
    /// Digest of the code.
    pub code_sha256: [u8; 32],
}

/// A signup and how far it has come.
#[derive(Debug, Clone)]
pub struct Signup {
    /// The tenant, also while it does not exist yet.
    pub tenant_id: Uuid,
    /// Meta's id of the number.
    pub phone_number_id: String,
    /// Meta's id of the business account.
    pub waba_id: String,
    /// Of a new tenant.
    pub name: String,
    /// The last step makes the tenant.
    pub makes_tenant: bool,
    /// What the code was exchanged for, until the last step.
    pub token: Option<Sealed>,
    /// Of the number's two-step verification.
    pub pin: Option<Sealed>,
    /// The app gets the account's webhooks.
    pub subscribed_at: Option<DateTime<Utc>>,
    /// The number is registered.
    pub registered_at: Option<DateTime<Utc>>,
    /// Tenant and channel are there.
    pub completed_at: Option<DateTime<Utc>>,
    /// Until when it is this caller's; the next one's is later.
    pub lease_until: DateTime<Utc>,
}

/// The last step: what makes tenant and channel.
#[derive(Debug)]
pub struct Completion<'a> {
    /// First characters and digest of a new tenant's API key.
    pub key: (&'a str, [u8; 32]),
    /// The number as people write it.
    pub display_phone_number: Option<&'a str>,
    /// The token.
    pub token: &'a Sealed,
    /// Messages per second, when the number has a rate of its own.
    pub rate: Option<f64>,
}

/// Why a signup does not go on.
#[derive(Debug, thiserror::Error)]
pub enum SignupError {
    /// The number belongs to a tenant that the request does not name.
    #[error("phoneNumberId {0} is registered already")]
    PhoneNumberTaken(String),
    /// Somebody else works on it, or has done so since the lease was over.
    #[error("a signup of phoneNumberId {0} is under way")]
    UnderWay(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<sqlx::Error> for SignupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Signup {
    /// Whether a change that asks for the lease found it.
    fn held(&self, rows: u64) -> Result<(), SignupError> {
        if rows == 0 {
            return Err(SignupError::UnderWay(self.phone_number_id.clone()));
        }
        Ok(())
    }
}

impl Store {
    /// Begins a signup, or goes on with the one of the same code, account and number; it is the caller's for `lease`.
    /// Another code begins anew, as after a dialog that was gone through once more.
    pub async fn begin_signup(&self, request: &SignupRequest<'_>, lease: TimeDelta) -> Result<Signup, SignupError> {
        let SignupRequest { phone_number_id, waba_id, .. } = *request;
        let now = self.ambient.now();
        let lease_until = now + lease;
        let mut tx = self.pool.begin().await?;
        // Who comes second waits here for who comes first, also when there is no row yet.
        sqlx::query!("select pg_advisory_xact_lock(hashtextextended('signup/' || $1::text, 0))", phone_number_id)
            .execute(&mut *tx)
            .await?;
        // Index channels_phone_number_id.
        let owner = sqlx::query_scalar!("select tenant_id from channels where phone_number_id = $1", phone_number_id)
            .fetch_optional(&mut *tx)
            .await?;
        // Index signups_phone_number_id.
        let known = sqlx::query!(
            "select tenant_id, waba_id, code_sha256, makes_tenant, lease_until, pin_sealed, pin_key_id from signups
             where phone_number_id = $1",
            phone_number_id
        )
        .fetch_optional(&mut *tx)
        .await?;
        if known.as_ref().is_some_and(|known| known.lease_until.is_some_and(|until| until > now)) {
            return Err(SignupError::UnderWay(phone_number_id.to_owned()));
        }
        let is_same = known.as_ref().is_some_and(|known| {
            let for_it = if known.makes_tenant { None } else { Some(known.tenant_id) };
            known.code_sha256 == request.code_sha256 && known.waba_id == waba_id && for_it == request.tenant_id
        });
        // Who goes through the dialog again before there is a tenant means the same one.
        let planned = known.as_ref().filter(|known| is_same || known.makes_tenant && owner.is_none());
        let planned = planned.filter(|_| is_same || request.tenant_id.is_none()).map(|known| known.tenant_id);
        let tenant_id = planned.or(request.tenant_id).unwrap_or_else(|| self.ambient.id());
        if owner.is_some_and(|owner| owner != tenant_id) {
            return Err(SignupError::PhoneNumberTaken(phone_number_id.to_owned()));
        }
        let mut pin = None;
        if let (Some(known), false) = (known, is_same) {
            // The number itself may have the PIN already.
            pin = known.pin_sealed.zip(known.pin_key_id).filter(|_| known.tenant_id == tenant_id);
            sqlx::query!(
                "delete from signups where tenant_id = $1 and phone_number_id = $2",
                known.tenant_id,
                phone_number_id
            )
            .execute(&mut *tx)
            .await?;
        }
        let row = sqlx::query!(
            "insert into signups (tenant_id, phone_number_id, waba_id, business_id, name, makes_tenant, code_sha256,
                 pin_sealed, pin_key_id, lease_until, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
             on conflict (tenant_id, phone_number_id) do update set lease_until = $10, name = $5,
                 business_id = coalesce($4, signups.business_id), updated_at = $11
             returning name, makes_tenant, token_sealed, token_key_id, pin_sealed, pin_key_id, subscribed_at,
                 registered_at, completed_at",
            tenant_id,
            phone_number_id,
            waba_id,
            request.business_id,
            request.name,
            request.tenant_id.is_none(),
            &request.code_sha256[..],
            pin.as_ref().map(|(sealed, _)| sealed.as_slice()),
            pin.as_ref().map(|(_, key_id)| key_id.as_str()),
            lease_until,
            now
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        let sealed = |bytes: Option<Vec<u8>>, key_id: Option<String>| {
            bytes.zip(key_id).map(|(bytes, key_id)| Sealed { key_id, bytes })
        };
        Ok(Signup {
            tenant_id,
            phone_number_id: phone_number_id.to_owned(),
            waba_id: waba_id.to_owned(),
            name: row.name,
            makes_tenant: row.makes_tenant,
            token: sealed(row.token_sealed, row.token_key_id),
            pin: sealed(row.pin_sealed, row.pin_key_id),
            subscribed_at: row.subscribed_at,
            registered_at: row.registered_at,
            completed_at: row.completed_at,
            lease_until,
        })
    }

    /// Keeps how far a signup has come, while it is the caller's.
    pub async fn keep_signup(&self, signup: &Signup) -> Result<(), SignupError> {
        let kept = sqlx::query!(
            "update signups set token_sealed = $3, token_key_id = $4, pin_sealed = $5, pin_key_id = $6,
                 subscribed_at = $7, registered_at = $8, updated_at = $9
             where tenant_id = $1 and phone_number_id = $2 and lease_until = $10",
            signup.tenant_id,
            signup.phone_number_id,
            signup.token.as_ref().map(|token| token.bytes.as_slice()),
            signup.token.as_ref().map(|token| token.key_id.as_str()),
            signup.pin.as_ref().map(|pin| pin.bytes.as_slice()),
            signup.pin.as_ref().map(|pin| pin.key_id.as_str()),
            signup.subscribed_at,
            signup.registered_at,
            self.ambient.now(),
            signup.lease_until
        )
        .execute(&self.pool)
        .await?;
        signup.held(kept.rows_affected())
    }

    /// Others may go on with it. Nothing happens when it is another's already.
    pub async fn release_signup(&self, signup: &Signup) -> Result<(), Error> {
        sqlx::query!(
            "update signups set lease_until = null
             where tenant_id = $1 and phone_number_id = $2 and lease_until = $3",
            signup.tenant_id,
            signup.phone_number_id,
            signup.lease_until
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The last step, in one transaction: the tenant and its key unless it exists, the channel, and the signup's end.
    /// Nothing happens when it is another's by now. A channel that exists is left as it is: false, and the caller gives
    /// it the token.
    pub async fn complete_signup(&self, signup: &Signup, with: &Completion<'_>) -> Result<bool, SignupError> {
        let Signup { tenant_id, phone_number_id, .. } = signup;
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        if signup.makes_tenant {
            sqlx::query!(
                "insert into tenants (id, name, created_at) values ($1, $2, $3) on conflict (id) do nothing",
                tenant_id,
                signup.name,
                now
            )
            .execute(&mut *tx)
            .await?;
            sqlx::query!(
                "insert into api_keys (tenant_id, id, prefix, sha256, created_at) values ($1, $2, $3, $4, $5)
                 on conflict (sha256) do nothing",
                tenant_id,
                self.ambient.id(),
                with.key.0,
                &with.key.1[..],
                now
            )
            .execute(&mut *tx)
            .await?;
        }
        let number = NewNumber {
            phone_number_id,
            waba_id: Some(&signup.waba_id),
            display_phone_number: with.display_phone_number,
            token: with.token,
            rate: with.rate,
        };
        let inserted = numbers::insert(&mut tx, (*tenant_id, self.ambient.id()), &number, now).await?;
        if inserted.is_none() {
            let known = sqlx::query!(
                "update channels set waba_id = $3 where tenant_id = $1 and phone_number_id = $2",
                tenant_id,
                phone_number_id,
                signup.waba_id
            )
            .execute(&mut *tx)
            .await?;
            if known.rows_affected() == 0 {
                return Err(SignupError::PhoneNumberTaken(phone_number_id.clone()));
            }
        }
        let completed = sqlx::query!(
            "update signups set completed_at = coalesce(completed_at, $3), token_sealed = null, token_key_id = null,
                 lease_until = null, updated_at = $3
             where tenant_id = $1 and phone_number_id = $2 and lease_until = $4",
            tenant_id,
            phone_number_id,
            now,
            signup.lease_until
        )
        .execute(&mut *tx)
        .await?;
        signup.held(completed.rows_affected())?;
        tx.commit().await?;
        Ok(inserted.is_some())
    }
}
