//! What a plugin gives back: the sandbox's types as the SDK's. Both are made of the same contract.

use hoopoe_sandbox::contract as host;
use hoopoe_sdk as sdk;

/// Is made of the sandbox's type.
pub(crate) trait FromGuest {
    type Guest;
    fn from_guest(guest: Self::Guest) -> Self;
}

impl<T: FromGuest> FromGuest for Option<T> {
    type Guest = Option<T::Guest>;
    fn from_guest(guest: Self::Guest) -> Self {
        guest.map(T::from_guest)
    }
}

impl<T: FromGuest> FromGuest for Vec<T> {
    type Guest = Vec<T::Guest>;
    fn from_guest(guest: Self::Guest) -> Self {
        guest.into_iter().map(T::from_guest).collect()
    }
}

/// Records field by field: `plain` ones have the same type on both sides, `made` ones become one.
macro_rules! records {
    ($($name:ident { $($plain:ident),* $(; $($made:ident),*)? })*) => {
        $(impl FromGuest for sdk::$name {
            type Guest = host::$name;
            fn from_guest(guest: host::$name) -> Self {
                sdk::$name { $($plain: guest.$plain,)* $($($made: FromGuest::from_guest(guest.$made),)*)? }
            }
        })*
    };
}

/// Variants with a value that becomes another, `plain` ones with a value of the same type, and `empty` ones.
macro_rules! variants {
    ($($name:ident { $($made:ident),*; $($plain:ident),*; $($empty:ident),* })*) => {
        $(impl FromGuest for sdk::$name {
            type Guest = host::$name;
            fn from_guest(guest: host::$name) -> Self {
                match guest {
                    $(host::$name::$made(value) => sdk::$name::$made(FromGuest::from_guest(value)),)*
                    $(host::$name::$plain(value) => sdk::$name::$plain(value),)*
                    $(host::$name::$empty => sdk::$name::$empty,)*
                }
            }
        })*
    };
}

records! {
    Outcome { ; actions, state }
    Send { reply_to, idempotency_key; content }
    SendText { body, preview_url }
    SendMedia { caption, filename; source }
    Location { latitude, longitude, name, address, url }
    Reaction { message_id, emoji }
    SendButtons { body, header, footer; buttons }
    ReplyButton { id, title }
    SendList { body, header, footer, button; sections }
    ListSection { title; rows }
    ListRow { id, title, description }
    SendTemplate { name, language, components }
    StoredTemplate { key, language, variables }
    MarkRead { message_id, typing }
    HttpRequest { name, method, url, headers, body, timeout_ms }
    Schedule { name, due, payload }
    Tag { name, present }
    Manifest { name, version, config_schema; events }
}

variants! {
    NextState { ; Replace; Keep, Clear }
    Action { Send, MarkRead, HttpRequest, Schedule, Tag; Cancel, HandOff; }
    SendContent {
        Text, Image, Video, Audio, Document, Sticker, Location, Reaction, Buttons, List, Template, Stored; Raw;
    }
    MediaSource { ; Id, Link; }
    EventKind { ; ; Message, Status, Timer, HttpResponse, Other }
}
