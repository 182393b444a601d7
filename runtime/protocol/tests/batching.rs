//! However Meta packs the same things into POSTs, the same items come out.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;

use hoopoe_protocol::envelope::parse;
use proptest::prelude::*;

/// Something that Meta tells, of one of three numbers.
#[derive(Debug, Clone)]
struct Told {
    number: usize,
    person: usize,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Text,
    Hologram,
    Status(&'static str),
    Error,
    Preference,
    Echo,
    Nonsense,
}

impl Told {
    /// The field, the list and the element.
    fn element(&self, id: usize) -> (&'static str, &'static str, String) {
        let (from, ours) = (format!("1650555000{}", self.person), format!("1555078388{}", self.number));
        match self.what {
            What::Text => ("messages", "messages", message(id, &from, "text", r#"{"body":"hello"}"#)),
            What::Hologram => ("messages", "messages", message(id, &from, "hologram", "[1,2]")),
            What::Status(word) => {
                let status = format!(
                    r#"{{"id":"wamid.OUT{id}","status":"{word}","timestamp":"1750030073","recipient_id":"{from}"}}"#
                );
                ("messages", "statuses", status)
            }
            What::Error => ("messages", "errors", format!(r#"{{"code":{id},"title":"Something went wrong"}}"#)),
            What::Preference => {
                let value = if id.is_multiple_of(2) { "stop" } else { "resume" };
                let preference = format!(
                    r#"{{"wa_id":"{from}","category":"marketing_messages","value":"{value}","timestamp":{id}}}"#
                );
                ("user_preferences", "user_preferences", preference)
            }
            What::Echo => {
                let echo = format!(
                    r#"{{"from":"{ours}","to":"{from}","id":"wamid.E{id}","type":"text","text":{{"body":"hi"}}}}"#
                );
                ("smb_message_echoes", "message_echoes", echo)
            }
            What::Nonsense => ("messages", "messages", format!("[{id}]")),
        }
    }
}

fn message(id: usize, from: &str, kind: &str, content: &str) -> String {
    format!(r#"{{"from":"{from}","id":"wamid.{id}","timestamp":"1749416383","type":"{kind}","{kind}":{content}}}"#)
}

/// Where an element goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    /// Into the change before, if that is of the same number and field.
    SameChange,
    NewChange,
    NewEntry,
    NewPost,
}

type Element<'a> = (&'a Told, &'a (&'static str, &'static str, String));

fn change(elements: &[Element<'_>]) -> String {
    let (told, (field, ..)) = elements[0];
    let mut lists = String::new();
    for list in ["messages", "statuses", "errors", "user_preferences", "message_echoes"] {
        let of: Vec<_> =
            elements.iter().filter(|(_, (_, name, _))| *name == list).map(|(_, it)| it.2.as_str()).collect();
        if !of.is_empty() {
            lists += &format!(r#","{list}":[{}]"#, of.join(","));
        }
    }
    let people: BTreeSet<usize> = elements.iter().map(|(told, _)| told.person).collect();
    let contacts: Vec<_> = people
        .iter()
        .map(|it| format!(r#"{{"wa_id":"1650555000{it}","user_id":"US.{it}","profile":{{"name":"Person {it}"}}}}"#))
        .collect();
    format!(
        r#"{{"field":"{field}","value":{{"metadata":{{"phone_number_id":"{0}","display_phone_number":"1555078388{0}"}},"contacts":[{1}]{lists}}}}}"#,
        told.number,
        contacts.join(","),
    )
}

fn post(entries: &[Vec<Vec<Element<'_>>>]) -> String {
    let entry = |changes: &Vec<Vec<Element<'_>>>| {
        let changes: Vec<_> = changes.iter().map(|elements| change(elements)).collect();
        format!(r#"{{"id":"WABA","changes":[{}]}}"#, changes.join(","))
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    format!(r#"{{"object":"whatsapp_business_account","entry":[{}]}}"#, entries.join(","))
}

/// The set of items: order and repetition are left out.
fn items(body: &str) -> BTreeSet<String> {
    parse(body.as_bytes()).unwrap().iter().map(|item| format!("{item:?}")).collect()
}

fn told() -> impl Strategy<Value = Told> {
    let what = prop_oneof![
        Just(What::Text),
        Just(What::Hologram),
        prop::sample::select(vec!["sent", "delivered", "read", "failed"]).prop_map(What::Status),
        Just(What::Error),
        Just(What::Preference),
        Just(What::Echo),
        Just(What::Nonsense),
    ];
    (0..3usize, 0..4usize, what).prop_map(|(number, person, what)| Told { number, person, what })
}

/// Places of a sequence that holds each of `count` things once or more, and where each goes.
fn packing(count: usize) -> impl Strategy<Value = Vec<(usize, Cut)>> {
    let cut = prop::sample::select(vec![Cut::SameChange, Cut::NewChange, Cut::NewEntry, Cut::NewPost]);
    let repeated = prop::collection::vec(0..count, 0..count);
    let order = repeated.prop_map(move |more| (0..count).chain(more).collect::<Vec<_>>()).prop_shuffle();
    order.prop_flat_map(move |order| {
        let cuts = prop::collection::vec(cut.clone(), order.len());
        cuts.prop_map(move |cuts| order.iter().copied().zip(cuts).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn packing_does_not_matter(
        (all, packing) in prop::collection::vec(told(), 1..12)
            .prop_flat_map(|all| { let count = all.len(); (Just(all), packing(count)) })
    ) {
        let elements: Vec<_> = all.iter().enumerate().map(|(id, told)| told.element(id)).collect();
        let alone: BTreeSet<String> =
            all.iter().zip(&elements).flat_map(|one| items(&post(&[vec![vec![one]]]))).collect();
        prop_assert_eq!(alone.len(), all.len(), "each is one item");

        let mut posts: Vec<Vec<Vec<Vec<Element<'_>>>>> = Vec::new();
        for (place, cut) in packing {
            let element = (&all[place], &elements[place]);
            if posts.is_empty() || cut == Cut::NewPost {
                posts.push(vec![vec![vec![element]]]);
                continue;
            }
            let entries = posts.last_mut().unwrap();
            if cut == Cut::NewEntry {
                entries.push(vec![vec![element]]);
                continue;
            }
            let changes = entries.last_mut().unwrap();
            let last = changes.last_mut().unwrap();
            let (before, (field, ..)) = last[0];
            if cut == Cut::SameChange && before.number == element.0.number && *field == element.1.0 {
                last.push(element);
            } else {
                changes.push(vec![element]);
            }
        }
        let packed: BTreeSet<String> = posts.iter().flat_map(|entries| items(&post(entries))).collect();
        prop_assert_eq!(packed, alone);
    }
}
