//! What a plugin is given: the SDK's types as the sandbox's. Both are made of the same contract.

use hoopoe_sandbox::contract as host;
use hoopoe_sdk as sdk;

/// Becomes the sandbox's type.
pub(crate) trait ToGuest {
    type Guest;
    fn to_guest(self) -> Self::Guest;
}

impl<T: ToGuest> ToGuest for Option<T> {
    type Guest = Option<T::Guest>;
    fn to_guest(self) -> Self::Guest {
        self.map(ToGuest::to_guest)
    }
}

impl<T: ToGuest> ToGuest for Vec<T> {
    type Guest = Vec<T::Guest>;
    fn to_guest(self) -> Self::Guest {
        self.into_iter().map(ToGuest::to_guest).collect()
    }
}

/// Records field by field: `plain` ones have the same type on both sides, `made` ones become one.
macro_rules! records {
    ($($name:ident { $($plain:ident),* $(; $($made:ident),*)? })*) => {
        $(impl ToGuest for sdk::$name {
            type Guest = host::$name;
            fn to_guest(self) -> host::$name {
                host::$name { $($plain: self.$plain,)* $($($made: self.$made.to_guest(),)*)? }
            }
        })*
    };
}

/// Variants with a value that becomes another, `plain` ones with a value of the same type, and `empty` ones.
macro_rules! variants {
    ($($name:ident { $($made:ident),*; $($plain:ident),*; $($empty:ident),* })*) => {
        $(impl ToGuest for sdk::$name {
            type Guest = host::$name;
            fn to_guest(self) -> host::$name {
                match self {
                    $(sdk::$name::$made(value) => host::$name::$made(value.to_guest()),)*
                    $(sdk::$name::$plain(value) => host::$name::$plain(value),)*
                    $(sdk::$name::$empty => host::$name::$empty,)*
                }
            }
        })*
    };
}

records! {
    Tenant { id, name }
    Channel { id, phone_number_id, display_phone_number }
    Contact { id, wa_id, user_id, name, username, tags }
    Conversation { id; channel, contact }
    Context { event_id, now, seed, attempt, config, attributes; tenant, conversation }
    Message { id, timestamp, raw; content, reply_to, referral }
    Text { body }
    Media { id, mime_type, sha256, caption, filename }
    Audio { id, mime_type, sha256, voice }
    Sticker { id, mime_type, sha256, animated }
    Location { latitude, longitude, name, address, url }
    ContactCard { formatted_name, emails, raw; phones }
    ContactPhone { phone, wa_id }
    Reaction { message_id, emoji }
    Choice { id, title, description }
    FormReply { name, body, response_json }
    CallPermissionReply { response, expires_at }
    TemplateButton { text, payload }
    Order { catalog_id, text; items }
    OrderItem { product_retailer_id, quantity, item_price, currency }
    SystemNotice { kind, body, wa_id, user_id }
    Edit { message_id, body }
    Revoke { message_id }
    Unsupported { ; errors }
    PlatformError { code, title, details }
    ReplyTo { message_id, forwarded, frequently_forwarded }
    Referral { source_type, source_id, source_url, headline, body, ctwa_clid }
    Status { message_id, hoopoe_message_id, timestamp, raw; kind, errors }
    Timer { name, due, payload }
    HttpAnswer { status, headers, body }
    OtherEvent { kind, raw }
}

variants! {
    Event { Message, Status, Timer, HttpResponse, Other; ; }
    Content {
        Text, Image, Video, Audio, Document, Sticker, Location, Contacts, Reaction, ButtonReply, ListReply, FormReply,
        CallPermissionReply, TemplateButton, Order, System, Edit, Revoke, Unsupported; Unknown;
    }
    StatusKind { ; Other; Sent, Delivered, Read, Played, Failed, Deleted }
}

impl ToGuest for sdk::HttpResponse {
    type Guest = host::HttpResponse;
    fn to_guest(self) -> host::HttpResponse {
        host::HttpResponse { name: self.name, outcome: self.outcome.map(ToGuest::to_guest) }
    }
}
