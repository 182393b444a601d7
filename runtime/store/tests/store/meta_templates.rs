//! What Meta says of a template may come in any order and any number of times, and much of it within one second: in the
//! end the same is known of it.

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_store::ambient::Ambient;
use hoopoe_store::meta_templates::Known;
use uuid::Uuid;

use crate::ground::Ground;

const SETS: u64 = 40;
const TOLD: usize = 10;
const ACCOUNT: &str = "102290129340398";

fn told(chance: &Ambient, start: DateTime<Utc>) -> Vec<Known> {
    let pick = |words: &[&str]| words[chance.below(words.len())].to_owned();
    let perhaps = |words: &[&str]| (chance.below(2) == 0).then(|| pick(words));
    let one = |_| {
        let at = start + [TimeDelta::zero(), TimeDelta::seconds(1)][chance.below(2)];
        let known = Known::new(String::new(), "en".to_owned(), at);
        match chance.below(3) {
            0 => {
                let status = pick(&["APPROVED", "PAUSED", "DISABLED", "REJECTED", "PENDING"]);
                Known { status: Some((status, perhaps(&["A", "B"]))), ..known }
            }
            1 => {
                Known { category: Some((pick(&["UTILITY", "MARKETING"]), perhaps(&["MARKETING", "UTILITY"]))), ..known }
            }
            _ => Known { quality: Some(pick(&["GREEN", "YELLOW", "RED"])), ..known },
        }
    };
    (0..TOLD).map(one).collect()
}

/// The same in another order, some of it again.
fn shuffled(chance: &Ambient, told: &[Known]) -> Vec<Known> {
    let again: Vec<Known> = told.iter().filter(|_| chance.below(2) == 0).cloned().collect();
    let mut all = [told, &again].concat();
    for place in (1..all.len()).rev() {
        all.swap(place, chance.below(place + 1));
    }
    all
}

/// All that is known, and why messages are stopped. One that is not approved yet leaves that as it is.
async fn result(ground: &Ground, tenant_id: Uuid, name: &str) -> String {
    sqlx::query_scalar(
        "select concat_ws(' ', t.status, coalesce(t.reason, '-'), t.status_at, coalesce(t.category, '-'),
                          coalesce(t.next_category, '-'), t.category_at, coalesce(t.quality, '-'), t.quality_at, s.reason)
         from meta_templates t
         left join suspended_templates s
           on s.tenant_id = t.tenant_id and s.waba_id = t.waba_id and s.name = t.name and s.language = t.language
           and t.status <> 'PENDING'
         where t.tenant_id = $1 and t.name = $2",
    )
    .bind(tenant_id)
    .bind(name)
    .fetch_one(&ground.db.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn any_order_and_repetition_ends_the_same() {
    let ground = Ground::new().await;
    let (store, start) = (ground.process(), ground.ambient.now());
    for set in 0..SETS {
        let chance = Ambient::manual(start, set);
        let told = told(&chance, start);
        let mut results = Vec::new();
        for (label, told) in [("ordered", told.clone()), ("shuffled", shuffled(&chance, &told))] {
            let name = format!("{label}_{set}");
            for known in told {
                let known = Known { name: name.clone(), ..known };
                store.learn_templates(ground.tenant_id, ACCOUNT, &[known]).await.unwrap();
            }
            results.push(result(&ground, ground.tenant_id, &name).await);
        }
        assert_eq!(results[0], results[1], "set {set}: {told:#?}");
    }
}
