//! The state of access tokens: looked at when one is given, and from time to time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use hoopoe_protocol::graph::Failure;
use hoopoe_protocol::graph::management::{MESSAGING, TokenInfo};
use hoopoe_shared::Shared;
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_store::channel_tokens::{TokenCheck, TokenState};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{App, MOCK, Onboarding};

/// How long somebody who gives a token waits for Meta's word on it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Tokens that are taken at once, and asked for at the same time.
const BATCH: i64 = 64;
const AT_ONCE: usize = 8;
/// How long a token belongs to the process that took it; longer than its batch can last.
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// When Meta could not be asked.
const AGAIN: TimeDelta = TimeDelta::minutes(5);
/// How often channels are looked for that nobody checks.
const ADOPT_EVERY: Duration = Duration::from_secs(3600);

/// What a look at a token found.
#[derive(Debug)]
pub enum Look {
    /// Meta takes it, or it is a mock.
    Good(TokenState),
    /// Meta does not take it: why.
    Refused(String),
    /// Nobody knows: Meta does not answer, or not so that it can be read.
    Unknown(String),
}

impl Onboarding {
    /// Looks at a token that somebody gives, for some seconds at the longest.
    pub async fn look(&self, tenant_id: Uuid, token: &SecretString) -> Result<Look, hoopoe_store::Error> {
        if token.expose_secret().starts_with(MOCK) {
            return Ok(Look::Good(mock(self.inner.store.ambient.now())));
        }
        let app = self.app_of(tenant_id).await?;
        let now = self.inner.store.ambient.now();
        Ok(match tokio::time::timeout(PATIENCE, self.inner.meta.inspect(token, app.as_ref())).await {
            Ok(Ok(info)) if info.valid => Look::Good(state_of(info, now)),
            Ok(Ok(info)) => Look::Refused(info.reason.unwrap_or_default()),
            Ok(Err(failure)) => Look::Unknown(failure.message),
            Err(_) => Look::Unknown(format!("Meta did not answer within {} s", PATIENCE.as_secs())),
        })
    }

    /// Keeps what a look found of the number's token, which the look was at. What nobody knows is asked again soon.
    pub async fn keep(
        &self,
        tenant_id: Uuid,
        phone_number_id: &str,
        token: &SecretString,
        look: &Look,
    ) -> Result<(), hoopoe_store::Error> {
        let inner = &self.inner;
        let Some(check) = inner.store.token_of(tenant_id, phone_number_id).await? else { return Ok(()) };
        // Somebody may have given another one meanwhile.
        let current = inner.master_key.open(tenant_id, &check.token);
        if current.is_ok_and(|current| current.expose_secret() == token.expose_secret())
            && let Look::Good(state) = look
        {
            inner.store.keep_token_state(&check, state, self.next_check(state), inner.settings.warning).await?;
        }
        Ok(())
    }

    /// Checks the tokens whose turn it is, until `stop`. Of several processes one takes each.
    pub async fn watch(self, shared: Shared, stop: CancellationToken) {
        let mut adopted: Option<tokio::time::Instant> = None;
        loop {
            let store = &self.inner.store;
            if adopted.is_none_or(|at| at.elapsed() >= ADOPT_EVERY) {
                match store.adopt_tokens().await {
                    Ok(_) => adopted = Some(tokio::time::Instant::now()),
                    Err(error) => tracing::warn!(%error, "could not look for tokens that nobody checks"),
                }
            }
            let checked = stop.run_until_cancelled(self.check_due(&shared)).await;
            let is_busy = match checked {
                None => return,
                Some(Ok(count)) => count >= BATCH as usize,
                Some(Err(error)) => {
                    tracing::warn!(%error, "could not check access tokens; trying again soon");
                    false
                }
            };
            if !is_busy && stop.run_until_cancelled(tokio::time::sleep(self.inner.settings.poll)).await.is_none() {
                return;
            }
        }
    }

    async fn check_due(&self, shared: &Shared) -> Result<usize, hoopoe_store::Error> {
        let due = self.inner.store.claim_token_checks(BATCH, LEASE).await?;
        for some in due.chunks(AT_ONCE) {
            join_all(some.iter().map(|check| self.check_or_say(check, shared))).await;
        }
        Ok(due.len())
    }

