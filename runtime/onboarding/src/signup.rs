//! Embedded Signup: from the code of Meta's dialog to a tenant with a number that sends and receives.
//!
//! The steps are, in this order: exchange the code for a token, see what the token permits, find the number in the
//! account, subscribe the app to the account's webhooks, register the number, store tenant and channel. What a step has
//! reached is kept, so a repeat of the request goes on behind it. The ids come through a browser: nothing is believed of
//! them that the token does not prove.

use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_protocol::graph::management::{MANAGEMENT, MESSAGING, Number, TokenInfo};
use hoopoe_protocol::graph::{Class, Failure};
use hoopoe_secrets::ApiKey;
use hoopoe_store::signups::{Completion, Signup, SignupError, SignupRequest as StoredRequest};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::tokens::state_of;
use crate::{App, Look, Onboarding};

/// For how long a signup is one caller's: longer than its steps may take, and the wait for the database before them.
const LEASE: TimeDelta = TimeDelta::minutes(3);
/// For all steps of a signup together, however long each call of Meta may take.
pub const SIGNUP_LIMIT: Duration = Duration::from_secs(120);
const _: () = assert!(SIGNUP_LIMIT.as_secs() < LEASE.num_seconds().unsigned_abs());
/// Meta's code for a wrong PIN of a number's two-step verification.
const WRONG_PIN: i64 = 133_005;
/// What a number in coexistence with the WhatsApp Business app may send per second.
const COEXISTENCE_RATE: f64 = 20.0;

/// What Meta's dialog gave, and what for.
#[derive(Debug)]
pub struct SignupRequest {
    /// The code; Meta takes it once, for some seconds.
    pub code: SecretString,
    /// Meta's id of the business account.
    pub waba_id: String,
    /// Meta's id of the number.
    pub phone_number_id: String,
    /// Meta's id of the business.
    pub business_id: Option<String>,
    /// Of the new tenant.
    pub name: String,
    /// The tenant that gets a further number, in place of a new one; it exists.
    pub tenant_id: Option<Uuid>,
    /// Of the number's two-step verification: 6 digits; drawn when absent.
    pub pin: Option<SecretString>,
    /// The number stays in the WhatsApp Business app, too, and is not registered here.
    pub coexistence: bool,
}

/// A number that came aboard.
#[derive(Debug)]
pub struct SignedUp {
    /// Whose it is.
    pub tenant_id: Uuid,
    /// The API key of a tenant that was made; the same for a repeat.
    pub api_key: Option<SecretString>,
    /// The number's PIN, when it was registered here.
    pub pin: Option<SecretString>,
    /// False: all was done before.
    pub is_new: bool,
}

/// A step, as errors name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The code becomes a token.
    ExchangeCode,
    /// What the token permits.
    CheckToken,
    /// The number belongs to the account.
    FindNumber,
    /// The app gets the account's webhooks.
    SubscribeApp,
    /// The number sends by the Cloud API.
    RegisterNumber,
}

impl Step {
    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExchangeCode => "exchange_code",
            Self::CheckToken => "check_token",
            Self::FindNumber => "find_number",
            Self::SubscribeApp => "subscribe_app",
            Self::RegisterNumber => "register_number",
        }
    }

    fn advice(self, failure: &Failure) -> &'static str {
        match (self, failure.class) {
            (Self::ExchangeCode, Class::Transient) => "send the same request again at once, while the code is good",
            (Self::ExchangeCode, _) => {
                "codes are good once and for some seconds: go through the dialog again and send the new code"
            }
            (_, Class::Transient | Class::Ambiguous | Class::PauseNumber) => "send the same request again",
            (Self::RegisterNumber, _) if failure.code == Some(WRONG_PIN) => {
                "the number has a PIN of its two-step verification: send the same request with it as `pin`"
            }
            _ => "when the cause is gone, send the same request again",
        }
    }
}

