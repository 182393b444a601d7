//! A number, as the API shows it: what is kept here, and what Meta says when it is asked.

use chrono::{DateTime, Utc};
use hoopoe_onboarding::{AtMeta, Failure};
use hoopoe_store::channel_tokens::TokenState;
use hoopoe_store::tenants::Channel;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The tenant's numbers.
#[derive(Serialize, ToSchema)]
pub struct ChannelList {
    /// Oldest first.
    pub channels: Vec<ChannelBody>,
}

/// A number.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelBody {
    /// Stable id.
    id: Uuid,
    /// `whatsapp`, `messenger` or `instagram`.
    kind: String,
    /// Meta's id of the number, page or Instagram account.
    phone_number_id: String,
    /// Meta's id of the business account.
    waba_id: Option<String>,
    /// The number as people write it, when known.
    display_phone_number: Option<String>,
    /// Sends go out by it that name no number.
    default: bool,
    /// Messages per second, when it has a rate of its own.
    messages_per_second: Option<f64>,
    /// Why Meta refuses this channel, when it does.
    suspended_reason: Option<String>,
    /// What is known of its access token; nothing for pages and Instagram accounts, whose tokens are not checked.
    token: TokenBody,
    /// When it was registered.
    created_at: DateTime<Utc>,
}

/// What Meta says of an access token. It is asked when the token is given, and every TOKEN_CHECK_INTERVAL.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenBody {
    /// When Meta has answered last; null: not yet.
    checked_at: Option<DateTime<Utc>>,
    /// Whether Meta takes it; null: not known.
    valid: Option<bool>,
    /// Why it is not valid, or why nobody knows.
    reason: Option<String>,
    /// When it expires; null: never, or not known.
    expires_at: Option<DateTime<Utc>>,
    /// When its access to data expires; null: never, or not known.
    data_access_expires_at: Option<DateTime<Utc>>,
    /// What it permits; `whatsapp_business_messaging` is needed to send.
    scopes: Vec<String>,
    /// Meta's id of the app that it was made for.
    app_id: Option<String>,
}

/// A number with what Meta says of it at this moment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelWithMeta {
    /// What is kept here.
    #[serde(flatten)]
    channel: ChannelBody,
    /// As Meta knows the number; null when Meta cannot be asked or refuses.
    meta: Option<MetaBody>,
    /// Why `meta` is null.
    meta_error: Option<MetaErrorBody>,
}

/// A number as Meta knows it, in Meta's words.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetaBody {
    /// As people write it.
    display_phone_number: Option<String>,
    /// The name that users see.
    verified_name: Option<String>,
    /// `APPROVED`, `PENDING_REVIEW`, `DECLINED`, ...
    name_status: Option<String>,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    quality_rating: Option<String>,
    /// `STANDARD` (80 messages per second), `HIGH` (1,000) or `NOT_APPLICABLE`.
    throughput: Option<String>,
    /// How many users may be written to within a day: `TIER_250`, `TIER_1K`, ...
    messaging_limit_tier: Option<String>,
    /// `VERIFIED`, `NOT_VERIFIED` or `EXPIRED`.
    code_verification_status: Option<String>,
    /// `CLOUD_API` when it is registered.
    platform_type: Option<String>,
    /// `CONNECTED`, `FLAGGED`, `RESTRICTED`, ...
    status: Option<String>,
    /// What users see.
    profile: ProfileBody,
}

/// A number's profile.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileBody {
    /// The line under the name.
    about: Option<String>,
    /// Where the business is.
    address: Option<String>,
    /// What it does.
    description: Option<String>,
    /// Its mail.
    email: Option<String>,
    /// Its picture, for some days.
    profile_picture_url: Option<String>,
    /// Its industry.
    vertical: Option<String>,
    /// Its websites.
    websites: Vec<String>,
}

/// Why Meta says nothing of a number.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetaErrorBody {
    /// Meta's code, when it gave one: 190 for a bad token, 100 for a number that the token may not see.
    pub code: Option<i64>,
    /// What it said.
    pub message: String,
}

impl ChannelWithMeta {
    /// A number, and what came of asking Meta.
    pub fn new(channel: Channel, asked: Result<AtMeta, MetaErrorBody>) -> Self {
        let (meta, meta_error) = match asked {
            Ok(found) => (Some(found.into()), None),
            Err(error) => (None, Some(error)),
        };
        Self { channel: channel.into(), meta, meta_error }
    }
}

impl From<Channel> for ChannelBody {
    fn from(channel: Channel) -> Self {
        Self {
            id: channel.id,
            kind: channel.kind,
            phone_number_id: channel.phone_number_id,
            waba_id: channel.waba_id,
            display_phone_number: channel.display_phone_number,
            default: channel.is_default,
            messages_per_second: channel.rate,
            suspended_reason: channel.suspended_reason,
            token: channel.token.into(),
            created_at: channel.created_at,
        }
    }
}

impl From<TokenState> for TokenBody {
    fn from(state: TokenState) -> Self {
        let TokenState { checked_at, valid, reason, expires_at, data_access_expires_at, scopes, app_id } = state;
        Self { checked_at, valid, reason, expires_at, data_access_expires_at, scopes, app_id }
    }
}

impl From<AtMeta> for MetaBody {
    fn from(AtMeta { number, profile }: AtMeta) -> Self {
        Self {
            display_phone_number: number.display_phone_number,
            verified_name: number.verified_name,
            name_status: number.name_status,
            quality_rating: number.quality_rating,
            throughput: number.throughput,
            messaging_limit_tier: number.messaging_limit_tier,
            code_verification_status: number.code_verification_status,
            platform_type: number.platform_type,
            status: number.status,
            profile: ProfileBody {
                about: profile.about,
                address: profile.address,
                description: profile.description,
                email: profile.email,
                profile_picture_url: profile.profile_picture_url,
                vertical: profile.vertical,
                websites: profile.websites,
            },
        }
    }
}

impl From<Failure> for MetaErrorBody {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, message: failure.message }
    }
}
