//! How metrics are made: registered by name, with a series for each value of their labels from the start, so that a rate
//! is known before the first event, and that to count needs no look-up.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeMetric;
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labels::Label;

/// A gauge of seconds, say. What is not known is NaN: no alert holds on that, and a maximum leaves it out.
pub type Measure = Gauge<f64, AtomicU64>;

type Pair = (&'static str, &'static str);

/// A metric with one label.
#[derive(Debug)]
pub struct By<L, M>(Vec<M>, PhantomData<L>);

impl<L: Label, M> By<L, M> {
    /// The series of this value.
    pub fn of(&self, value: L) -> &M {
        &self.0[value.place()]
    }

    /// Every series.
    pub fn all(&self) -> impl Iterator<Item = &M> {
        self.0.iter()
    }
}

/// A metric with two labels.
#[derive(Debug)]
pub struct By2<A, B, M>(Vec<M>, PhantomData<(A, B)>);

impl<A: Label, B: Label, M> By2<A, B, M> {
    /// The series of these values.
    pub fn of(&self, first: A, second: B) -> &M {
        &self.0[first.place() * B::ALL.len() + second.place()]
    }

    /// Every series.
    pub fn all(&self) -> impl Iterator<Item = &M> {
        self.0.iter()
    }
}

/// What can be registered.
pub(super) trait Metric: EncodeMetric + TypedMetric + Clone + Debug + Send + Sync + 'static {}
impl<M: EncodeMetric + TypedMetric + Clone + Debug + Send + Sync + 'static> Metric for M {}

/// Registers metrics.
#[derive(Default)]
pub(super) struct Builder(pub Registry);

impl Builder {
    fn register(&mut self, name: &str, help: &str, unit: Option<Unit>, metric: impl Metric) {
        match unit {
            Some(unit) => self.0.register_with_unit(name, help, unit, metric),
            None => self.0.register(name, help, metric),
        }
    }

    fn one<M: Metric>(&mut self, name: &str, help: &str, unit: Option<Unit>, metric: M) -> M {
        self.register(name, help, unit, metric.clone());
        metric
    }

    fn by<L: Label, M: Metric>(&mut self, name: &str, help: &str, unit: Option<Unit>, make: fn() -> M) -> By<L, M> {
        let family = Family::<[Pair; 1], M, fn() -> M>::new_with_constructor(make);
        let series = L::ALL.iter().map(|value| family.get_or_create_owned(&[(L::KEY, value.value())])).collect();
        self.register(name, help, unit, family);
        By(series, PhantomData)
    }

    fn by2<A: Label, B: Label, M: Metric>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        make: fn() -> M,
    ) -> By2<A, B, M> {
        let family = Family::<[Pair; 2], M, fn() -> M>::new_with_constructor(make);
        let pairs = A::ALL.iter().flat_map(|first| B::ALL.iter().map(move |second| (first, second)));
        let series = pairs
            .map(|(one, two)| family.get_or_create_owned(&[(A::KEY, one.value()), (B::KEY, two.value())]))
            .collect();
        self.register(name, help, unit, family);
        By2(series, PhantomData)
    }

    /// `<name>_total`.
    pub fn counter(&mut self, name: &str, help: &str) -> Counter {
        self.one(name, help, None, Counter::default())
    }

    /// `<name>_total{label}`.
    pub fn counters<L: Label>(&mut self, name: &str, help: &str) -> By<L, Counter> {
        self.by(name, help, None, Counter::default)
    }

    /// `<name>_total{one,two}`.
    pub fn counters2<A: Label, B: Label>(&mut self, name: &str, help: &str) -> By2<A, B, Counter> {
        self.by2(name, help, None, Counter::default)
    }

    /// `<name>_total{one,two}` of values that are known when they come: their number is to be bounded by the caller.
    pub fn open_counters<const N: usize>(&mut self, name: &str, help: &str) -> Family<[Pair; N], Counter> {
        self.one(name, help, None, Family::default())
    }

    pub fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        self.one(name, help, None, Gauge::default())
    }

    pub fn gauges<L: Label>(&mut self, name: &str, help: &str) -> By<L, Gauge> {
        self.by(name, help, None, Gauge::default)
    }

    pub fn gauges2<A: Label, B: Label>(&mut self, name: &str, help: &str) -> By2<A, B, Measure> {
        self.by2(name, help, None, Measure::default)
    }

    /// `<name>_seconds`, a gauge.
    pub fn seconds_gauge(&mut self, name: &str, help: &str) -> Measure {
        self.one(name, help, Some(Unit::Seconds), Measure::default())
    }

    /// `<name>_seconds{label}`, a gauge.
    pub fn seconds_gauges<L: Label>(&mut self, name: &str, help: &str) -> By<L, Measure> {
        self.by(name, help, Some(Unit::Seconds), Measure::default)
    }

    /// `<name>_seconds`, a histogram.
    pub fn seconds(&mut self, name: &str, help: &str, make: fn() -> Histogram) -> Histogram {
        self.one(name, help, Some(Unit::Seconds), make())
    }

    /// `<name>_seconds{label}`, a histogram.
    pub fn seconds_by<L: Label>(&mut self, name: &str, help: &str, make: fn() -> Histogram) -> By<L, Histogram> {
        self.by(name, help, Some(Unit::Seconds), make)
    }

    /// `<name>`, a histogram of a number.
    pub fn amounts(&mut self, name: &str, help: &str, make: fn() -> Histogram) -> Histogram {
        self.one(name, help, None, make())
    }

    /// `<name>{label}`, a histogram of a number.
    pub fn amounts_by<L: Label>(&mut self, name: &str, help: &str, make: fn() -> Histogram) -> By<L, Histogram> {
        self.by(name, help, None, make)
    }
}
