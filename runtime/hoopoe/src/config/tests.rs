use super::*;

fn with(changes: &[(&str, &str)]) -> Result<Config, Error> {
    let mut values: HashMap<String, String> = [
        ("DATABASE_URL", "postgres://localhost/hoopoe"),
        ("APP_SECRET", "app-secret"),
        ("VERIFY_TOKEN", "verify"),
        ("MASTER_KEY", "0123456789abcdef0123456789abcdef"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    values.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Config::from(&values)
}

#[test]
fn defaults_are_complete() {
    let config = with(&[]).expect("valid");
    assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(config.unknown_outcome_wait, TimeDelta::seconds(30));
    assert_eq!(config.delivery_retries, 10);
    assert!(config.redis.is_none());
    assert_eq!(config.media.tenant_bytes, Some(5 << 30));
    assert_eq!(config.media_hosts, ["fbsbx.com", "fbcdn.net", "whatsapp.net", "facebook.com"]);
}

#[test]
fn wrong_and_missing_values_are_named() {
    let cases = [
        ("APP_ENV", "staging", "development or production"),
        ("APP_ID", "my-app", "digits"),
        ("TOKEN_CHECK_INTERVAL", "often", "TOKEN_CHECK_INTERVAL is"),
        ("PORT", "99999", "PORT is \"99999\""),
        ("HOST", "localhost", "IP address"),
        ("DATABASE_URL", "", "DATABASE_URL is not set"),
        ("DATABASE_URL", "mysql://short@localhost/hoopoe", "postgres://"),
        ("REDIS_URL", "localhost:short", "redis://host:6379"),
        ("REDIS_URL", "http://short@localhost", "redis://host:6379"),
        ("REDIS_URL", "redis-cluster://:short@one:6379/1", "redis-cluster://host:6379,host:6379"),
        ("VERIFY_TOKEN", " ", "VERIFY_TOKEN is not set"),
        ("MASTER_KEY", "short", "at least 32"),
        ("GRAPH_BASE_URL", "graph", "GRAPH_BASE_URL is \"graph\""),
        ("WHATSAPP_API_VERSION", "20", "v23.0"),
        ("GRAPH_TIMEOUT", "fast", "GRAPH_TIMEOUT is \"fast\""),
        ("GRAPH_PROXY", "user:short@proxy:3128", "http://user:password@host:port"),
        ("GRAPH_PROXY", "socks5://short@proxy:1080", "http://user:password@host:port"),
        ("WEBHOOK_MEMORY", "1000", "4194304 or more"),
        ("DELIVERY_CONCURRENCY", "0", "at least 1"),
        ("LEASE_DEADLINE", "10s", "longer than GRAPH_TIMEOUT"),
        ("GRAPH_FIRST_BYTE_TIMEOUT", "5s", "longer than GRAPH_CONNECT_TIMEOUT"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "user:short@collector", "http://localhost:4318"),
        ("RUN_RETENTION", "7w", "up to 3650 days"),
        ("HTTP_ALLOW_PRIVATE", "maybe", "true or false"),
        ("METRICS_ADDRESS", "9464", "127.0.0.1:9464"),
        ("MEDIA_STORE", "s3://", "s3://bucket/prefix"),
        ("MEDIA_STORE", "ftp://short/x", "s3://bucket/prefix"),
        ("MEDIA_TYPES", "pictures", "image/*"),
        ("MEDIA_MAX_SIZE", "much", "104857600"),
        ("MEDIA_TENANT_BYTES", "5G", "5368709120"),
        ("MEDIA_HOSTS", "fbcdn.net, https://facebook.com", "fbcdn.net"),
        ("MEDIA_HOSTS", "*", "fbcdn.net"),
        ("MEDIA_HOSTS", "net", "fbcdn.net"),
        ("MEDIA_LINK_BASE", "hoopoe.example.com", "https"),
        ("MEDIA_S3_ACCESS_KEY_ID", "id", "MEDIA_S3_SECRET_ACCESS_KEY"),
    ];
    for (name, value, expected) in cases {
        let error = with(&[(name, value)]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(name) && error.contains(expected), "{name}={value}: {error}");
        assert!(!error.contains("short"), "a secret is repeated: {error}");
    }
}

#[test]
fn production_needs_the_app_secret() {
    let without = [("APP_SECRET", ""), ("APP_ENV", "production")];
    assert!(with(&without).err().is_some_and(|error| error.to_string().starts_with("APP_SECRET is not set")));
    assert!(with(&[("APP_SECRET", "")]).is_ok_and(|config| config.app_secret.is_none()));
}