/// Why a signup did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operator has not set the app.
    #[error("APP_ID and APP_SECRET are not both set: Embedded Signup needs the platform's app at Meta")]
    NotConfigured,
    /// Meta did not do a step.
    #[error("{}: {}; {}", .0.as_str(), .1.message, .0.advice(.1))]
    Meta(Step, Failure),
    /// What Meta says does not fit what was sent.
    #[error("{}: {}", .0.as_str(), .1)]
    Refused(Step, String),
    /// All was in order so far, but slow: the steps had so long together.
    #[error("the steps took longer than {0:?}; send the same request again")]
    TooLong(Duration),
    /// The number is another tenant's, somebody works on it, or the database.
    #[error(transparent)]
    Signup(#[from] SignupError),
    /// A sealed secret cannot be opened.
    #[error(transparent)]
    Secret(#[from] hoopoe_secrets::Error),
}

impl From<hoopoe_store::Error> for Error {
    fn from(error: hoopoe_store::Error) -> Self {
        Self::Signup(error.into())
    }
}

impl Onboarding {
    /// Does what is not done yet. May be repeated, also with the same code.
    pub async fn sign_up(&self, request: &SignupRequest) -> Result<SignedUp, Error> {
        let app = self.inner.settings.app.as_ref().ok_or(Error::NotConfigured)?;
        let store = &self.inner.store;
        let code_sha256: [u8; 32] = Sha256::digest(request.code.expose_secret().as_bytes()).into();
        let stored = StoredRequest {
            tenant_id: request.tenant_id,
            phone_number_id: &request.phone_number_id,
            waba_id: &request.waba_id,
            business_id: request.business_id.as_deref(),
            name: &request.name,
            code_sha256,
        };
        let mut signup = store.begin_signup(&stored, LEASE).await?;
        let steps = self.steps(app, request, &mut signup, code_sha256);
        let limit = self.inner.settings.signup_limit.min(SIGNUP_LIMIT);
        let outcome = tokio::time::timeout(limit, steps).await.unwrap_or(Err(Error::TooLong(limit)));
        if let Err(error) = store.release_signup(&signup).await {
            tracing::warn!(tenant = %signup.tenant_id, %error, "a signup cannot be released; its lease ends soon");
        }
        let (tenant, number) = (signup.tenant_id, &signup.phone_number_id);
        match &outcome {
            Ok(done) => tracing::info!(%tenant, number, new = done.is_new, "a number came aboard"),
            Err(error) => tracing::warn!(%tenant, number, %error, "a signup stopped"),
        }
        outcome
    }

    async fn steps(
        &self,
        app: &App,
        request: &SignupRequest,
        signup: &mut Signup,
        code_sha256: [u8; 32],
    ) -> Result<SignedUp, Error> {
        let inner = &self.inner;
        let key = self.key_of(signup.tenant_id, code_sha256);
        if signup.completed_at.is_none() {
            let token = self.token(app, request, signup).await?;
            let info = self.check_token(app, signup, &token).await?;
            let number = self.find_number(signup, &token).await?;
            if signup.subscribed_at.is_none() {
                let subscribed = inner.meta.subscribe(&signup.waba_id, &token).await;
                subscribed.map_err(|failure| Error::Meta(Step::SubscribeApp, failure))?;
                signup.subscribed_at = Some(inner.store.ambient.now());
                inner.store.keep_signup(signup).await?;
            }
            if signup.registered_at.is_none() && !request.coexistence {
                self.register(request, signup, &token).await?;
            }
            self.complete(request, signup, (&token, info), &number, &key).await?;
        }
        let pin = match &signup.pin {
            Some(pin) if signup.registered_at.is_some() => Some(inner.master_key.open(signup.tenant_id, pin)?),
            _ => None,
        };
        Ok(SignedUp {
            tenant_id: signup.tenant_id,
            api_key: signup.makes_tenant.then_some(key.secret),
            pin,
            is_new: signup.completed_at.is_none(),
        })
    }

    /// What the code was exchanged for, now or by the attempt before.
    async fn token(&self, app: &App, request: &SignupRequest, signup: &mut Signup) -> Result<SecretString, Error> {
        let inner = &self.inner;
        if let Some(sealed) = &signup.token {
            return Ok(inner.master_key.open(signup.tenant_id, sealed)?);
        }
        let exchanged = inner.meta.exchange_code(app, &request.code).await;
        let token = exchanged.map_err(|failure| Error::Meta(Step::ExchangeCode, failure))?;
        signup.token = Some(inner.master_key.seal(signup.tenant_id, &token, inner.store.ambient.bytes()));
        inner.store.keep_signup(signup).await?;
        Ok(token)
    }

    async fn check_token(&self, app: &App, signup: &Signup, token: &SecretString) -> Result<TokenInfo, Error> {
        let info = self.inner.meta.inspect(token, Some(app)).await;
        let info = info.map_err(|failure| Error::Meta(Step::CheckToken, failure))?;
        let refused = |reason: String| Err(Error::Refused(Step::CheckToken, reason));
        if !info.valid {
            let reason = info.reason.unwrap_or_default();
            return refused(format!("the token that Meta gave is not valid: {reason}; go through the dialog again"));
        }
        let waba = &signup.waba_id;
        match [MANAGEMENT, MESSAGING].into_iter().find(|scope| !info.permits(scope, waba)) {
            Some(scope) => refused(format!(
                "the token does not permit {scope} for the account {waba}; the dialog was for another account, or its \
                 configuration at Meta lacks that permission"
            )),
            None => Ok(info),
        }
    }

    async fn find_number(&self, signup: &Signup, token: &SecretString) -> Result<Number, Error> {
        let Signup { waba_id, phone_number_id, .. } = signup;
        let found = self.inner.meta.number_of_account(waba_id, phone_number_id, token).await;
        let found = found.map_err(|failure| Error::Meta(Step::FindNumber, failure))?;
        found.ok_or_else(|| {
            let reason = format!("the account {waba_id} has no number {phone_number_id}; send the ids of one dialog");
            Error::Refused(Step::FindNumber, reason)
        })
    }

    /// The PIN is kept before the call: should the answer be lost, the repeat has the same.
    async fn register(&self, request: &SignupRequest, signup: &mut Signup, token: &SecretString) -> Result<(), Error> {
        let inner = &self.inner;
        let ambient = &inner.store.ambient;
        let pin: SecretString = match (&request.pin, &signup.pin) {
            (Some(given), _) => given.clone(),
            (None, Some(sealed)) => inner.master_key.open(signup.tenant_id, sealed)?,
            (None, None) => format!("{:06}", ambient.below(1_000_000)).into(),
        };
        signup.pin = Some(inner.master_key.seal(signup.tenant_id, &pin, ambient.bytes()));
        inner.store.keep_signup(signup).await?;
        let registered = inner.meta.register(&signup.phone_number_id, &pin, token).await;
        registered.map_err(|failure| Error::Meta(Step::RegisterNumber, failure))?;
        signup.registered_at = Some(ambient.now());
        Ok(inner.store.keep_signup(signup).await?)
    }

    /// A channel that exists gets the token first: should the process die between, the signup still has it.
    async fn complete(
        &self,
        request: &SignupRequest,
        signup: &Signup,
        (token, info): (&SecretString, TokenInfo),
        number: &Number,
        key: &ApiKey,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        let (tenant_id, phone_number_id) = (signup.tenant_id, &signup.phone_number_id);
        let sealed = inner.master_key.seal(tenant_id, token, inner.store.ambient.bytes());
        let rate = request.coexistence.then_some(COEXISTENCE_RATE);
        // Who has lost the lease must not give a channel what may be an older token.
        inner.store.keep_signup(signup).await?;
        inner.store.resume_channel(tenant_id, phone_number_id, Some(&sealed), rate).await?;
        let completion = Completion {
            key: (key.prefix.as_str(), key.sha256),
            display_phone_number: number.display_phone_number.as_deref(),
            token: &sealed,
            rate,
        };
        inner.store.complete_signup(signup, &completion).await?;
        let look = Look::Good(state_of(info, inner.store.ambient.now()));
        Ok(self.keep(tenant_id, phone_number_id, token, &look).await?)
    }

    /// The tenant's API key, made of the master key and the code: who repeats the request gets it again, though only its
    /// digest is stored.
    fn key_of(&self, tenant_id: Uuid, code_sha256: [u8; 32]) -> ApiKey {
        let code = hex::encode(code_sha256);
        let part = |part: u8| self.inner.master_key.derive(&format!("signup-key/v1/{tenant_id}/{code}/{part}"));
        let bytes = [part(0), part(1)].concat();
        // Two bytes for each character, so that none is noticeably likelier.
        let mut draws = bytes.chunks_exact(2).map(|pair| usize::from(u16::from_be_bytes([pair[0], pair[1]])));
        ApiKey::generate(|below| draws.next().unwrap_or_default() % below)
    }
}
