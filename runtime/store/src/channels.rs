//! Channels as delivery needs them: the number to send from and its token.

use hoopoe_secrets::Sealed;
use uuid::Uuid;

use crate::{Error, Store};

/// A number to send from.
#[derive(Debug)]
pub struct Sender {
    /// Meta's id of the number.
    pub phone_number_id: String,
    /// Its access token.
    pub token: Sealed,
}

impl Store {
    /// The number of a channel and its token.
    pub async fn sender(&self, tenant_id: Uuid, channel_id: Uuid) -> Result<Option<Sender>, Error> {
        // Primary key.
        let row = sqlx::query!(
            "select phone_number_id, token_sealed, token_key_id from channels where tenant_id = $1 and id = $2",
            tenant_id,
            channel_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Sender {
            phone_number_id: row.phone_number_id,
            token: Sealed { key_id: row.token_key_id, bytes: row.token_sealed },
        }))
    }
}
