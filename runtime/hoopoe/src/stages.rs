//! What each stage is told of the configuration.

use hoopoe_sandbox::{Cache, Compiler};

use crate::Config;

pub fn sandbox(config: &Config, compiler: Compiler) -> hoopoe_sandbox::Settings {
    // Whoever can write to the folder cannot make the runtime load what it did not compile.
    let cache = Cache::new(config.plugin_cache.clone(), config.master_key.derive("plugin-cache/v1"));
    hoopoe_sandbox::Settings { compiler, cache: Some(cache), ..Default::default() }
}

pub fn flow(config: &Config) -> hoopoe_flows::Settings {
    hoopoe_flows::Settings {
        retries: config.flow_retries,
        lease: config.lease,
        deadline: config.lease_deadline,
        poll: config.poll,
        breaker: hoopoe_flows::BreakerLimits {
            failures: config.flow_failures_to_pause,
            canary_percent: config.canary_failure_percent,
        },
    }
}

pub fn call(config: &Config) -> hoopoe_outcalls::Settings {
    hoopoe_outcalls::Settings {
        allowed_hosts: config.http_allowed_hosts.clone(),
        allow_http: config.http_allow_private,
        allow_private: config.http_allow_private,
        concurrency: config.http_concurrency,
        per_tenant: config.http_concurrency.div_ceil(8),
        lease: config.lease,
        poll: config.poll,
    }
}

pub fn webhook(config: &Config) -> hoopoe_webhooks::Settings {
    hoopoe_webhooks::Settings {
        concurrency: config.webhook_concurrency,
        per_webhook: config.webhook_concurrency_each,
        lease: config.lease,
        poll: config.poll,
    }
}

pub fn graph(config: &Config) -> hoopoe_meta::Settings {
    hoopoe_meta::Settings {
        base_url: config.graph_base_url.clone(),
        version: config.graph_version.clone(),
        connect_timeout: config.graph_connect_timeout,
        timeout: config.graph_timeout,
        proxy: config.graph_proxy.clone(),
        allow_private: config.http_allow_private,
        media_hosts: config.media_hosts.clone(),
    }
}

pub fn fetch(config: &Config) -> hoopoe_media::FetchSettings {
    hoopoe_media::FetchSettings { concurrency: config.media_concurrency, lease: config.lease, poll: config.poll }
}

pub fn onboarding(config: &Config) -> hoopoe_onboarding::Settings {
    let app = config.app_id.clone().zip(config.app_secret.clone());
    hoopoe_onboarding::Settings {
        meta: hoopoe_onboarding::MetaSettings {
            base_url: config.graph_base_url.clone(),
            version: config.graph_version.clone(),
            connect_timeout: config.graph_connect_timeout,
            timeout: config.graph_timeout,
            proxy: config.graph_proxy.clone(),
        },
        app: app.map(|(id, secret)| hoopoe_onboarding::App { id, secret }),
        signup_limit: hoopoe_onboarding::SIGNUP_LIMIT,
        check_every: config.token_check_interval,
        warning: config.token_expiry_warning,
        // Hours matter here; the look costs one step of an index.
        poll: config.poll * 20,
    }
}

pub fn delivery(config: &Config) -> hoopoe_delivery::Settings {
    hoopoe_delivery::Settings {
        graph: hoopoe_delivery::GraphSettings {
            base_url: config.graph_base_url.clone(),
            version: config.graph_version.clone(),
            connect_timeout: config.graph_connect_timeout,
            first_byte_timeout: config.graph_first_byte_timeout,
            timeout: config.graph_timeout,
            concurrency: config.delivery_concurrency,
            proxy: config.graph_proxy.clone(),
        },
        retries: config.delivery_retries,
        lease: config.lease,
        deadline: config.lease_deadline,
        rates: config.rates,
        validity: config.message_validity,
        doubt: config.unknown_outcome_wait,
        poll: config.poll,
    }
}
