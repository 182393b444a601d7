//! All metrics: names, help, units. Names have the prefix `hoopoe_`; counters end in `_total`, what has a unit ends in it.
//!
//! The names that operators use are in `docs/operations`; a test holds its dashboard and alerts to those here.

mod build;
mod codes;
pub mod labels;
mod recording;

use std::sync::LazyLock;

use prometheus_client::encoding::text::encode;
pub use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::histogram::exponential_buckets;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::build::Builder;
pub use self::build::{By, By2, Measure};
use self::labels::{
    Answer, Called, Class, Compiled, Connection, Doubt, Ended, FailureClass, Item, Kept, Label, Pool, Posted, Ready,
    Stage, Step, Suspended, SuspendedBy, Verdict, Writer,
};
pub use self::recording::{InUse, LaneMeters, Wait, WriterMeters};

/// The type of [`Metrics::text`], for the header `Content-Type`.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// This process' metrics.
pub fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);
    &METRICS
}

/// Every metric of a process. What is sampled is set when somebody asks for the text.
#[derive(Debug)]
#[allow(missing_docs, reason = "each has its help text below")]
pub struct Metrics {
    registry: Registry,

    pub webhooks: By<Answer, Counter>,
    pub webhook_ack: Histogram,
    pub webhook_items: By2<Item, Kept, Counter>,

    commit: By<Writer, Histogram>,
    commit_items: By<Writer, Histogram>,
    commit_bisections: By<Writer, Counter>,
    commit_conflicts: By<Writer, Counter>,
    shed_items: By<Writer, Counter>,

    lanes_claimed: By<Stage, Counter>,
    lanes_born: By<Stage, Counter>,
    lanes_left: By<Stage, Counter>,
    pub lanes_lost: By<Stage, Counter>,
    lanes_working: By<Stage, Gauge>,
    lane_work: By<Stage, Histogram>,
    heartbeats_failed: By<Stage, Counter>,

    pub flow_runs: By<Ended, Counter>,
    pub flow_run: Histogram,
    pub flow_run_fuel: Histogram,
    pub flow_wait: Histogram,
    pub sandbox_instances: Gauge,
    pub compilations: By<Compiled, Counter>,
    pub compilation: Histogram,

    pub deliveries: By<Verdict, Counter>,
    graph_failures: Family<[(&'static str, &'static str); 2], Counter>,
    pub suspensions: By2<Suspended, SuspendedBy, Counter>,
    pub graph_request: Histogram,
    pub unknown_outcomes: By<Doubt, Counter>,
    pub rate_limit_wait: Histogram,
    pub delivery_wait: Histogram,
    pub statuses: By<Step, Counter>,
    status_failures: Family<[(&'static str, &'static str); 1], Counter>,
    pub calls: By<Called, Counter>,
    pub notices: By<Posted, Counter>,

    pub queue_lanes: By2<Class, Ready, Measure>,
    pub queue_oldest: By<Class, Measure>,
    pub notices_oldest: Measure,
    pub scheduled_overdue: Measure,
    pub queue_looked: Counter,
    pub database_connections: By<Connection, Gauge>,
    pub database_connections_limit: Gauge,
    pub database_acquire: By<Pool, Histogram>,
    pub database_up: Gauge,
    pub redis_configured: Gauge,
    pub redis_up: Gauge,
}

