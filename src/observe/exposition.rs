//! Families of metrics, written in one of three formats. The message of the protobuf format is what is written from in
//! all of them, so that they cannot differ.

use std::fmt::Write;

use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model as model;
use prost::Message;

use super::format::Format;

/// The body of an exposition.
pub(super) fn write(families: &[model::MetricFamily], format: Format) -> Vec<u8> {
    let is_open = match format {
        Format::Protobuf => return families.iter().flat_map(Message::encode_length_delimited_to_vec).collect(),
        Format::OpenMetrics => true,
        Format::Text => false,
    };
    let mut text = Text { to: String::new(), is_open };
    // Writing to a String cannot fail.
    let _ = families.iter().try_for_each(|family| text.family(family));
    if is_open {
        text.to.push_str("# EOF\n");
    }
    text.to.into_bytes()
}

type Written = Result<(), std::fmt::Error>;

/// OpenMetrics 1.0.0, or Prometheus text 0.0.4, in the making.
struct Text {
    to: String,
    is_open: bool,
}

impl Text {
    fn family(&mut self, family: &model::MetricFamily) -> Written {
        let (name, kind) = match family.r#type() {
            // OpenMetrics names the family without the suffix that its samples have.
            model::MetricType::Counter if self.is_open => {
                (family.name.strip_suffix("_total").unwrap_or(&family.name), "counter")
            }
            model::MetricType::Counter => (family.name.as_str(), "counter"),
            model::MetricType::Histogram => (family.name.as_str(), "histogram"),
            // There are no others.
            _ => (family.name.as_str(), "gauge"),
        };
        let help = escaped(&family.help, self.is_open);
        writeln!(self.to, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
        family.metric.iter().try_for_each(|metric| self.metric(&family.name, metric))
    }

    fn metric(&mut self, name: &str, metric: &model::Metric) -> Written {
        if let Some(histogram) = &metric.histogram {
            return self.histogram(name, &metric.label, histogram);
        }
        let counter = metric.counter.as_ref().map(|counter| counter.value);
        let Some(value) = counter.or(metric.gauge.as_ref().map(|gauge| gauge.value)) else { return Ok(()) };
        self.sample(name, "", &metric.label, None)?;
        writeln!(self.to, "{}", number(value))
    }

    fn histogram(&mut self, name: &str, labels: &[model::LabelPair], histogram: &model::Histogram) -> Written {
        for bucket in &histogram.bucket {
            let bound = bound(bucket.upper_bound, self.is_open);
            self.sample(name, "_bucket", labels, Some(&bound))?;
            write!(self.to, "{}", bucket.cumulative_count)?;
            if let Some(exemplar) = bucket.exemplar.as_ref().filter(|_| self.is_open) {
                self.exemplar(exemplar)?;
            }
            self.to.push('\n');
        }
        self.sample(name, "_sum", labels, None)?;
        writeln!(self.to, "{}", number(histogram.sample_sum))?;
        self.sample(name, "_count", labels, None)?;
        writeln!(self.to, "{}", histogram.sample_count)
    }

    /// All of a line before its value.
    fn sample(&mut self, name: &str, suffix: &str, labels: &[model::LabelPair], bound: Option<&str>) -> Written {
        write!(self.to, "{name}{suffix}")?;
        let own = labels.iter().map(|label| (label.name.as_str(), label.value.as_str()));
        self.labels(own.chain(bound.map(|bound| ("le", bound))))?;
        self.to.push(' ');
        Ok(())
    }

    fn labels<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>) -> Written {
        let mut before = '{';
        for (name, value) in labels {
            write!(self.to, "{before}{name}=\"{}\"", escaped(value, true))?;
            before = ',';
        }
        if before == ',' {
            self.to.push('}');
        }
        Ok(())
    }

    fn exemplar(&mut self, exemplar: &model::Exemplar) -> Written {
        self.to.push_str(" # ");
        self.labels(exemplar.label.iter().map(|label| (label.name.as_str(), label.value.as_str())))?;
        write!(self.to, " {}", number(exemplar.value))?;
        if let Some(time) = &exemplar.timestamp {
            write!(self.to, " {}.{:03}", time.seconds, time.nanos / 1_000_000)?;
        }
        Ok(())
    }
}

/// Of a value; text 0.0.4 leaves quotes in a help text as they are.
fn escaped(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', r"\\").replace('\n', r"\n");
    if quotes { text.replace('"', "\\\"") } else { text }
}

fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".into(),
        f64::NEG_INFINITY => "-Inf".into(),
        // `NaN` is written so by Rust too.
        value => value.to_string(),
    }
}

