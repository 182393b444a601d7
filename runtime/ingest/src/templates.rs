//! What Meta says of a tenant's templates is kept before it is journaled: it changes what may be sent.
//!
//! The same webhook may come again, and an older one after a newer: each tells when Meta noticed it, and what is older
//! than what is known changes nothing. When it cannot be stored the webhook is not acknowledged, so it comes again.

use chrono::{DateTime, Utc};
use hoopoe_protocol::envelope::{Item, ItemKind, Route as WireRoute};
use hoopoe_protocol::field::{self, Field, Template};
use hoopoe_store::meta_templates::{Known, status_of};
use hoopoe_store::routes::Route;
use hoopoe_store::{Error, Store};

/// Whether a field is about one template.
pub(crate) fn is_about_one(field: &str) -> bool {
    field.starts_with("message_template_") || field == "template_category_update"
}

/// Keeps what the item says of a template, if it is about one.
pub(crate) async fn follow(store: &Store, item: &Item, route: &Route, now: DateTime<Utc>) -> Result<(), Error> {
    let (ItemKind::Other { kind }, WireRoute::Account(account)) = (&item.kind, &item.route) else { return Ok(()) };
    if !is_about_one(kind) {
        return Ok(());
    }
    let at = item.time.and_then(DateTime::from_timestamp_millis).unwrap_or(now).min(now);
    match known(field::parse(kind, &item.raw), at) {
        Some(known) => match store.learn_templates(route.tenant_id, account, &[known]).await {
            // What can never be stored is journaled all the same, and its neighbours go their way.
            Err(error) if !error.is_passing() => {
                tracing::error!(tenant = %route.tenant_id, field = kind, %error, "a webhook about a template was refused");
                Ok(())
            }
            learned => learned,
        },
        None => {
            tracing::warn!(tenant = %route.tenant_id, field = kind, "a webhook does not say which template it is about");
            Ok(())
        }
    }
}

fn known(field: Field, at: DateTime<Utc>) -> Option<Known> {
    Some(match field {
        Field::TemplateStatus(it) => {
            let reason = it.reason.or(it.details);
            Known { status: Some((status_of(&it.event).to_owned(), reason)), ..of(it.template, at)? }
        }
        Field::TemplateQuality(it) => Known { quality: Some(it.new), ..of(it.template, at)? },
        Field::TemplateCategory(it) => {
            // Announced: the category stays, and the correct one will count.
            Known { category: Some((it.new, it.correct)), ..of(it.template, at)? }
        }
        Field::TemplateComponents(template) => Known { stale: true, ..of(template, at)? },
        _ => return None,
    })
}

/// Meta writes the language of webhooks with a hyphen sometimes.
fn of(template: Template, at: DateTime<Utc>) -> Option<Known> {
    let language = template.language?.replace('-', "_");
    Some(Known { meta_id: template.id, ..Known::new(template.name, language, at) })
}
