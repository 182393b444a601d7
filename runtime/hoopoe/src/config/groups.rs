//! Settings that are read from several values.

use hoopoe_delivery::Rates;
use hoopoe_shared::limits::Limit;
use hoopoe_telemetry::trace;

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
        number: Limit::per_second(number.into()),
        pair: Limit::new(1.0 / period.as_secs_f64(), burst.into()),
        tenant: (tenant > 0).then(|| Limit::per_second(tenant.into())),
    })
}