/// An upper bound as Prometheus itself writes it when it reads the protobuf format (Go's shortest `%g`, in OpenMetrics with a
/// point), so that a series keeps its name whatever format it is read in.
fn bound(value: f64, is_open: bool) -> String {
    if value.is_finite() && value != 0.0 && value.abs() < 1e-4 {
        let text = format!("{value:e}");
        return match text.split_once("e-") {
            Some((digits, power)) => format!("{digits}e-{power:0>2}"),
            None => text,
        };
    }
    let text = number(value);
    if is_open && value.is_finite() && !text.contains('.') { text + ".0" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str, value: &str) -> model::LabelPair {
        model::LabelPair { name: name.into(), value: value.into() }
    }

    fn family(name: &str, kind: model::MetricType, metric: model::Metric) -> model::MetricFamily {
        let help = "A \"word\",\na back\\slash.".into();
        model::MetricFamily { name: name.into(), help, r#type: kind.into(), metric: vec![metric], ..Default::default() }
    }

    fn families() -> Vec<model::MetricFamily> {
        let counter = model::Counter { value: 3.0, ..Default::default() };
        let labels = vec![label("a", "x"), label("b", "\\ \" \n}")];
        let exemplar = model::Exemplar {
            label: vec![label("decision_id", "d")],
            value: 0.000_012,
            timestamp: Some((std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_234_005)).into()),
        };
        let bucket = |cumulative_count, upper_bound, exemplar| model::Bucket {
            cumulative_count,
            upper_bound,
            exemplar,
            ..Default::default()
        };
        let histogram = model::Histogram {
            sample_count: 5,
            sample_sum: 0.25,
            bucket: vec![bucket(1, 0.000_025, Some(exemplar)), bucket(4, 1.0, None), bucket(5, f64::INFINITY, None)],
            ..Default::default()
        };
        vec![
            family(
                "x_total",
                model::MetricType::Counter,
                model::Metric { label: labels, counter: Some(counter), ..Default::default() },
            ),
            family(
                "y",
                model::MetricType::Gauge,
                model::Metric { gauge: Some(model::Gauge { value: f64::INFINITY }), ..Default::default() },
            ),
            family(
                "z",
                model::MetricType::Histogram,
                model::Metric { label: vec![label("a", "x")], histogram: Some(histogram), ..Default::default() },
            ),
        ]
    }

    #[test]
    fn openmetrics_has_bare_names_of_counters_exemplars_and_an_end() {
        let wanted = r##"# HELP x A \"word\",\na back\\slash.
# TYPE x counter
x_total{a="x",b="\\ \" \n}"} 3
# HELP y A \"word\",\na back\\slash.
# TYPE y gauge
y +Inf
# HELP z A \"word\",\na back\\slash.
# TYPE z histogram
z_bucket{a="x",le="2.5e-05"} 1 # {decision_id="d"} 0.000012 1234.005
z_bucket{a="x",le="1.0"} 4
z_bucket{a="x",le="+Inf"} 5
z_sum{a="x"} 0.25
z_count{a="x"} 5
# EOF
"##;
        assert_eq!(String::from_utf8(write(&families(), Format::OpenMetrics)).unwrap(), wanted);
    }

    #[test]
    fn text_has_whole_names_of_counters_and_nothing_that_old_readers_choke_on() {
        let wanted = r#"# HELP x_total A "word",\na back\\slash.
# TYPE x_total counter
x_total{a="x",b="\\ \" \n}"} 3
# HELP y A "word",\na back\\slash.
# TYPE y gauge
y +Inf
# HELP z A "word",\na back\\slash.
# TYPE z histogram
z_bucket{a="x",le="2.5e-05"} 1
z_bucket{a="x",le="1"} 4
z_bucket{a="x",le="+Inf"} 5
z_sum{a="x"} 0.25
z_count{a="x"} 5
"#;
        assert_eq!(String::from_utf8(write(&families(), Format::Text)).unwrap(), wanted);
    }

    #[test]
    fn protobuf_is_one_delimited_message_a_family() {
        let body = write(&families(), Format::Protobuf);
        let mut rest = body.as_slice();
        let mut read = Vec::new();
        while !rest.is_empty() {
            read.push(model::MetricFamily::decode_length_delimited(&mut rest).unwrap());
        }
        assert_eq!(read, families());
    }

    #[test]
    fn bounds_are_written_as_prometheus_writes_them() {
        for (value, open, text) in [
            (0.000_01, "1e-05", "1e-05"),
            (0.000_025, "2.5e-05", "2.5e-05"),
            (0.000_1, "0.0001", "0.0001"),
            (0.1, "0.1", "0.1"),
            (4.0, "4.0", "4"),
            (f64::INFINITY, "+Inf", "+Inf"),
        ] {
            assert_eq!((bound(value, true), bound(value, false)), (open.to_owned(), text.to_owned()));
        }
    }
}