    /// What cannot be checked is somebody's again when the lease is over.
    async fn check_or_say(&self, check: &TokenCheck, shared: &Shared) {
        if let Err(error) = self.check(check, shared).await {
            tracing::warn!(tenant = %check.tenant_id, %error, "could not check an access token; trying again soon");
        }
    }

    async fn check(&self, check: &TokenCheck, shared: &Shared) -> Result<(), hoopoe_store::Error> {
        let inner = &self.inner;
        let (tenant, number) = (check.tenant_id, &check.phone_number_id);
        let now = inner.store.ambient.now();
        let token = match inner.master_key.open(tenant, &check.token) {
            Ok(token) => token,
            Err(error) => {
                tracing::error!(%tenant, number, %error, "an access token cannot be opened");
                return inner.store.put_off_token_check(check, &error.to_string(), now + AGAIN).await;
            }
        };
        let found: Result<TokenState, Failure> = if token.expose_secret().starts_with(MOCK) {
            Ok(mock(now))
        } else {
            let app = self.app_of(tenant).await?;
            inner.meta.inspect(&token, app.as_ref()).await.map(|info| state_of(info, now))
        };
        let state = match found {
            Ok(state) => state,
            Err(failure) => {
                tracing::warn!(%tenant, number, reason = failure.message, "Meta says nothing of an access token");
                return inner.store.put_off_token_check(check, &failure.message, now + AGAIN).await;
            }
        };
        let next = self.next_check(&state);
        if !inner.store.keep_token_state(check, &state, next, inner.settings.warning).await? {
            return Ok(());
        }
        match &state {
            TokenState { valid: Some(false), reason, .. } => {
                let reason = format!("its access token is not valid: {}", reason.as_deref().unwrap_or_default());
                tracing::warn!(%tenant, number, reason, "a channel is suspended");
                inner.store.suspend_channel(tenant, check.channel_id, Some(&check.token), &reason).await?;
                shared.forget(Forget::One(Cache::Channels, tenant.to_string()));
            }
            TokenState { valid: Some(true), scopes, .. } if !scopes.iter().any(|scope| scope == MESSAGING) => {
                tracing::warn!(%tenant, number, ?scopes, "an access token does not permit {MESSAGING}");
            }
            _ => {}
        }
        Ok(())
    }

    /// After the usual time, a tenth sooner at the most, so that tokens which came together are not checked together;
    /// and not later than the token ends.
    fn next_check(&self, state: &TokenState) -> DateTime<Utc> {
        let (now, every) = (self.inner.store.ambient.now(), self.inner.settings.check_every);
        let tenth = usize::try_from((every / 10).num_seconds()).unwrap_or(0);
        let sooner = i64::try_from(self.inner.store.ambient.below(tenth + 1)).unwrap_or(0);
        let usual = now + every - TimeDelta::seconds(sooner);
        match state.ends_at() {
            Some(end) if end > now => usual.min(end + TimeDelta::seconds(1)),
            _ => usual,
        }
    }

    /// Who may look at the tenant's tokens: its own app, or the platform's.
    async fn app_of(&self, tenant_id: Uuid) -> Result<Option<App>, hoopoe_store::Error> {
        let own = self.inner.store.meta_app(tenant_id).await?;
        let own = own.and_then(|own| {
            let secret = self.inner.master_key.open(tenant_id, &own.secret).ok()?;
            Some(App { id: own.app_id?, secret })
        });
        Ok(own.or_else(|| self.inner.settings.app.clone()))
    }
}

pub(crate) fn state_of(info: TokenInfo, now: DateTime<Utc>) -> TokenState {
    let moment = |seconds: Option<i64>| seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    TokenState {
        checked_at: Some(now),
        valid: Some(info.valid),
        reason: info.reason,
        expires_at: moment(info.expires_at),
        data_access_expires_at: moment(info.data_access_expires_at),
        scopes: info.scopes,
        app_id: info.app_id,
    }
}

fn mock(now: DateTime<Utc>) -> TokenState {
    let reason = Some("a mock: its sends are simulated and Meta does not know it".to_owned());
    TokenState { checked_at: Some(now), reason, ..TokenState::default() }
}
