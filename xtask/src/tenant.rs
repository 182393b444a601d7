//! The demo tenant: registered once, known again by the next start.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::http::Client;
use crate::settings::Settings;
use crate::workspace::random_hex;

/// The tenant's name, which its replies carry.
pub const NAME: &str = "Demo Bakery";
const PHONE_NUMBER_ID: &str = "100000000000001";

/// What the demo needs to know of its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Its API key, which the runtime shows only once.
    pub key: String,
    /// Meta's id of its number.
    pub phone_number_id: String,
}

/// The tenant of an earlier start when the runtime still knows it, else a new one.
pub fn find_or_register(url: &str, master_key: &str, settings: &mut Settings) -> Result<Tenant> {
    if let (Some(id), Some(key), Some(number)) =
        (settings.kept("TENANT_ID"), settings.kept("TENANT_API_KEY"), settings.kept("TENANT_PHONE_NUMBER_ID"))
    {
        let tenant = Tenant { id: id.to_owned(), key: key.to_owned(), phone_number_id: number.to_owned() };
        if Client::new(url, Some(key)).get(&format!("/tenants/{id}"))?.status == 200 {
            return Ok(tenant);
        }
    }
    let admin = Client::new(url, Some(master_key));
    let tenant = match register(&admin, PHONE_NUMBER_ID)? {
        Some(tenant) => tenant,
        // Registered by somebody else, or its key was lost with dev.env: the demo takes another number.
        None => register(&admin, &random_number("1", 14)?)?.context("a random phone number id was taken")?,
    };
    settings.keep([
        ("TENANT_ID", &tenant.id),
        ("TENANT_API_KEY", &tenant.key),
        ("TENANT_PHONE_NUMBER_ID", &tenant.phone_number_id),
    ])?;
    Ok(tenant)
}

/// `None` when the number is registered already.
fn register(admin: &Client, phone_number_id: &str) -> Result<Option<Tenant>> {
    let body = json!({ "name": NAME, "phoneNumberId": phone_number_id, "accessToken": "demo-token" });
    let answer = admin.post("/tenants/register", &body)?;
    if answer.status == 409 {
        return Ok(None);
    }
    let body = answer.succeeded("registering the demo tenant")?;
    let text = |paths: &[&str]| paths.iter().find_map(|path| body.pointer(path)?.as_str()).map(str::to_owned);
    match (text(&["/id", "/tenant/id", "/tenantId"]), text(&["/apiKey", "/tenant/apiKey"])) {
        (Some(id), Some(key)) => Ok(Some(Tenant { id, key, phone_number_id: phone_number_id.to_owned() })),
        _ => bail!("the answer to a registration lacks the tenant's id or API key: it has {}", fields(&body)),
    }
}

/// Names only: the values hold a key.
fn fields(body: &Value) -> String {
    let names = body.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    names.join(", ")
}

/// `prefix` and `digits` random digits.
pub fn random_number(prefix: &str, digits: usize) -> Result<String> {
    let random = random_hex(digits)?;
    let digits: String = random
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            char::from(b'0' + pair.iter().fold(0, |sum: u8, byte| sum.wrapping_mul(16).wrapping_add(*byte)) % 10)
        })
        .collect();
    Ok(format!("{prefix}{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_of_the_wanted_length() {
        let number = random_number("1", 14).expect("random");
        assert_eq!(number.len(), 15);
        assert!(number.chars().all(|c| c.is_ascii_digit()), "{number}");
    }
}
