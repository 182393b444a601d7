//! How much a list gives at once.

use crate::error::{ApiError, invalid_field};

/// Entries on a page, unless asked otherwise, and at the most.
const PAGE: i64 = 50;
const LARGEST: i64 = 200;

/// The size of the page that was asked for by the parameter `limit`. 400 when it is not 1 to 200.
pub fn size(limit: Option<i64>) -> Result<i64, ApiError> {
    match limit.unwrap_or(PAGE) {
        size @ 1..=LARGEST => Ok(size),
        size => Err(invalid_field("limit", format!("it is {size}; give it 1 to {LARGEST}"))),
    }
}
