//! A signup whose steps hang comes to its end all the same, and can be tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::Uri;
use axum::{Json, Router};
use chrono::TimeDelta;
use hoopoe_onboarding::{App, Error, MetaSettings, Onboarding, Settings, SignupRequest};
use hoopoe_secrets::MasterKey;
use hoopoe_testing::{MASTER_KEY, World};
use serde_json::{Value, json};

const WABA: &str = "102290129340398";
const NUMBER: &str = "106540352242922";
/// In place of two minutes.
const LIMIT: Duration = Duration::from_secs(2);
/// Each call may take longer than all steps together.
const CALL: Duration = Duration::from_secs(60);

/// A Meta that takes every step, but does not answer a registration while it hangs.
#[derive(Default)]
struct Meta {
    hangs: AtomicBool,
    exchanges: AtomicUsize,
}

async fn answer(State(meta): State<Arc<Meta>>, uri: Uri) -> Json<Value> {
    let call = uri.path().rsplit('/').next().unwrap_or_default();
    if call == "access_token" {
        meta.exchanges.fetch_add(1, Ordering::SeqCst);
    }
    if call == "register" && meta.hangs.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    Json(match call {
        "access_token" => json!({ "access_token": "business-token" }),
        "debug_token" => json!({ "data": { "is_valid": true,
            "scopes": ["whatsapp_business_management", "whatsapp_business_messaging"] } }),
        "phone_numbers" => json!({ "data": [{ "id": NUMBER, "display_phone_number": "+1 650-555-0000" }] }),
        _ => json!({ "success": true }),
    })
}

#[tokio::test]
async fn a_signup_that_hangs_ends_in_time_and_the_same_request_goes_on() {
    let world = World::builder().roles("api").start().await;
    let meta = Arc::new(Meta { hangs: AtomicBool::new(true), ..Meta::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(meta.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = Settings {
        meta: MetaSettings { base_url, version: "v23.0".to_owned(), connect_timeout: CALL, timeout: CALL, proxy: None },
        app: Some(App { id: "670843887433847".to_owned(), secret: "app-secret".into() }),
        signup_limit: LIMIT,
        check_every: TimeDelta::hours(1),
        warning: TimeDelta::days(7),
        poll: CALL,
    };
    let master_key = MasterKey::new(MASTER_KEY.into()).unwrap();
    let onboarding = Onboarding::new(world.store().clone(), master_key, settings).unwrap();
    let request = SignupRequest {
        code: "code-1".into(),
        waba_id: WABA.to_owned(),
        phone_number_id: NUMBER.to_owned(),
        business_id: None,
        name: "Lucky Shrub".to_owned(),
        tenant_id: None,
        pin: None,
        coexistence: false,
    };
    for attempt in 1..=2 {
        let start = Instant::now();
        let error = onboarding.sign_up(&request).await.unwrap_err();
        let (text, took) = (error.to_string(), start.elapsed());
        // The second is not kept waiting for the lease of the first: nobody has it.
        assert!(matches!(error, Error::TooLong(limit) if limit == LIMIT), "attempt {attempt}: {text}");
        assert!(text.contains("longer than 2s") && text.contains("send the same request again"), "{text}");
        assert!(took >= LIMIT && took < CALL / 2, "attempt {attempt}: {took:?}");
        assert_eq!(world.db.count("select count(*) from tenants").await, 0, "a tenant before its time");
    }
    meta.hangs.store(false, Ordering::SeqCst);
    let done = onboarding.sign_up(&request).await.unwrap();
    assert!(done.is_new && done.api_key.is_some() && done.pin.is_some());
    assert_eq!(meta.exchanges.load(Ordering::SeqCst), 1, "it went on where it had stopped");
    assert_eq!(world.db.count("select count(*) from channels").await, 1);
    world.end().await;
}