impl Metrics {
    fn new() -> Self {
        let mut all = Builder(Registry::with_prefix("hoopoe"));
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.0.register("build", "The version that runs", build);
        Self {
            webhooks: all.counters("webhooks", "Webhooks by how they were answered"),
            webhook_ack: all.seconds("webhook_ack", "From a webhook's last byte to its answer", short),
            webhook_items: all.counters2("webhook_items", "Items of acknowledged webhooks, and what became of them"),

            commit: all.seconds_by("commit", "Transactions of the group commits", short),
            commit_items: all.amounts_by("commit_items", "Items that shared a transaction", batches),
            commit_bisections: all.counters("commit_bisections", "Batches cut in two to find a row that was refused"),
            commit_conflicts: all.counters("commit_conflicts", "Transactions tried again after a deadlock"),
            shed_items: all.counters("shed_items", "Items refused because too many waited"),

            lanes_claimed: all.counters("lanes_claimed", "Lanes that were claimed in the database"),
            lanes_born: all.counters("lanes_born", "Lanes handed on within the process, without a claim"),
            lanes_left: all.counters("lanes_left", "Work that found no place here and was left to claims"),
            lanes_lost: all.counters("lanes_lost", "Work whose lease had run out before it was committed"),
            lanes_working: all.gauges("lanes_working", "Lanes in work now"),
            lane_work: all.seconds_by("lane_work", "From the start of a lane's work to its commit", wide),
            heartbeats_failed: all.counters("heartbeats_failed", "Failed attempts to put off leases"),

            flow_runs: all.counters("flow_runs", "Events by how their flow ended; limits are named"),
            flow_run: all.seconds("flow_run", "Runs of flows in the sandbox", runs),
            flow_run_fuel: all.amounts("flow_run_fuel", "Fuel that runs of flows used", fuel),
            flow_wait: all.seconds("flow_wait", "From an event's receipt to the start of its first run", wide),
            sandbox_instances: all.gauge("sandbox_instances", "Instances of the sandbox in use"),
            compilations: all.counters("compilations", "Compilations of plugins; refused: the plugin's fault"),
            compilation: all.seconds("compilation", "Compilations of plugins that succeeded", wide),

            deliveries: all.counters("deliveries", "Verdicts on messages"),
            graph_failures: graph_failures(&mut all),
            suspensions: all.counters2("suspensions", "Suspensions of channels and templates, also repeated ones"),
            graph_request: all.seconds("graph_request", "Requests to the Graph API", wide),
            unknown_outcomes: all.counters("unknown_outcomes", "Messages that Meta may or may not have"),
            rate_limit_wait: all.seconds("rate_limit_wait", "Pauses of messages for a rate limit", wide),
            delivery_wait: all.seconds("delivery_wait", "From a message's queueing to Meta's acceptance", wide),
            statuses: all.counters("statuses", "News of sent messages that Meta reported, by step"),
            status_failures: status_failures(&mut all),
            calls: all.counters("calls", "HTTP calls of flows"),
            notices: all.counters("notices", "Attempts to deliver notices to tenants' webhooks; gone: it is disabled"),

            queue_lanes: all.gauges2("queue_lanes", "Lanes that wait or are in work, over all processes; up to 50,000"),
            queue_oldest: all.seconds_gauges("queue_oldest", "How long the oldest work has been ready and unclaimed"),
            notices_oldest: all
                .seconds_gauge("notices_oldest", "How long the oldest notice has been ready and unclaimed"),
            scheduled_overdue: all
                .seconds_gauge("scheduled_overdue", "How long the oldest scheduled message is overdue"),
            queue_looked: all.counter("queue_looks", "Looks at the queues for these metrics that succeeded"),
            database_connections: all.gauges("database_connections", "Connections of this process to Postgres"),
            database_connections_limit: all.gauge("database_connections_limit", "DATABASE_CONNECTIONS"),
            database_acquire: all.seconds_by("database_acquire", "Waits for a connection; general: of looks", short),
            database_up: all.gauge("database_up", "1: the last look at the database succeeded"),
            redis_configured: all.gauge("redis_configured", "1: REDIS_URL is set"),
            redis_up: all.gauge("redis_up", "1: the link to Redis works"),
            registry: all.0,
        }
    }

