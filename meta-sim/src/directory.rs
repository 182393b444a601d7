//! What Meta knows besides messages: apps, codes of the signup dialog, tokens, business accounts and their numbers.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

/// Every permission that the platform has use for.
const ALL_SCOPES: [&str; 2] = ["whatsapp_business_management", "whatsapp_business_messaging"];

/// A token and what it permits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The token itself.
    pub token: String,
    /// The app that it was made for; the simulator's own when absent.
    #[serde(default)]
    pub app_id: Option<String>,
    /// What it permits.
    #[serde(default = "all_scopes")]
    pub scopes: Vec<String>,
    /// The accounts that it is limited to; empty for no limit.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Seconds since 1970; 0 for never. Said, not acted upon: a test's clock is not the simulator's.
    #[serde(default)]
    pub expires_at: i64,
    /// The same of the access to data.
    #[serde(default)]
    pub data_access_expires_at: i64,
}

impl Grant {
    /// A token with all permissions that never expires.
    pub fn new(token: &str) -> Grant {
        Grant {
            token: token.to_owned(),
            app_id: None,
            scopes: all_scopes(),
            accounts: Vec::new(),
            expires_at: 0,
            data_access_expires_at: 0,
        }
    }

    /// Limited to this account.
    pub fn account(mut self, waba_id: &str) -> Grant {
        self.accounts.push(waba_id.to_owned());
        self
    }

    /// Made for another app.
    pub fn of_app(self, app_id: &str) -> Grant {
        Grant { app_id: Some(app_id.to_owned()), ..self }
    }

    /// With these permissions only.
    pub fn scopes(self, scopes: &[&str]) -> Grant {
        Grant { scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(), ..self }
    }

    /// Expires at this second since 1970.
    pub fn expires_at(self, seconds: i64) -> Grant {
        Grant { expires_at: seconds, ..self }
    }
}

fn all_scopes() -> Vec<String> {
    ALL_SCOPES.map(str::to_owned).to_vec()
}

/// A number of a business account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusinessNumber {
    /// Its id.
    pub id: String,
    /// The account.
    pub waba_id: String,
    /// As people write it.
    #[serde(default = "default_display")]
    pub display: String,
    /// The name that users see.
    #[serde(default = "default_name")]
    pub verified_name: String,
    /// `GREEN`, `YELLOW` or `RED`.
    #[serde(default = "default_quality")]
    pub quality: String,
    /// PIN of the two-step verification, when there is one.
    #[serde(default)]
    pub pin: Option<String>,
}

fn default_display() -> String {
    "+1 650-555-0000".to_owned()
}

fn default_name() -> String {
    "Lucky Shrub".to_owned()
}

fn default_quality() -> String {
    "GREEN".to_owned()
}

impl BusinessNumber {
    /// A number without a PIN.
    pub fn new(id: &str, waba_id: &str) -> BusinessNumber {
        BusinessNumber {
            id: id.to_owned(),
            waba_id: waba_id.to_owned(),
            display: default_display(),
            verified_name: default_name(),
            quality: default_quality(),
            pin: None,
        }
    }

    /// With this PIN.
    pub fn pin(self, pin: &str) -> BusinessNumber {
        BusinessNumber { pin: Some(pin.to_owned()), ..self }
    }
}

/// A number, and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) number: BusinessNumber,
    pub(crate) registrations: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// Apps beside the simulator's own: id and secret.
    pub(crate) apps: HashMap<String, String>,
    /// Codes that were not exchanged yet; used ones are `None`.
    pub(crate) codes: HashMap<String, Option<Grant>>,
    pub(crate) grants: HashMap<String, Grant>,
    pub(crate) revoked: HashSet<String>,
    pub(crate) numbers: HashMap<String, Known>,
    /// Account and app.
    pub(crate) subscriptions: HashSet<(String, String)>,
    /// Calls by name.
    pub(crate) calls: HashMap<&'static str, u64>,
}

impl Directory {
    pub(crate) fn add_number(&mut self, number: BusinessNumber) {
        self.numbers.insert(number.id.clone(), Known { number, registrations: 0 });
    }

    pub(crate) fn knows_number(&self, id: &str) -> bool {
        self.numbers.contains_key(id)
    }

    pub(crate) fn numbers_of(&self, waba_id: &str) -> Vec<&Known> {
        let mut numbers: Vec<_> = self.numbers.values().filter(|known| known.number.waba_id == waba_id).collect();
        numbers.sort_by(|one, other| one.number.id.cmp(&other.number.id));
        numbers
    }
}
