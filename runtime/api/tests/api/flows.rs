//! `/tenants/{id}/flows`: rule sets, their versions, and what is wrong with bad ones.

use hoopoe_testing::{Tenant, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{Answer, answer};

/// The former system's example.
fn greeting() -> Value {
    json!({
        "flows": [{
            "id": "greeting_flow",
            "match": { "contains": ["hello", "hi"] },
            "action": { "type": "send_template", "templateKey": "welcome_v1" },
        }],
        "fallbackTemplateKey": "fallback_v1",
    })
}

/// A rule set that answers everything with this text.
fn says(text: &str) -> Value {
    json!({ "flows": [{ "id": "always", "action": { "type": "send_text", "text": text } }] })
}

/// A tenant's requests.
struct Caller<'a> {
    world: &'a World,
    tenant: &'a Tenant,
}

impl Caller<'_> {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let path = format!("/tenants/{}/flows{path}", self.tenant.id);
        let request = self.world.api.request(method, &path, &self.tenant.key);
        answer(body.iter().fold(request, |request, body| request.json(body))).await
    }

    /// Saves a set, which has to succeed.
    async fn save(&self, set: &Value) -> Value {
        let answer = self.call(Method::POST, "", Some(set)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.call(Method::GET, path, None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// What handles the tenant's events: plugin, kinds of events, and whether there is a configuration.
    async fn flow(&self) -> (String, Vec<String>, bool) {
        sqlx::query_as("select flow, flow_wants, flow_config_id is not null from tenants where id = $1")
            .bind(self.tenant.id)
            .fetch_one(&self.world.db.pool)
            .await
            .unwrap()
    }

    async fn sql(&self, sql: &'static str) {
        sqlx::query(sql).bind(self.tenant.id).execute(&self.world.db.pool).await.unwrap();
    }
}

fn rules() -> (String, Vec<String>, bool) {
    ("rules".to_owned(), vec!["message".to_owned(), "timer".to_owned()], true)
}

fn auto_reply() -> (String, Vec<String>, bool) {
    ("auto-reply".to_owned(), vec!["message".to_owned()], false)
}

#[tokio::test]
async fn a_rule_set_is_saved_shown_and_takes_over() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let caller = Caller { world: &world, tenant: &tenant };
    let nothing = caller.get("").await;
    assert_eq!(
        nothing,
        json!({ "flows": [], "version": 0, "active": false, "createdAt": null, "unknownTemplates": [] })
    );
    assert_eq!(caller.get("/history").await, json!({ "versions": [] }));

    let saved = caller.save(&greeting()).await;
    let mut expected = greeting();
    expected.as_object_mut().unwrap().extend(
        json!({
            "version": 1, "active": true, "createdAt": "2026-01-01T00:00:00Z",
            "unknownTemplates": ["fallback_v1", "welcome_v1"],
        })
        .as_object()
        .unwrap()
        .clone(),
    );
    assert_eq!(saved, expected);
    assert_eq!(caller.get("").await, saved);
    assert_eq!(caller.flow().await, rules());
    let shown = world.api.get(&format!("/api/tenants/{}", tenant.id), &tenant.key).await;
    assert_eq!(shown.1["flow"], "rules");

    let template = json!({ "key": "welcome_v1", "language": "en", "components": [{ "type": "body", "text": "Hi" }] });
    let created = world.api.post(&format!("/tenants/{}/templates", tenant.id), &tenant.key, &template).await;
    assert_eq!(created.0, 201, "{}", created.1);
    assert_eq!(caller.get("").await["unknownTemplates"], json!(["fallback_v1"]));
    world.end().await;
}

#[tokio::test]
async fn everything_that_a_rule_can_say_comes_back_as_it_was_said() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let caller = Caller { world: &world, tenant: &tenant };
    let set = json!({
        "flows": [
            {
                "id": "all.conditions", "description": "as many as there are", "priority": -5, "continue": true,
                "match": {
                    "contains": ["a"], "exact": "b", "starts_with": "c", "regex": "(d)", "kind": ["text", "image"],
                    "reply_id": "e", "language": ["en", "pt_BR"], "tags": "vip", "business_hours": "office",
                    "variables": { "f": null, "g": ["h", "i"] }, "fold": "case_and_accents", "words": true,
                    "all": [{ "any": [{ "contains": "j" }, { "not": { "contains": "k" } }] }],
                },
                "action": [
                    { "type": "send_template", "templateKey": "t", "language": "en_GB", "variables": { "1": "{{capture.1}}" } },
                    { "type": "send_text", "text": "{{text}}", "previewUrl": true },
                    { "type": "reply_buttons", "text": "l", "header": "m", "footer": "n",
                      "buttons": [{ "id": "o", "title": "p" }] },
                    { "type": "set", "variables": { "f": "{{contact.name|q}}", "g": null } },
                    { "type": "tag", "add": ["r"], "remove": ["s"] },
                    { "type": "go_to", "step": "u", "timeoutSeconds": 60 },
                    { "type": "hand_off", "reason": "v" },
                ],
            },
            { "id": "late", "step": "u", "on": "timeout", "action": { "type": "stop" } },
        ],
        "fallbackTemplateKey": "w",
        "defaultLanguage": "en",
        "businessHours": {
            "office": {
                "timezone": "America/Sao_Paulo",
                "open": [{ "days": ["mon", "sun"], "from": "22:00", "to": "02:00" }],
                "closed": ["2026-12-25"],
            },
        },
    });
    caller.save(&set).await;
    let shown = caller.get("").await;
    for field in ["flows", "fallbackTemplateKey", "defaultLanguage", "businessHours"] {
        assert_eq!(shown[field], set[field], "{field}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_bad_rule_is_pointed_at_and_changes_nothing() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let caller = Caller { world: &world, tenant: &tenant };
    let before = caller.save(&says("before")).await;
    let rule = |matches: Value| {
        let fine = json!({ "id": "fine", "action": { "type": "stop" } });
        let bad = json!({ "id": "bad", "match": matches, "action": { "type": "stop" } });
        json!({ "flows": [fine, bad] })
    };
    let many: Vec<Value> =
        (0..501).map(|number| json!({ "id": format!("r{number}"), "action": { "type": "stop" } })).collect();
    let text = "x".repeat(4000);
    let large: Vec<Value> = (0..20)
        .map(|number| json!({ "id": format!("r{number}"), "action": { "type": "send_text", "text": text } }))
        .collect();
    let cases: [(&str, Value, &str, &[&str]); 14] = [
        ("no rules", json!({}), "flows", &["missing"]),
        ("a bad expression", rule(json!({ "regex": "(" })), "flows[1].match.regex", &["not a regular expression"]),
        ("a bad one of many", rule(json!({ "regex": ["a", "(?=b)"] })), "flows[1].match.regex[1]", &["look-around"]),
        (
            "an unknown condition",
            rule(json!({ "contain": "a" })),
            "flows[1].match.contain",
            &["unknown field `contain`"],
        ),
        ("an unknown kind", rule(json!({ "kind": "photo" })), "flows[1].match.kind", &["unknown variant `photo`"]),
        ("nothing asked for", rule(json!({})), "flows[1].match", &["asks for nothing"]),
        ("unknown hours", rule(json!({ "business_hours": "office" })), "flows[1].match.business_hours", &["office"]),
        ("a rule without id", json!({ "flows": [{ "action": { "type": "stop" } }] }), "flows[0].id", &["missing"]),
        ("too many rules", json!({ "flows": many }), "flows", &["501", "500"]),
        ("too large rules", json!({ "flows": large }), "flows", &["65536"]),
        (
            "an unknown action",
            json!({ "flows": [{ "id": "a", "action": [{ "type": "stop" }, { "type": "reply" }] }] }),
            "flows[0].action[1].type",
            &["unknown variant `reply`", "send_text"],
        ),
        (
            "an unknown placeholder",
            json!({ "flows": [{ "id": "a", "action": { "type": "send_text", "text": "{{nme}}" } }] }),
            "flows[0].action.text",
            &["{{nme}}", "contact.name"],
        ),
        (
            "a step that nobody waits at",
            json!({ "flows": [{ "id": "a", "action": { "type": "go_to", "step": "b" } }] }),
            "flows[0].action.step",
            &["no rule has the step \"b\""],
        ),
        (
            "a place that is no time zone",
            json!({ "flows": [], "businessHours": { "a": { "timezone": "Berlin", "open": [] } } }),
            "businessHours.a.timezone",
            &["Europe/Berlin"],
        ),
    ];
    for (label, set, field, words) in cases {
        caller.call(Method::POST, "", Some(&set)).await.refuses_field(label, field, words);
    }
    let unknown = json!({ "flows": [], "rules": [] });
    let answer = caller.call(Method::POST, "", Some(&unknown)).await;
    answer.refuses_field("an unknown field", "rules", &["unknown field `rules`", "`flows`"]);
    assert_eq!(caller.get("").await, before);
    assert_eq!(world.db.count("select count(*) from plugin_configs").await, 1);
    world.end().await;
}

#[tokio::test]
async fn versions_are_kept_and_come_back() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let caller = Caller { world: &world, tenant: &tenant };
    let rollback = async |body: Value| caller.call(Method::POST, "/rollback", Some(&body)).await;
    rollback(json!({})).await.refuses("nothing to go back to", 404, &["/flows/history"]);
    caller.save(&says("one")).await;
    rollback(json!({})).await.refuses("only one version", 404, &["/flows/history"]);
    caller.save(&says("two")).await;
    caller.save(&says("three")).await;

    let text = |set: &Value| set["flows"][0]["action"]["text"].clone();
    let back = rollback(json!({})).await.body;
    assert_eq!((&back["version"], &back["restores"], text(&back)), (&json!(4), &json!(2), json!("two")));
    let back = rollback(json!({ "version": 1 })).await.body;
    assert_eq!((&back["version"], &back["restores"], text(&back)), (&json!(5), &json!(1), json!("one")));
    assert_eq!(caller.get("").await, back);
    assert_eq!(text(&caller.get("?version=3").await), "three");

    let history = caller.get("/history").await;
    let versions: Vec<_> = history["versions"].as_array().unwrap().iter().collect();
    let in_short =
        |version: &&Value| (version["version"].as_i64(), version["active"].as_bool(), version["rules"].as_i64());
    let in_short: Vec<_> = versions.iter().map(in_short).collect();
    let expected: Vec<_> = (1..=5).rev().map(|version| (Some(version), Some(version == 5), Some(1))).collect();
    assert_eq!(in_short, expected);
    assert_eq!((&versions[0]["restores"], versions[2].get("restores")), (&json!(1), None));

    for (label, body, words) in [
        ("a version that never was", json!({ "version": 9 }), ["no version 9", "/flows/history"]),
        ("a negative one", json!({ "version": -1 }), ["no version -1", "/flows/history"]),
    ] {
        rollback(body).await.refuses(label, 404, &words);
    }
    rollback(json!({ "version": "1" })).await.refuses_field("a text", "version", &["expected i32"]);
    let answer = caller.call(Method::GET, "?version=9", None).await;
    answer.refuses("a version that never was", 404, &["no version 9"]);
    caller.call(Method::GET, "?v=9", None).await.refuses("an unknown parameter", 400, &["`v`"]);
    world.end().await;
}

#[tokio::test]
async fn the_last_hundred_versions_are_kept() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let caller = Caller { world: &world, tenant: &tenant };
    for number in 1..=102 {
        caller.save(&says(&number.to_string())).await;
    }
    let history = caller.get("/history").await;
    let versions = history["versions"].as_array().unwrap();
    assert_eq!((versions.len(), &versions[99]["version"]), (100, &json!(3)));
    world.end().await;
}

