//! From the raw item of a change to its [`Field`].

use serde_json::value::RawValue;

use super::{
    AccountAlert, AccountUpdate, Call, Capability, ContactSync, Echo, Field, Group, History, NumberName, NumberQuality,
    Preference, Security, Template, TemplateCategory, TemplateQuality, TemplateStatus,
};
use crate::{
    identity::Identity,
    message,
    wire::{self, Object},
};

/// Reads an item of a change. `kind` is that of [`crate::envelope::ItemKind::Other`]: the field, or `error`.
pub fn parse(kind: &str, raw: &str) -> Field {
    Object::read(raw).and_then(|item| known(kind, &item, raw)).unwrap_or(Field::Unknown)
}

fn known(kind: &str, it: &Object<'_>, raw: &str) -> Option<Field> {
    Some(match kind {
        "message_template_status_update" => Field::TemplateStatus(TemplateStatus {
            template: template(it)?,
            event: it.text("event")?,
            reason: reason(it, "reason"),
            category: it.text("message_template_category"),
            details: None
                .or_else(|| it.object("rejection_info").text("reason"))
                .or_else(|| it.object("other_info").text("description"))
                .or_else(|| it.object("disable_info").text("disable_date")),
        }),
        "message_template_quality_update" => Field::TemplateQuality(TemplateQuality {
            template: template(it)?,
            new: it.text("new_quality_score")?,
            previous: it.text("previous_quality_score"),
        }),
        "template_category_update" => Field::TemplateCategory(TemplateCategory {
            template: template(it)?,
            new: it.text("new_category")?,
            previous: it.text("previous_category"),
            correct: it.text("correct_category"),
        }),
        "message_template_components_update" => Field::TemplateComponents(template(it)?),
        "account_update" => Field::AccountUpdate(AccountUpdate {
            event: it.text("event")?,
            account: it.object("waba_info").text("waba_id"),
            details: account_details(it),
        }),
        "account_alerts" => {
            // The alert stands in an object of its own since 2025, before that beside the entity.
            let inner = it.object("alert_info");
            let text = |name: &str| inner.text(name).or_else(|| it.text(name));
            Field::AccountAlert(AccountAlert {
                entity_type: it.text("entity_type"),
                entity_id: it.text("entity_id"),
                severity: text("alert_severity"),
                status: text("alert_status"),
                kind: text("alert_type")?,
                description: text("alert_description"),
            })
        }
        "account_review_update" => Field::AccountReview(it.text("decision")?),
        "business_capability_update" => capability(it)?,
        "phone_number_quality_update" => Field::NumberQuality(NumberQuality {
            display_phone_number: it.text("display_phone_number"),
            event: it.text("event")?,
            current_limit: it.text("max_daily_conversations_per_business").or_else(|| it.text("current_limit")),
            old_limit: it.text("old_limit"),
        }),
        "phone_number_name_update" => Field::NumberName(NumberName {
            display_phone_number: it.text("display_phone_number"),
            decision: it.text("decision")?,
            name: it.text("requested_verified_name"),
            reason: reason(it, "rejection_reason"),
        }),
        "user_preferences" => Field::Preference(Preference {
            person: person(it, "wa_id", "user_id")?,
            category: it.text("category")?,
            value: it.text("value")?,
            detail: it.text("detail"),
            timestamp: it.millis("timestamp"),
        }),
        "smb_message_echoes" | "message_echoes" => {
            let message = Some(message::parse(raw)).filter(|it| (1..=wire::MAX_ID).contains(&it.id.len()))?;
            let to = person(it, "to", "to_user_id")?;
            let from = it.text("from");
            // A group is no person, and what the business notes down for itself is for nobody.
            let is_to_a_person = it.text("recipient_type").is_none_or(|kind| kind != "group");
            let is_to_itself = from.is_some() && from == to.wa_id;
            (is_to_a_person && !is_to_itself).then(|| Field::Echo(Box::new(Echo { to, message })))?
        }
        "calls" => call(it)?,
        "history" => history(it)?,
        "smb_app_state_sync" => {
            let contact = it.object("contact");
            Field::ContactSync(ContactSync {
                person: person(&contact, "phone_number", "user_id")?,
                name: contact.text("full_name").or_else(|| contact.text("first_name")),
                action: it.text("action")?,
            })
        }
        "security" => Field::Security(Security {
            display_phone_number: it.text("display_phone_number"),
            event: it.text("event")?,
            requester: it.text("requester"),
        }),
        "group_lifecycle_update" | "group_participants_update" | "group_settings_update" | "group_status_update" => {
            group(it)?
        }
        "error" => Field::Error(wire::error(it)?),
        _ => return None,
    })
}

