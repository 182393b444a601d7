//! Settings that are read from several values.

use hoopoe_delivery::Rates;
use hoopoe_media::files::{Bucket, Place};
use hoopoe_shared::limits::Limit;
use hoopoe_telemetry::trace;
use secrecy::SecretString;

use super::Error;
use super::values::{Values, wrong};

/// Tracing is on when there is somebody to tell.
pub(super) fn traces(values: &Values<'_>) -> Result<Option<trace::Settings>, Error> {
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
    if values.get(ENDPOINT).is_none() {
        return Ok(None);
    }
    // It may hold a password.
    let advice = "set it to where OTLP is taken over HTTP, http://localhost:4318 for example";
    let endpoint = values.url(ENDPOINT, "http://localhost:4318").map_err(|_| wrong(ENDPOINT, "<hidden>", advice))?;
    let service = values.get("OTEL_SERVICE_NAME").unwrap_or("hoopoe").to_owned();
    let ratio: f64 = values.parse(RATIO, "1", "a share of the traces, 0 to 1")?;
    if !(0.0..=1.0).contains(&ratio) {
        return Err(wrong(RATIO, &ratio.to_string(), "set it to a share of the traces, 0 to 1"));
    }
    Ok(Some(trace::Settings { endpoint, service, ratio }))
}

/// Meta's limits, unless the operator knows others.
pub(super) fn rates(values: &Values<'_>) -> Result<Rates, Error> {
    let period = values.duration("PAIR_PERIOD", "6s")?;
    let burst: u32 = values.at_least_one("PAIR_BURST", "45")?;
    let tenant: u32 = values.parse("TENANT_RATE", "0", "messages per second, 0 for no limit")?;
    let number: u32 = values.at_least_one("NUMBER_RATE", "80")?;
    Ok(Rates {
        number: Limit::evenly(number.into()),
        pair: Limit::new(1.0 / period.as_secs_f64(), burst.into()),
        tenant: (tenant > 0).then(|| Limit::per_second(tenant.into())),
    })
}

/// Bytes of webhooks that may be under way.
pub(super) fn webhook_room(values: &Values<'_>) -> Result<usize, Error> {
    const MEMORY: &str = "WEBHOOK_MEMORY";
    /// One of Meta's largest, which has 3 MiB, and some others.
    const LEAST: usize = 4 << 20;
    match values.parse(MEMORY, "134217728", "a number of bytes")? {
        room @ LEAST.. => Ok(room),
        less => Err(wrong(MEMORY, &less.to_string(), "the largest webhook needs more room: set it to 4194304 or more")),
    }
}

/// Where files are kept, and which.
pub(super) fn media(values: &Values<'_>) -> Result<hoopoe_media::Settings, Error> {
    const BASE: &str = "MEDIA_LINK_BASE";
    let link_base = match values.get(BASE) {
        Some(_) => values.url(BASE, "https://hoopoe.example.com")?,
        None => String::new(),
    };
    let types = values.get("MEDIA_TYPES").unwrap_or("*");
    let tenant_bytes: u64 = values.parse("MEDIA_TENANT_BYTES", "5368709120", "a number of bytes, 0 for no limit")?;
    Ok(hoopoe_media::Settings {
        place: place(values)?,
        largest: values.at_least_one("MEDIA_MAX_SIZE", "104857600")?,
        types: types.parse().map_err(|error| wrong("MEDIA_TYPES", types, error))?,
        tenant_bytes: (tenant_bytes > 0).then_some(tenant_bytes),
        retention: values.days("MEDIA_RETENTION", "30d")?,
        link_life: values.days("MEDIA_LINK_LIFE", "10m")?,
        link_base,
    })
}

/// Where Meta keeps files that come in, in small letters.
pub(super) fn media_hosts(values: &Values<'_>) -> Result<Vec<String>, Error> {
    const NAME: &str = "MEDIA_HOSTS";
    let is_host = |host: &str| {
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
        // A single word would stand for all of a country, or of the net.
        host.contains('.') && host.split('.').all(is_word)
    };
    let hosts = values.list(NAME, "fbsbx.com,fbcdn.net,whatsapp.net,facebook.com");
    match hosts.iter().find(|host| !is_host(host)) {
        Some(host) => {
            Err(wrong(NAME, host, "set it to hosts, each with all below it, for example fbcdn.net,fbsbx.com"))
        }
        None => Ok(hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect()),
    }
}

fn place(values: &Values<'_>) -> Result<Place, Error> {
    const STORE: &str = "MEDIA_STORE";
    const SECRET: &str = "MEDIA_S3_SECRET_ACCESS_KEY";
    const ENDPOINT: &str = "MEDIA_S3_ENDPOINT";
    let keys = keys(values, SECRET)?;
    let place = values.get(STORE).unwrap_or("media");
    let advice = "set it to a folder, /var/lib/hoopoe/media for example, or to s3://bucket/prefix";
    let Some(bucket) = place.strip_prefix("s3://") else {
        // Nobody means a folder of such a name, and what stands there may be a secret.
        return if place.contains("://") {
            Err(wrong(STORE, "<hidden>", advice))
        } else {
            Ok(Place::Folder(place.into()))
        };
    };
    let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
    if name.is_empty() {
        return Err(wrong(STORE, place, advice));
    }
    Ok(Place::Bucket(Bucket {
        name: name.to_owned(),
        prefix: prefix.trim_matches('/').to_owned(),
        endpoint: values.get(ENDPOINT).map(|_| values.url(ENDPOINT, "https://minio.internal:9000")).transpose()?,
        region: values.get("MEDIA_S3_REGION").unwrap_or("us-east-1").to_owned(),
        keys,
    }))
}

/// Both or none: half of them is a mistake.
fn keys(values: &Values<'_>, secret: &'static str) -> Result<Option<(String, SecretString)>, Error> {
    match values.get("MEDIA_S3_ACCESS_KEY_ID") {
        Some(id) => Ok(Some((id.to_owned(), values.secret(secret, "set it to the secret of MEDIA_S3_ACCESS_KEY_ID")?))),
        None => Ok(None),
    }
}
