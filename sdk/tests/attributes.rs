//! What the context tells of a message beyond the contract's fields.

use hoopoe_sdk::prelude::*;
use hoopoe_sdk::{PlatformError, Product, ReferralMedia};

#[test]
fn attributes_are_read_as_what_they_are() {
    let mut ctx = testing::context();
    assert_eq!((ctx.group_id(), ctx.reply_from(), ctx.product(), ctx.referral_media()), (None, None, None, None));
    assert!(ctx.message_errors().is_empty());
    for (name, value) in [
        ("message.group-id", r#""g1""#),
        ("message.reply-from", r#""15550783881""#),
        ("message.product", r#"{"catalog_id": "19", "product_retailer_id": "di9"}"#),
        ("message.referral", r#"{"media_type": "image", "image_url": "https://example.com/i"}"#),
        ("message.errors", r#"[{"code": 131052, "title": "Media download error", "details": null}]"#),
    ] {
        ctx.attributes.push((name.to_owned(), value.to_owned()));
    }
    let some = |text: &str| Some(text.to_owned());
    assert_eq!((ctx.group_id(), ctx.reply_from()), (some("g1"), some("15550783881")));
    let product = Product { catalog_id: "19".to_owned(), product_retailer_id: "di9".to_owned() };
    assert_eq!(ctx.product(), Some(product));
    let (media_type, image_url) = (some("image"), some("https://example.com/i"));
    assert_eq!(
        ctx.referral_media(),
        Some(ReferralMedia { media_type, image_url, video_url: None, thumbnail_url: None })
    );
    let error = PlatformError { code: 131_052, title: "Media download error".to_owned(), details: None };
    assert_eq!(ctx.message_errors(), [error]);
}