    /// Everything as text of the OpenMetrics format, see [`CONTENT_TYPE`].
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(64 << 10);
        encode(&mut text, &self.registry).expect("a string takes all that is written to it");
        text
    }

    /// The names of all samples, as dashboards and rules use them.
    pub fn names(&self) -> Vec<String> {
        let text = self.text();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let mut names: Vec<String> =
            samples.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// One series per class and code; both come from the error table. Every class has one from the start, without a code.
fn graph_failures(all: &mut Builder) -> Family<[(&'static str, &'static str); 2], Counter> {
    let family = all.open_counters("graph_failures", "Requests that Meta refused, by what is done about it");
    let classes = FailureClass::ALL.iter().map(|class| (FailureClass::KEY, class.value()));
    classes.for_each(|class| drop(family.get_or_create(&[class, ("code", "none")])));
    family
}

/// One series per code of the error table.
fn status_failures(all: &mut Builder) -> Family<[(&'static str, &'static str); 1], Counter> {
    let family = all.open_counters("status_failures", "Messages that Meta took and then reported as failed");
    codes::labels().for_each(|code| drop(family.get_or_create(&[("code", code)])));
    family
}

/// Half a millisecond to 16 seconds: a webhook, a transaction.
fn short() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 16))
}

/// A millisecond to some hours.
fn wide() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
        14_400.0,
    ])
}

/// 16 microseconds to a second.
fn runs() -> Histogram {
    Histogram::new(exponential_buckets(0.000_016, 2.0, 17))
}

/// 1,000 to 4 billion.
fn fuel() -> Histogram {
    Histogram::new(exponential_buckets(1000.0, 4.0, 12))
}

fn batches() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_there_before_anything_happens_and_counts() {
        let metrics = Metrics::new();
        metrics.webhooks.of(Answer::Accepted).inc();
        metrics.queue_lanes.of(Class::Bulk, Ready::Later).set(7.0);
        metrics.graph_failure("pause_pair", Some(131_056));
        metrics.graph_failure("permanent", Some(9_999_999));
        metrics.suspensions.of(Suspended::Channel, SuspendedBy::Status).inc();
        metrics.webhook_items.of(Item::Status, Kept::Repeated).inc();
        metrics.status_failure(Some(131_049));
        drop(Wait::of(metrics.database_acquire.of(Pool::Hot)));
        metrics.notices_oldest.set(f64::NAN);
        let text = metrics.text();
        for line in [
            "hoopoe_webhooks_total{outcome=\"accepted\"} 1",
            "hoopoe_webhooks_total{outcome=\"shed\"} 0",
            "hoopoe_queue_lanes{class=\"bulk\",state=\"later\"} 7.0",
            "hoopoe_webhook_items_total{kind=\"status\",result=\"repeated\"} 1",
            "hoopoe_webhook_items_total{kind=\"message\",result=\"new\"} 0",
            "hoopoe_graph_failures_total{class=\"pause_pair\",code=\"131056\"} 1",
            "hoopoe_graph_failures_total{class=\"permanent\",code=\"other\"} 1",
            "hoopoe_graph_failures_total{class=\"suspend_channel\",code=\"none\"} 0",
            "hoopoe_suspensions_total{what=\"channel\",by=\"status\"} 1",
            "hoopoe_suspensions_total{what=\"template\",by=\"refusal\"} 0",
            "hoopoe_status_failures_total{code=\"131049\"} 1",
            "hoopoe_status_failures_total{code=\"none\"} 0",
            "hoopoe_statuses_total{step=\"failed\"} 0",
            "hoopoe_database_acquire_seconds_count{pool=\"hot\"} 1",
            "hoopoe_database_acquire_seconds_count{pool=\"general\"} 0",
            "hoopoe_notices_oldest_seconds NaN",
            "hoopoe_flow_runs_total{outcome=\"out-of-fuel\"} 0",
            "hoopoe_webhook_ack_seconds_count 0",
            "# UNIT hoopoe_webhook_ack_seconds seconds",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
        }
    }

    #[test]
    fn names_follow_the_conventions() {
        let names = Metrics::new().names();
        assert!(names.len() > 60, "{names:?}");
        for name in names {
            let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
            assert!(name.starts_with("hoopoe_") && plain, "{name}");
        }
    }
}
