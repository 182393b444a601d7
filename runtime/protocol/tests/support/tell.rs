//! An item as one line, with everything that was understood of it.

use hoopoe_protocol::{
    envelope::{Identity, Item, ItemKind, Route, parse},
    field, message, messenger, status,
};

/// The items of a body, a line each; or why there are none.
pub fn all(body: &str) -> Vec<String> {
    match parse(body.as_bytes()) {
        Ok(items) => items.iter().map(one).collect(),
        Err(error) => vec![format!("refused: {error}")],
    }
}

fn one(item: &Item) -> String {
    let route = match &item.route {
        Route::PhoneNumber(id) => format!("number {id}"),
        Route::Account(id) => format!("account {id}"),
        Route::Page(id) => format!("page {id}"),
        Route::Instagram(id) => format!("instagram {id}"),
        Route::None => "nobody".to_owned(),
    };
    let content = match &item.kind {
        ItemKind::Message(head) => {
            let read = message::parse(&item.raw);
            assert_eq!((&read.id, &read.group_id), (&head.id, &head.group_id), "the stored item says the same");
            let mut line = format!("message {} from {}", head.id, who(&head.sender));
            let shown = [("name", &head.profile.name), ("username", &head.profile.username), ("note", &head.note)];
            for (name, text) in shown {
                line += &text.as_ref().map_or_else(String::new, |text| format!(" {name} {text:?}"));
            }
            line += &format!(": {}", brief(&read.content));
            line += &read.reply_to.map_or_else(String::new, |it| format!(" {}", brief(&it)));
            line += &read.referral.map_or_else(String::new, |it| format!(" {}", brief(&it)));
            line += &read.group_id.map_or_else(String::new, |id| format!(" in group {id}"));
            if !read.errors.is_empty() {
                line += &format!(" errors {}", brief(&read.errors));
            }
            line
        }
        ItemKind::Status(head) => {
            assert_eq!(status::parse(&item.raw).as_ref(), Some(head), "the stored item says the same");
            brief(head)
        }
        ItemKind::Other { kind } if kind == "messaging" || kind == "standby" => match messenger::parse(&item.raw) {
            Some(event) => match messenger::inbound(&event) {
                Some(it) => format!("{kind}: {} as {}", brief(&event), brief(&it)),
                None => format!("{kind}: {}", brief(&event)),
            },
            None => format!("{kind}: not understood"),
        },
        ItemKind::Other { kind } => format!("{kind}: {}", brief(&field::parse(kind, &item.raw))),
        ItemKind::Invalid { reason } => format!("invalid: {reason}"),
    };
    format!("{route} {content}")
}

fn who(person: &Identity) -> String {
    [&person.wa_id, &person.user_id].into_iter().flatten().cloned().collect::<Vec<_>>().join(" alias ")
}

/// What is there, without what is not.
fn brief(value: &impl std::fmt::Debug) -> String {
    let mut text = format!("{value:?}");
    for nothing in [": None", ": []"] {
        let mut from = 0;
        while let Some(at) = text[from..].find(nothing).map(|at| from + at) {
            let part_of_name = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
            let start = text[..at].rfind(|letter| !part_of_name(letter)).map_or(0, |place| place + 1);
            let mut end = at + nothing.len();
            if start == at {
                // Within a text.
                from = end;
                continue;
            }
            if text[end..].starts_with(", ") {
                end += 2;
            }
            text.replace_range(start..end, "");
        }
    }
    text.replace(",  }", " }").replace(", }", " }").replace("{  }", "{}")
}
