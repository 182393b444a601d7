//! Contact cards. Source: Meta's reference of contacts messages.

use super::At;
use crate::outbound::Invalid;

/// Cards of one message.
const CARDS: usize = 257;
/// Of the names beside `formatted_name` Meta wants one at least.
const NAMES: [&str; 5] = ["first_name", "last_name", "middle_name", "suffix", "prefix"];
/// What a list is of, and what else an entry may say.
const LISTS: [(&str, &str, &[&str]); 3] =
    [("phones", "phone", &["type", "wa_id"]), ("emails", "email", &["type"]), ("urls", "url", &["type"])];
const ADDRESS: [&str; 7] = ["street", "city", "state", "zip", "country", "country_code", "type"];
/// Meta documents no number and no length; no card has more.
const ENTRIES: usize = 100;
const LONGEST: usize = 1000;

pub(super) fn check(at: &At<'_>) -> Result<(), Invalid> {
    for card in at.list(1, CARDS, "contacts")? {
        card.object()?;
        let name = card.field("name");
        name.object()?;
        name.field("formatted_name").text(1, LONGEST)?;
        let mut names = 0;
        for part in NAMES {
            names += usize::from(name.field(part).text_or_none(1, LONGEST)?.is_some());
        }
        if names == 0 {
            let wanted = NAMES.join(", ");
            return Err(name.invalid(&format!("has formatted_name alone; Meta wants one more of {wanted}")));
        }
        for (list, member, more) in LISTS {
            for entry in card.field(list).list(0, ENTRIES, list)? {
                entry.object()?;
                entry.field(member).text(1, LONGEST)?;
                texts(&entry, more)?;
            }
        }
        for address in card.field("addresses").list(0, ENTRIES, "addresses")? {
            address.object()?;
            texts(&address, &ADDRESS)?;
        }
        texts(&card.field("org"), &["company", "department", "title"])?;
        let birthday = card.field("birthday");
        if birthday.text_or_none(1, 10)?.is_some_and(|date| !is_date(date)) {
            return Err(birthday.invalid("is no date; give it as YYYY-MM-DD"));
        }
    }
    Ok(())
}

/// Texts that may be absent.
fn texts(at: &At<'_>, fields: &[&str]) -> Result<(), Invalid> {
    fields.iter().try_for_each(|field| at.field(field).text_or_none(1, LONGEST).map(drop))
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}
