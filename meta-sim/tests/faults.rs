//! Each fault, as a client sees it over real HTTP.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use meta_sim::{Fault, Options, Sim};
use serde_json::Value;
use support::{SOON, client, pair, post_message, text};

const TO: &str = "16505551234";

async fn send(sim: &Sim) -> reqwest::Result<(u16, Value)> {
    post_message(sim, &text(TO, "hello")).await
}

#[tokio::test]
async fn graph_errors_have_metas_shape_and_status() {
    let (sim, _inbox) = pair(Options::default()).await;
    let codes = [
        0, 1, 2, 3, 4, 10, 100, 190, 200, 299, 368, 613, 80007, 130429, 131000, 131008, 131009, 131016, 131026, 131031,
        131042, 131045, 131047, 131048, 131049, 131050, 131051, 131053, 131056, 131057, 131062, 132000, 132001, 132005,
        132007, 132008, 132012, 132015, 132016,
    ];
    for code in codes {
        let fault = Fault::code(code);
        let Fault::GraphError { http_status, ref title, .. } = fault else { panic!("{fault:?}") };
        assert_ne!(title, "Error", "{code} has no title");
        let title = title.clone();
        sim.fail_next(fault, 1);
        let (status, answer) = send(&sim).await.unwrap();
        assert_eq!((status, answer["error"]["code"].as_i64()), (http_status, Some(code)));
        assert_eq!(answer["error"]["message"], format!("(#{code}) {title}"));
    }
    assert_eq!((sim.accepted_count(), sim.refused_count()), (0, codes.len() as u64));
}

#[tokio::test]
async fn faults_of_the_way_to_meta() {
    let (sim, inbox) = pair(Options::default()).await;
    sim.fail_next(Fault::ServerError(502), 1);
    sim.fail_next(Fault::TooManyRequests, 1);
    sim.fail_next(Fault::Garbage200, 1);
    let (status, body) = send(&sim).await.unwrap();
    assert_eq!((status, body.is_string()), (502, true));
    assert_eq!(send(&sim).await.unwrap().0, 429);
    assert_eq!(sim.accepted_count(), 0);
    let (status, body) = send(&sim).await.unwrap();
    assert_eq!((status, body.is_string()), (200, true));
    sim.wait_for_statuses(3, SOON).await.unwrap();
    assert_eq!((sim.accepted_count(), inbox.statuses().len()), (1, 3));
    assert_eq!(send(&sim).await.unwrap().0, 200, "the script is used up");
}

#[tokio::test]
async fn a_reset_after_the_body_is_seen_as_a_broken_connection() {
    let (sim, inbox) = pair(Options::default()).await;
    sim.fail_next(Fault::ResetAfterBodyLost, 1);
    sim.fail_next(Fault::ResetAfterBody, 1);
    let error = send(&sim).await.unwrap_err();
    assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
    assert_eq!((sim.accepted_count(), sim.refused_count()), (0, 1));
    let error = send(&sim).await.unwrap_err();
    assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
    sim.wait_for_statuses(3, SOON).await.unwrap();
    assert_eq!((sim.accepted_count(), inbox.statuses().len()), (1, 3), "accepted, though nobody was told");
    assert_eq!(send(&sim).await.unwrap().0, 200, "the next connection is whole");
}

#[tokio::test]
async fn hanging_lasts_as_long_as_said_or_as_the_simulator() {
    let (sim, _inbox) = pair(Options::default()).await;
    let pause = Duration::from_millis(80);
    sim.fail_next(Fault::Hang(pause), 1);
    sim.fail_next(Fault::AcceptThenHang(pause), 1);
    let start = Instant::now();
    assert!(send(&sim).await.is_err());
    assert!(start.elapsed() >= pause);
    assert_eq!(sim.accepted_count(), 0);
    let start = Instant::now();
    assert_eq!(send(&sim).await.unwrap().0, 200);
    assert!(start.elapsed() >= pause);
    assert_eq!(sim.accepted_count(), 1);

    let url = sim.url();
    let in_background = || {
        let request = client().post(format!("{url}/v24.0/111/messages")).bearer_auth("t").json(&text(TO, "x"));
        tokio::spawn(async move { request.send().await })
    };
    sim.fail_next(Fault::AcceptThenHang(Duration::from_secs(3600)), 1);
    let impatient = in_background();
    sim.wait_for_accepted(2, SOON).await.unwrap();
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled(), "accepted, but never answered");

    sim.fail_next(Fault::Hang(Duration::from_secs(3600)), 1);
    let hanging = in_background();
    sim.wait_for_requests(4, SOON).await.unwrap();
    tokio::time::timeout(SOON, sim.stop()).await.unwrap();
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn a_message_can_fail_after_it_was_accepted() {
    let (sim, inbox) = pair(Options::default()).await;
    sim.fail_next(Fault::AcceptThenFail { code: 131049, title: "Not delivered".to_owned() }, 1);
    assert_eq!(send(&sim).await.unwrap().0, 200);
    sim.wait_for_statuses(1, SOON).await.unwrap();
    let item = &inbox.posts()[0]["entry"][0]["changes"][0]["value"]["statuses"][0];
    assert_eq!((item["status"].as_str(), item["errors"][0]["code"].as_i64()), (Some("failed"), Some(131049)));
}

#[tokio::test]
async fn faults_concern_whom_they_are_meant_for() {
    let (sim, _inbox) = pair(Options::default()).await;
    sim.fail_to("49151000001", Fault::code(131056), 2);
    sim.fail_next(Fault::code(131000), 1);
    let mut codes = Vec::new();
    for to in ["49151000001", "49151000002", "49151000001", "49151000001", "49151000002"] {
        let (_, answer) = post_message(&sim, &text(to, "x")).await.unwrap();
        codes.push(answer["error"]["code"].as_i64());
    }
    assert_eq!(codes, [Some(131056), Some(131000), Some(131056), None, None]);
    sim.fail_next(Fault::code(1), 5);
    sim.clear_faults();
    assert_eq!(send(&sim).await.unwrap().0, 200);
}
