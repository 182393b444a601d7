//! Who a person is to Meta: a WhatsApp id, a business-scoped user id, or both.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire;

/// Meta documents at most 128 characters after the country code.
const MAX_USER_ID: usize = 200;
const MAX_WA_ID: usize = 32;
const MAX_NAME: usize = 512;

/// The ids of a person. Since 2026 a user with a username may come without `wa_id`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// WhatsApp id: the phone number, digits only, without `+`.
    pub wa_id: Option<String>,
    /// Business-scoped user id, for example `US.13491208655302741918`.
    pub user_id: Option<String>,
}

impl Identity {
    /// True when there is nothing to identify the person by.
    pub fn is_empty(&self) -> bool {
        self.wa_id.is_none() && self.user_id.is_none()
    }

    /// Reads a pair of fields such as `from` and `from_user_id`; what is neither number nor user id is left out.
    pub(crate) fn read(number: Option<&RawValue>, user_id: Option<&RawValue>) -> Identity {
        let number = number.and_then(wire::text);
        let user_id = user_id
            .and_then(wire::text)
            .filter(|id| !id.is_empty() && id.len() <= MAX_USER_ID)
            .or_else(|| number.clone().filter(|text| is_user_id(text)));
        Identity { wa_id: number.and_then(wa_id), user_id }
    }
}

/// What a person shows of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Profile name, at most 512 characters.
    pub name: Option<String>,
    /// Username, without `@`.
    pub username: Option<String>,
}

/// The `contacts` of a webhook value: who its messages come from.
pub(crate) struct Contacts {
    people: Vec<(Identity, Profile)>,
    by_id: HashMap<String, usize>,
}

impl Contacts {
    pub(crate) fn read(raw: Option<&RawValue>) -> Contacts {
        let people: Vec<_> = wire::list(raw).into_iter().filter_map(person).collect();
        let mut by_id = HashMap::new();
        for (place, (identity, _)) in people.iter().enumerate() {
            for id in [&identity.wa_id, &identity.user_id].into_iter().flatten() {
                by_id.entry(id.clone()).or_insert(place);
            }
        }
        Contacts { people, by_id }
    }

    /// The profile of the person, and the ids which the message itself did not carry.
    pub(crate) fn complete(&self, sender: &mut Identity) -> Profile {
        let place = [&sender.wa_id, &sender.user_id].into_iter().flatten().find_map(|id| self.by_id.get(id));
        let Some((identity, profile)) = place.and_then(|place| self.people.get(*place)) else {
            return Profile::default();
        };
        if sender.wa_id.is_none() {
            sender.wa_id.clone_from(&identity.wa_id);
        }
        if sender.user_id.is_none() {
            sender.user_id.clone_from(&identity.user_id);
        }
        profile.clone()
    }
}

fn person(raw: &RawValue) -> Option<(Identity, Profile)> {
    #[derive(Deserialize)]
    struct Contact<'a> {
        #[serde(borrow)]
        wa_id: Option<&'a RawValue>,
        user_id: Option<&'a RawValue>,
        profile: Option<&'a RawValue>,
    }
    #[derive(Deserialize, Default)]
    struct Shown {
        #[serde(default, deserialize_with = "wire::optional")]
        name: Option<String>,
        #[serde(default, deserialize_with = "wire::optional")]
        username: Option<String>,
    }
    let contact: Contact = wire::parse(raw)?;
    let shown: Shown = contact.profile.and_then(wire::parse).unwrap_or_default();
    let profile = Profile {
        name: shown.name.map(|name| wire::clip(&name, MAX_NAME)),
        username: shown.username.map(|name| wire::clip(name.strip_prefix('@').unwrap_or(&name), MAX_NAME)),
    };
    Some((Identity::read(contact.wa_id, contact.user_id), profile))
}

fn wa_id(text: String) -> Option<String> {
    let digits = text.trim();
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let good = (1..=MAX_WA_ID).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| digits.to_owned())
}

/// Two letters of a country, a dot, letters and digits; those of enterprises have a word between (`US.1349…`,
/// `US.ENT.1181…`).
pub fn is_user_id(text: &str) -> bool {
    text.len() <= MAX_USER_ID
        && text.split_once('.').is_some_and(|(country, rest)| {
            let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
            country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()) && rest.split('.').all(is_word)
        })
}