fn template(it: &Object<'_>) -> Option<Template> {
    Some(Template {
        id: it.text("message_template_id"),
        name: it.text("message_template_name")?,
        language: it.text("message_template_language"),
    })
}

/// Meta says `NONE` where there is no reason.
fn reason(it: &Object<'_>, name: &str) -> Option<String> {
    it.text(name).filter(|reason| reason != "NONE")
}

fn person(it: &Object<'_>, number: &str, user_id: &str) -> Option<Identity> {
    Some(Identity::read(it.get(number), it.get(user_id))).filter(|person| !person.is_empty())
}

fn account_details(it: &Object<'_>) -> Option<String> {
    let of = |raw: &&RawValue| Object::read(raw.get())?.text("restriction_type");
    let restrictions: Vec<String> = it.list("restriction_info").iter().filter_map(of).collect();
    None.or_else(|| it.object("violation_info").text("violation_type"))
        .or_else(|| (!restrictions.is_empty()).then(|| restrictions.join(", ")))
        .or_else(|| it.object("ban_info").text("waba_ban_state"))
        .or_else(|| it.text("country"))
}

fn capability(it: &Object<'_>) -> Option<Field> {
    let capability = Capability {
        people_per_number: it.integer("max_daily_conversation_per_phone"),
        people: it.text("max_daily_conversations_per_business"),
        numbers: it.integer("max_phone_numbers_per_waba").or_else(|| it.integer("max_phone_numbers_per_business")),
    };
    (capability != Capability::default()).then_some(Field::Capability(capability))
}

fn call(it: &Object<'_>) -> Option<Field> {
    let event = it.text("event").or_else(|| it.text("status"))?;
    // What a user begins comes from them, what the business begins goes to them; statuses name the recipient.
    let direction = it.text("direction").map(|direction| direction.to_lowercase());
    let ours = direction.as_deref() == Some("business_initiated");
    let person = match it.get("recipient_id") {
        Some(_) => person(it, "recipient_id", "recipient_user_id"),
        None if ours => person(it, "to", "to_user_id"),
        None => person(it, "from", "from_user_id"),
    };
    Some(Field::Call(Call {
        id: it.text("id")?,
        event: event.to_lowercase(),
        direction,
        person: person.unwrap_or_default(),
        timestamp: it.millis("timestamp"),
        duration: it.integer("duration"),
    }))
}

fn history(it: &Object<'_>) -> Option<Field> {
    let errors = wire::errors(it.get("errors"));
    if errors.is_empty() && it.get("threads").is_none() {
        return None;
    }
    let metadata = it.object("metadata");
    let count = |raw: &RawValue| Object::read(raw.get()).map_or(0, |thread| thread.list("messages").len());
    Some(Field::History(History {
        phase: metadata.integer("phase"),
        chunk_order: metadata.integer("chunk_order"),
        progress: metadata.integer("progress"),
        messages: it.list("threads").into_iter().map(count).sum(),
        errors,
    }))
}

fn group(it: &Object<'_>) -> Option<Field> {
    let people = |name: &str| -> Vec<Identity> {
        let read = |raw: &RawValue| {
            let it = Object::read(raw.get())?;
            person(&it, "wa_id", "user_id").or_else(|| person(&it, "input", "user_id"))
        };
        it.list(name).into_iter().filter_map(read).collect()
    };
    Some(Field::Group(Group {
        id: it.text("group_id"),
        event: it.text("type")?,
        request_id: it.text("request_id"),
        subject: it.text("subject"),
        added: people("added_participants"),
        removed: people("removed_participants"),
        errors: wire::errors(it.get("errors")),
    }))
}
