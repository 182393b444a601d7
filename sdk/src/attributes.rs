//! Reading what the context tells of a message beyond the contract's fields.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{Context, PlatformError};

/// A product of a catalogue that a message asks about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Product {
    /// Meta's id of the catalogue.
    pub catalog_id: String,
    /// Your id of the product.
    pub product_retailer_id: String,
}

/// What the advertisement that brought the contact shows; its text and ids are in [`Message::referral`].
///
/// [`Message::referral`]: crate::Message::referral
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReferralMedia {
    /// `image` or `video`.
    pub media_type: Option<String>,
    /// Where the picture is.
    pub image_url: Option<String>,
    /// Where the video is.
    pub video_url: Option<String>,
    /// Where the picture that stands for the video is.
    pub thumbnail_url: Option<String>,
}

#[derive(Deserialize)]
struct Error {
    code: i64,
    title: String,
    details: Option<String>,
}

impl Context {
    /// The product that the message asks about: the contact tapped "message business" on it.
    ///
    /// ```
    /// # use hoopoe_sdk::prelude::*;
    /// fn answer(ctx: &Context) -> FlowResult {
    ///     match ctx.product() {
    ///         Some(product) => Outcome::reply(format!("{} is in stock.", product.product_retailer_id)),
    ///         None => Outcome::reply("Which product do you mean?"),
    ///     }
    /// }
    /// # let mut ctx = testing::context();
    /// # assert_eq!(answer(&ctx), Outcome::reply("Which product do you mean?"));
    /// # let product = r#"{"catalog_id": "19", "product_retailer_id": "fern"}"#;
    /// # ctx.attributes.push(("message.product".into(), product.into()));
    /// # assert_eq!(answer(&ctx), Outcome::reply("fern is in stock."));
    /// ```
    pub fn product(&self) -> Option<Product> {
        self.read("message.product")
    }

    /// Who sent the message that this one answers: a WhatsApp id, or the business's number.
    pub fn reply_from(&self) -> Option<String> {
        self.read("message.reply-from")
    }

    /// Picture or video of the advertisement that brought the contact.
    pub fn referral_media(&self) -> Option<ReferralMedia> {
        self.read("message.referral")
    }

    /// What Meta says is wrong with the message; of an unsupported one it is in its content.
    pub fn message_errors(&self) -> Vec<PlatformError> {
        let errors: Vec<Error> = self.read("message.errors").unwrap_or_default();
        let error = |it: Error| PlatformError {
            code: i32::try_from(it.code).unwrap_or(i32::MAX),
            title: it.title,
            details: it.details,
        };
        errors.into_iter().map(error).collect()
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.attribute(name)?).ok()
    }
}
