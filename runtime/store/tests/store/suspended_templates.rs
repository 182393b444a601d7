//! A template is stopped in one business account: another one of the same tenant sends what has the same name.

use chrono::TimeDelta;
use hoopoe_secrets::Sealed;
use hoopoe_store::Store;
use hoopoe_store::meta_templates::Known;
use hoopoe_store::numbers::NewNumber;
use hoopoe_store::suspended_templates::TemplateSuspension;
use hoopoe_testing::Database;
use uuid::Uuid;

use crate::ground::Ground;
use crate::migrations::{MIGRATIONS, empty};

const ONE: &str = "102290129340398";
const TWO: &str = "102290129340399";

fn suspension(ground: &Ground, account: Option<&str>) -> TemplateSuspension {
    TemplateSuspension {
        waba_id: account.map(str::to_owned),
        name: "offer".to_owned(),
        language: "en".to_owned(),
        reason: "paused".to_owned(),
        until: ground.ambient.now() + TimeDelta::hours(1),
    }
}

fn told(ground: &Ground, status: &str) -> Known {
    let known = Known::new("offer".to_owned(), "en".to_owned(), ground.ambient.now());
    Known { status: Some((status.to_owned(), None)), ..known }
}

/// Accounts in which a template is stopped.
async fn stopped(store: &Store, tenant_id: Uuid) -> Vec<Option<String>> {
    let found = store.suspended_templates(tenant_id).await.unwrap();
    found.into_iter().map(|one| one.waba_id).collect()
}

#[tokio::test]
async fn a_suspension_is_of_one_account() {
    let ground = Ground::new().await;
    let (store, tenant) = (ground.process(), ground.tenant_id);
    // Of the first number no account is known.
    let mut numbers: Vec<(Option<&str>, Uuid)> = vec![(None, ground.channel_id)];
    for (number, account) in [("106540352242923", ONE), ("106540352242924", TWO)] {
        let token = Sealed { key_id: "k".to_owned(), bytes: vec![1; 40] };
        let new = NewNumber {
            phone_number_id: number,
            waba_id: Some(account),
            display_phone_number: None,
            token: &token,
            rate: None,
        };
        numbers.push((Some(account), store.add_number(tenant, &new).await.unwrap()));
    }
    for count in 1..=numbers.len() {
        store.suspend_template(tenant, &suspension(&ground, numbers[count - 1].0)).await.unwrap();
        for (place, (account, channel)) in numbers.iter().enumerate() {
            let expected: Vec<_> = (place < count).then(|| suspension(&ground, *account)).into_iter().collect();
            let sender = store.sender(tenant, *channel).await.unwrap().unwrap();
            assert_eq!(sender.templates, expected, "{account:?} after {count}");
        }
    }
    let (one, two) = (Some(ONE.to_owned()), Some(TWO.to_owned()));
    assert_eq!(stopped(&store, tenant).await, [None, one, two.clone()]);

    store.learn_templates(tenant, ONE, &[told(&ground, "APPROVED")]).await.unwrap();
    assert_eq!(stopped(&store, tenant).await, [None, two.clone()]);
    ground.ambient.advance(TimeDelta::seconds(1));
    for account in [ONE, TWO] {
        store.learn_templates(tenant, account, &[told(&ground, "DISABLED")]).await.unwrap();
    }
    assert_eq!(stopped(&store, tenant).await.len(), 3);
    // What is gone at Meta is gone in its account.
    let ever = ground.ambient.now() + TimeDelta::days(1);
    assert_eq!(store.forget_templates(tenant, ONE, Some("offer"), None, ever).await.unwrap(), 1);
    assert_eq!(stopped(&store, tenant).await, [None, two.clone()]);
    ground.ambient.advance(TimeDelta::hours(1));
    assert_eq!(stopped(&store, tenant).await, [two]);
}

/// Suspensions by account, then those that processes of the release before look at.
async fn all(db: &Database) -> Vec<String> {
    let query = "select waba_id || ' ' || name from suspended_templates
                 union all select 'before ' || name from template_suspensions order by 1";
    sqlx::query_scalar(query).fetch_all(&db.pool).await.unwrap()
}

#[tokio::test]
async fn processes_of_the_release_before_have_theirs_and_lift_the_others() {
    const SUSPEND: &str = "insert into template_suspensions (tenant_id, name, language, reason, at, until)
                           select id, 'offer', 'en', 'PAUSED', now(), now() + interval '1 day' from tenants";
    let db = empty().await;
    MIGRATIONS.run_to(13, &db.pool).await.unwrap();
    db.execute("insert into tenants (id, name, created_at) values (gen_random_uuid(), 'Acme', now())").await;
    db.execute(SUSPEND).await;
    let of_nobody_knows_which = "insert into template_suspensions (tenant_id, name, language, reason, at, until)
                                 select tenant_id, 'other', language, reason, at, until from template_suspensions";
    db.execute(of_nobody_knows_which).await;
    db.execute(
        "insert into meta_templates (tenant_id, waba_id, name, language, status, status_at, category_at, quality_at,
                                     stale, created_at, updated_at)
         select t.id, k.waba_id, 'offer', 'en', k.status, now(), now(), now(), false, now(), now()
         from tenants t, (values ('1', 'PAUSED'), ('2', 'APPROVED'), ('3', 'DISABLED')) as k (waba_id, status)",
    )
    .await;
    MIGRATIONS.run_to(14, &db.pool).await.unwrap();
    assert_eq!(all(&db).await, ["1 offer", "3 offer", "before offer", "before other"]);
    db.execute("delete from suspended_templates where waba_id = '1'").await;
    assert_eq!(all(&db).await, ["3 offer", "before other"]);
    MIGRATIONS.run_to(18, &db.pool).await.unwrap();
    // A process of the release before hears that Meta approves: it has nothing of its own to lift.
    db.execute("update meta_templates set status = 'APPROVED' where waba_id = '3'").await;
    assert_eq!(all(&db).await, ["before other"]);
    db.execute("update meta_templates set status = 'DISABLED' where waba_id = '3'").await;
    db.execute(
        "insert into suspended_templates (tenant_id, waba_id, name, language, reason, at, until)
         select id, '3', 'offer', 'en', 'DISABLED', now(), now() + interval '1 day' from tenants",
    )
    .await;
    db.execute(SUSPEND).await;
    assert_eq!(all(&db).await, ["3 offer", "before offer", "before other"]);
    db.execute("delete from template_suspensions where name = 'offer'").await;
    assert_eq!(all(&db).await, ["before other"]);
}