#[tokio::test]
async fn an_empty_set_switches_the_rules_off() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let caller = Caller { world: &world, tenant: &tenant };
    caller.save(&greeting()).await;
    let off = caller.save(&json!({ "flows": [] })).await;
    assert_eq!((&off["version"], &off["active"]), (&json!(2), &json!(false)));
    assert_eq!(caller.flow().await, auto_reply());
    assert_eq!(caller.get("").await, off);

    let fallback = caller.save(&json!({ "flows": [], "fallbackTemplateKey": "fallback_v1" })).await;
    assert_eq!(fallback["active"], json!(true));
    assert_eq!(caller.flow().await, rules());
    caller.call(Method::POST, "/rollback", Some(&json!({ "version": 2 }))).await;
    assert_eq!(caller.flow().await, auto_reply());
    world.end().await;
}

#[tokio::test]
async fn while_a_plugin_of_the_tenants_own_is_active_rules_are_only_saved() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let caller = Caller { world: &world, tenant: &tenant };
    let own = ("own".to_owned(), vec!["message".to_owned(), "status".to_owned()], false);
    caller
        .sql("update tenants set flow = 'own', flow_digest = repeat('a', 64), flow_wants = '{message,status}' where id = $1")
        .await;
    for set in [greeting(), json!({ "flows": [] }), says("later")] {
        let saved = caller.save(&set).await;
        assert_eq!(saved["active"], json!(false));
        assert_eq!(caller.flow().await, own);
    }
    assert_eq!(caller.get("").await["active"], json!(false));
    world.end().await;
}

