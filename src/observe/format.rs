//! In which format metrics are wanted.

/// A format of the exposition. All three tell the same families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4: what everything reads, and what is given where nothing else is asked for.
    Text,
    /// OpenMetrics text 1.0.0: exemplars too.
    OpenMetrics,
    /// Length-delimited `io.prometheus.client.MetricFamily`: exemplars and native histograms too.
    Protobuf,
}

impl Format {
    /// The format that an `Accept` (RFC 9110 §12.5.1) likes best, the first one of several; [`Format::Text`] where it knows none
    /// of them. Quality zero is a refusal.
    pub fn asked(accept: &str) -> Self {
        let mut best = (0.0, Self::Text);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameters: Vec<_> = parts.filter_map(|part| part.split_once('=')).map(unquoted).collect();
            let value =
                |name: &str| parameters.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
            let quality = value("q").map_or(Ok(1.0_f32), str::parse).unwrap_or_default();
            let format = Self::known(&kind, value);
            if let Some(format) = format.filter(|_| quality > best.0 && quality <= 1.0) {
                best = (quality, format);
            }
        }
        best.1
    }

    fn known<'v>(kind: &str, parameter: impl Fn(&str) -> Option<&'v str>) -> Option<Self> {
        let is = |name, wanted| parameter(name) == Some(wanted);
        let is_version = |wanted| parameter("version").is_none_or(|version| version == wanted);
        match kind {
            "application/vnd.google.protobuf"
                if is("proto", "io.prometheus.client.MetricFamily") && is("encoding", "delimited") =>
            {
                Some(Self::Protobuf)
            }
            "application/openmetrics-text" if is_version("1.0.0") => Some(Self::OpenMetrics),
            "text/plain" if is_version("0.0.4") => Some(Self::Text),
            "text/*" | "*/*" => Some(Self::Text),
            _ => None,
        }
    }

    /// What the answer says of itself.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}

fn unquoted<'v>((name, value): (&'v str, &'v str)) -> (&'v str, &'v str) {
    (name.trim(), value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

    #[test]
    fn what_prometheus_asks_for_it_gets() {
        let texts = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
            text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert_eq!(Format::asked(texts), Format::OpenMetrics);
        assert_eq!(Format::asked(&format!("{PROTOBUF};q=0.6,{texts}")), Format::Protobuf);
        // Of old: blanks, and the order of preference by quality alone.
        let old = "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::asked(old), Format::Text);
        assert_eq!(Format::asked(&format!("text/plain;q=0.5, {PROTOBUF}")), Format::Protobuf);
        assert_eq!(
            Format::asked("text/plain;version=\"0.0.4\";q=0.9,application/openmetrics-text;q=0.8"),
            Format::Text
        );
    }

    #[test]
    fn who_asks_for_nothing_that_there_is_gets_what_everything_reads() {
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/json",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=2",
            "application/openmetrics-text;q=x",
            "application/openmetrics-text;version=2.0.0",
            // A protobuf of another message, or framed otherwise, is not this one.
            "application/vnd.google.protobuf",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
            "application/vnd.google.protobuf;proto=acme.Family;encoding=delimited",
            ",;=,;q=,\"",
        ] {
            assert_eq!(Format::asked(accept), Format::Text, "{accept}");
        }
    }
}
