//! Traces over several processes, as an OTLP collector gets them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use hoopoe_testing::{Database, PATIENCE, Process, eventually, settings, sim_options};
use meta_sim::{Inbound, Sim};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use reqwest::Method;
use serde_json::json;

const HOOPOE: &str = env!("CARGO_BIN_EXE_hoopoe");
const NUMBER: &str = "106540352242922";
const CONTACT: &str = "16505551234";
const TOKEN: &str = "EAAtoken";

/// Keeps what processes export: the service's name and the span.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

impl Collector {
    /// Listens, and gives its address too.
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let router = Router::new().route("/v1/traces", post(Self::take)).with_state(collector.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (collector, address)
    }

    async fn take(State(collector): State<Self>, body: Bytes) {
        for resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
            let attributes = resource.resource.unwrap().attributes;
            let service = attributes.iter().find(|one| one.key == "service.name").unwrap().value.clone().unwrap();
            let Some(Value::StringValue(service)) = service.value else { panic!("{service:?}") };
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            collector.0.lock().unwrap().extend(spans.map(|span| (service.clone(), span)));
        }
    }

    fn spans(&self) -> Vec<(String, Span)> {
        self.0.lock().unwrap().clone()
    }

    /// Of one trace, by name; several of one name in the order of their coming.
    fn trace(&self, id: &[u8]) -> HashMap<String, Vec<(String, Span)>> {
        let mut trace: HashMap<String, Vec<_>> = HashMap::new();
        for (service, span) in self.spans().into_iter().filter(|(_, span)| span.trace_id == id) {
            trace.entry(span.name.clone()).or_default().push((service, span));
        }
        trace
    }
}

fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|one| one.key == name);
    let value = found.unwrap_or_else(|| panic!("{name} is not in {span:?}")).value.clone().unwrap().value;
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

