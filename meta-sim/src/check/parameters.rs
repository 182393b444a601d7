//! The fields of a template's values.

use super::table::{
    Line, NAME,
    Need::{May, Must},
    Rule::{Any, Degrees, Fields, Text, Whole},
};

/// The values of a template's variables, by their type: as if each were a request of its own.
pub(super) const PARAMETER: &[Line] = &[
    ("", "type", Must, Text(1, 100)),
    ("", "parameter_name", May, Text(1, 100)),
    ("text", "text", Must, Text(1, 32_768)),
    ("payload", "payload", Must, Text(1, 512)),
    ("ttl_minutes", "ttl_minutes", Must, Whole),
    ("coupon_code", "coupon_code", Must, Text(1, 15)),
    ("currency", "currency", Must, Fields),
    ("currency", "currency.fallback_value", Must, Text(1, 32_768)),
    ("currency", "currency.code", Must, Text(3, 3)),
    ("currency", "currency.amount_1000", Must, Whole),
    ("date_time", "date_time", Must, Fields),
    ("date_time", "date_time.fallback_value", Must, Text(1, 32_768)),
    // Taken, and not looked at.
    ("date_time", "date_time.day_of_week", May, Any),
    ("date_time", "date_time.year", May, Any),
    ("date_time", "date_time.month", May, Any),
    ("date_time", "date_time.day_of_month", May, Any),
    ("date_time", "date_time.hour", May, Any),
    ("date_time", "date_time.minute", May, Any),
    ("date_time", "date_time.calendar", May, Any),
    ("image", "image", Must, Any),
    ("video", "video", Must, Any),
    ("document", "document", Must, Any),
    ("location", "location", Must, Fields),
    ("location", "location.latitude", Must, Degrees),
    ("location", "location.longitude", Must, Degrees),
    ("location", "location.name", May, NAME),
    ("location", "location.address", May, NAME),
    ("action", "action", Must, Any),
    ("product", "product", Must, Fields),
    ("product", "product.product_retailer_id", Must, Text(1, 100)),
    ("product", "product.catalog_id", Must, Text(1, 100)),
    ("limited_time_offer", "limited_time_offer", Must, Fields),
    ("limited_time_offer", "limited_time_offer.expiration_time_ms", Must, Whole),
];
