//! Embedded Signup: who works on a number, and for how long.

use chrono::TimeDelta;
use hoopoe_secrets::Sealed;
use hoopoe_store::Store;
use hoopoe_store::signups::{Completion, Signup, SignupError, SignupRequest};

use crate::ground::Ground;

const LEASE: TimeDelta = TimeDelta::minutes(3);

fn sealed(what: u8) -> Sealed {
    Sealed { key_id: "k".to_owned(), bytes: vec![what; 40] }
}

async fn begin(store: &Store) -> Result<Signup, SignupError> {
    let request = SignupRequest {
        tenant_id: None,
        phone_number_id: "106540352242955",
        waba_id: "102290129340398",
        business_id: None,
        name: "Lucky Shrub",
        code_sha256: [1; 32],
    };
    store.begin_signup(&request, LEASE).await
}

fn is_under_way<T>(outcome: Result<T, SignupError>) -> bool {
    matches!(outcome, Err(SignupError::UnderWay(_)))
}

#[tokio::test]
async fn who_comes_late_changes_nothing_of_the_next_ones_signup() {
    let ground = Ground::new().await;
    let (one, two) = (ground.process(), ground.process());
    let mut late = begin(&one).await.unwrap();
    assert!(is_under_way(begin(&two).await));
    ground.ambient.advance(LEASE);
    let mut next = begin(&two).await.unwrap();
    assert_eq!(next.tenant_id, late.tenant_id, "it goes on with the same");

    // The lease of the next one stays, and so does what it has reached.
    one.release_signup(&late).await.unwrap();
    assert!(is_under_way(begin(&one).await));
    next.token = Some(sealed(2));
    two.keep_signup(&next).await.unwrap();
    late.token = Some(sealed(3));
    assert!(is_under_way(one.keep_signup(&late).await));
    let (of_late, of_next) = (sealed(3), sealed(2));
    let with = |token| Completion { key: ("hoopoe_k", [8; 32]), display_phone_number: None, token, rate: None };
    assert!(is_under_way(one.complete_signup(&late, &with(&of_late)).await));
    assert_eq!(ground.db.count("select count(*) from tenants").await, 1, "only the one that was there");
    assert!(two.complete_signup(&next, &with(&of_next)).await.unwrap());

    // After the end no token comes back.
    assert!(is_under_way(one.keep_signup(&late).await));
    assert_eq!(ground.db.count("select count(*) from signups where token_sealed is not null").await, 0);
    let again = begin(&one).await.unwrap();
    assert_eq!(again.completed_at, Some(ground.ambient.now()));
    one.release_signup(&again).await.unwrap();
    assert!(begin(&two).await.is_ok(), "a released one is anybody's");
}