#[tokio::test]
async fn new_rules_end_the_pause_of_those_that_failed() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let caller = Caller { world: &world, tenant: &tenant };
    let paused = async || world.db.count("select count(*) from tenants where flow_paused_at is not null").await;
    caller.save(&greeting()).await;
    caller.sql("update tenants set flow_paused_at = now(), flow_paused_reason = 'x' where id = $1").await;
    let bad = caller.call(Method::POST, "", Some(&json!({ "flows": [{}] }))).await;
    assert_eq!((bad.status, paused().await), (400, 1));
    caller.save(&says("better")).await;
    assert_eq!(paused().await, 0);

    caller
        .sql("update tenants set flow_paused_at = now(), flow = 'own', flow_digest = repeat('a', 64) where id = $1")
        .await;
    caller.save(&says("later")).await;
    assert_eq!(paused().await, 1, "the pause is that of another plugin");
    world.end().await;
}

#[tokio::test]
async fn rules_are_their_tenants_own() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let other = world.api.register("Other", "106540352242923", "token").await;
    Caller { world: &world, tenant: &acme }.save(&says("acme")).await;
    Caller { world: &world, tenant: &other }.save(&says("other")).await;
    assert_eq!(Caller { world: &world, tenant: &acme }.get("").await["flows"][0]["action"]["text"], "acme");
    let stranger = Tenant { key: other.key.clone(), ..acme.clone() };
    let stranger = Caller { world: &world, tenant: &stranger };
    for (method, path, body) in [
        (Method::GET, "", None),
        (Method::GET, "/history", None),
        (Method::POST, "", Some(says("stolen"))),
        (Method::POST, "/rollback", Some(json!({}))),
    ] {
        stranger.call(method, path, body.as_ref()).await.refuses(path, 404, &["no tenant"]);
    }
    assert_eq!(Caller { world: &world, tenant: &acme }.get("").await["version"], 1);
    world.end().await;
}