fn traced(environment: &HashMap<String, String>, endpoint: &str, service: &str) -> HashMap<String, String> {
    let mut environment = environment.clone();
    for (name, value) in
        [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_SERVICE_NAME", service), ("OTEL_BSP_SCHEDULE_DELAY", "100")]
    {
        environment.insert(name.to_owned(), value.to_owned());
    }
    environment
}

#[tokio::test]
async fn one_trace_leads_from_the_webhook_to_the_last_status_over_processes() {
    let (db, sim) = (Database::create().await, Sim::start(sim_options()).await.unwrap());
    let (collector, endpoint) = Collector::start().await;
    let environment = settings(&db, &sim);
    let front = traced(&environment, &endpoint, "front");
    let back = traced(&environment, &endpoint, "back");
    let (front, back) = tokio::join!(
        Process::start_with(HOOPOE, &["serve", "--roles", "api,flows"], &front),
        Process::start_with(HOOPOE, &["serve", "--roles", "delivery"], &back),
    );
    sim.set_webhook(&front.api.webhook_url());
    let tenant = front.api.register("Acme", NUMBER, TOKEN).await;
    assert!(sim.receive(Inbound::text(NUMBER, CONTACT, "hello")).await.is_acknowledged());
    sim.wait_for_statuses(3, PATIENCE).await.unwrap();
    eventually("all spans are there", async || {
        let spans = collector.spans();
        let count = |name: &str| spans.iter().filter(|(_, span)| span.name == name).count();
        let links = spans.iter().flat_map(|(_, span)| &span.links);
        let linked = |id: &[u8]| spans.iter().any(|(_, span)| span.span_id == id);
        count("delivery") == 1 && count("status") == 3 && links.clone().all(|link| linked(&link.span_id))
    })
    .await;

    let spans = collector.spans();
    let id = &spans.iter().find(|(_, span)| span.name == "flow").unwrap().1.trace_id;
    let trace = collector.trace(id);
    let one = |name: &str| {
        let [(service, span)] = trace[name].as_slice() else { panic!("{name}: {trace:?}") };
        (service.as_str(), span.clone())
    };
    let ((_, webhook), (by_flow, flow)) = (one("webhook"), one("flow"));
    let ((by_delivery, delivery), (_, request)) = (one("delivery"), one("POST messages"));
    assert_eq!((by_flow, by_delivery), ("front", "back"));
    assert!(webhook.parent_span_id.is_empty());
    assert_eq!(flow.parent_span_id, webhook.span_id);
    assert_eq!(delivery.parent_span_id, flow.span_id);
    assert_eq!(request.parent_span_id, delivery.span_id);
    let statuses = &trace["status"];
    let mut steps: Vec<_> = statuses.iter().map(|(_, span)| attribute(span, "hoopoe.outcome")).collect();
    steps.sort();
    assert_eq!(steps, ["delivered", "read", "sent"]);
    let message = attribute(&delivery, "hoopoe.message.id");
    for (_, status) in statuses {
        assert_eq!((&status.parent_span_id, attribute(status, "hoopoe.message.id")), (&flow.span_id, message.clone()));
        let [link] = status.links.as_slice() else { panic!("{status:?}") };
        let came_with = spans.iter().find(|(_, span)| span.span_id == link.span_id).unwrap();
        assert_eq!((came_with.1.name.as_str(), came_with.1.trace_id != *id), ("webhook", true));
    }
    assert_eq!(attribute(&flow, "hoopoe.tenant.id"), tenant.id.to_string());
    assert!(attribute(&flow, "hoopoe.plugin").starts_with("auto-reply@"));
    assert_eq!(
        (attribute(&flow, "hoopoe.outcome"), attribute(&delivery, "hoopoe.outcome")),
        ("done".into(), "sent".into())
    );
    assert_eq!(attribute(&request, "http.response.status_code"), "200");
    // Nothing of what people wrote, whose number it is, or what opens a door.
    for secret in [CONTACT, "hello", "thanks for", TOKEN, NUMBER, "wamid"] {
        assert!(!format!("{spans:?}").contains(secret), "{secret} is in a span");
    }
    for process in [front, back] {
        assert!(process.terminate().await.status.success());
    }
}

#[tokio::test]
async fn a_trace_of_the_caller_goes_on_and_one_that_is_not_sampled_leaves_nothing() {
    let (db, sim) = (Database::create().await, Sim::start(sim_options()).await.unwrap());
    let (collector, endpoint) = Collector::start().await;
    let mut environment = traced(&settings(&db, &sim), &endpoint, "all");
    // What begins here is not kept.
    environment.insert("OTEL_TRACES_SAMPLER_ARG".to_owned(), "0".to_owned());
    let process = Process::start(HOOPOE, &environment).await;
    sim.set_webhook(&process.api.webhook_url());
    let tenant = process.api.register("Acme", NUMBER, TOKEN).await;
    let send = async |traceparent: &str, text: &str| {
        let body = json!({ "to": CONTACT, "text": text });
        let request = process.api.request(Method::POST, &format!("/tenants/{}/send", tenant.id), &tenant.key);
        let answer = request.header("traceparent", traceparent).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    };
    send("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "one").await;
    send("00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "two").await;
    send("nonsense", "three").await;
    assert!(sim.receive(Inbound::text(NUMBER, CONTACT, "hello")).await.is_acknowledged());
    sim.wait_for_statuses(12, PATIENCE).await.unwrap();
    db.idle().await;
    assert_eq!(db.count("select count(*) from messages where traceparent is not null").await, 1);
    assert_eq!(db.count("select count(*) from events where traceparent is not null").await, 0);
    assert!(process.terminate().await.status.success());

    let id = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    let trace = collector.trace(&id);
    let mut names: Vec<_> = trace.iter().map(|(name, spans)| (name.as_str(), spans.len())).collect();
    names.sort_unstable();
    assert_eq!(names, [("POST messages", 1), ("delivery", 1), ("send", 1), ("status", 3)]);
    assert_eq!(trace["send"][0].1.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(collector.spans().len(), 6, "{:?}", collector.spans());
}

#[tokio::test]
async fn without_a_collector_nothing_is_kept_and_nothing_waits_for_one_that_is_away() {
    let (db, sim) = (Database::create().await, Sim::start(sim_options()).await.unwrap());
    let environment = settings(&db, &sim);
    let away = traced(&environment, "http://127.0.0.1:9", "all");
    for (environment, traced, contact) in [(&environment, 0, CONTACT), (&away, 1, "16505559999")] {
        let process = Process::start(HOOPOE, environment).await;
        sim.set_webhook(&process.api.webhook_url());
        if traced == 0 {
            process.api.register("Acme", NUMBER, TOKEN).await;
        }
        assert!(sim.receive(Inbound::text(NUMBER, contact, "hello")).await.is_acknowledged());
        sim.wait_for_webhook_idle(PATIENCE).await.unwrap();
        db.idle().await;
        assert_eq!(sim.times(contact, "thanks for reaching us\n- team Acme"), 1);
        assert_eq!(db.count("select count(*) from messages where traceparent is not null").await, traced);
        assert!(process.terminate().await.status.success());
    }
}
