//! What can be scraped: one table of metrics, from which answers and their page are made.
//!
//! Nothing is counted twice: each metric reads, when it is asked, what the node, the log of events
//! or the doors know anyway.

mod process;
mod snapshot;
mod table;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use self::snapshot::Snapshot;
use self::table::TABLE;
use super::routes::Shared;

/// The two texts that scrapers read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exposition {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus 0.0.4, for those who do not ask for the other.
    Prometheus,
}

/// One metric.
struct Metric {
    /// Without its unit and the ending of its type.
    name: &'static str,
    kind: Kind,
    unit: Option<Unit>,
    /// Its labels with their values, for the page.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the page tells them"))]
    labels: &'static str,
    /// A sentence.
    help: &'static str,
    read: fn(&Snapshot) -> Samples,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// The values of a metric.
enum Samples {
    /// Nothing of the kind is here.
    None,
    One(f64),
    /// One for each value of a label.
    Each(&'static str, Vec<(String, f64)>),
    /// Labels without a value.
    Info(Vec<(&'static str, String)>),
    Histogram(Histogram),
}

impl Exposition {
    /// By the fields `Accept` of the request.
    pub(super) fn asked_for<'a>(mut accept: impl Iterator<Item = &'a str>) -> Exposition {
        match accept.any(|field| field.contains("application/openmetrics-text")) {
            true => Exposition::OpenMetrics,
            false => Exposition::Prometheus,
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Exposition::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Exposition::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// All metrics as they are now.
pub(super) fn render(shared: &Shared, exposition: Exposition) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Snapshot::take(shared)));
    let mut page = String::new();
    let written = match exposition {
        Exposition::OpenMetrics => text::encode(&mut page, &registry),
        Exposition::Prometheus => prometheus_text::encode(&mut page, &registry),
    };
    written.expect("a string takes all that is written");
    page
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        TABLE
            .iter()
            .try_for_each(|metric| metric.encode(self, &mut encoder))
    }
}

impl Metric {
    fn encode(&self, snapshot: &Snapshot, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let samples = (self.read)(snapshot);
        if matches!(samples, Samples::None) {
            return Ok(());
        }
        let unit = self.unit.as_ref();
        let kind = self.kind.of_library();
        let mut place = encoder.encode_descriptor(self.name, self.help, unit, kind)?;
        match samples {
            Samples::None => Ok(()),
            Samples::One(value) => self.number(value).encode(place),
            Samples::Each(label, list) => list.into_iter().try_for_each(|(word, value)| {
                let labels = [(label, word)];
                self.number(value).encode(place.encode_family(&labels)?)
            }),
            Samples::Info(labels) => place.encode_info(&labels),
            Samples::Histogram(histogram) => histogram.encode(place),
        }
    }

    fn number(&self, value: f64) -> Number {
        match self.kind {
            Kind::Counter => Number::Counter(ConstCounter::new(value)),
            Kind::Gauge | Kind::Histogram | Kind::Info => Number::Gauge(ConstGauge::new(value)),
        }
    }

    /// Its name as it is scraped.
    #[cfg(test)]
    fn full_name(&self) -> String {
        let unit = self.unit.as_ref().map(|unit| format!("_{}", unit.as_str()));
        let ending = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("{}{}{ending}", self.name, unit.unwrap_or_default())
    }
}

/// A value of the library's.
enum Number {
    Counter(ConstCounter<f64>),
    Gauge(ConstGauge<f64>),
}

impl Number {
    fn encode(&self, place: prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result {
        match self {
            Number::Counter(counter) => counter.encode(place),
            Number::Gauge(gauge) => gauge.encode(place),
        }
    }
}

impl Kind {
    fn of_library(self) -> MetricType {
        match self {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
            Kind::Info => MetricType::Info,
        }
    }
}

#[cfg(test)]
mod tests;
