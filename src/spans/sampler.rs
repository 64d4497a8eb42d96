//! Which calls have a span (`OTEL_TRACES_SAMPLER`).

use std::str::FromStr;

use crate::trace_context::{TraceContext, TraceId};

/// Decides before anything of a span is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sampler {
    /// A call that was made in a span has one if that has.
    follows_parent: bool,
    /// Traces are recorded whose name, in its last 63 bits, is less: other tracers choose the same ones.
    below: u64,
}

const ALL: u64 = 1 << 63;

impl Default for Sampler {
    /// `parentbased_always_on`
    fn default() -> Self {
        Self { follows_parent: true, below: ALL }
    }
}

impl Sampler {
    /// Of its name and its argument, as they stand in the environment.
    ///
    /// # Errors
    /// A sentence for people.
    pub(super) fn named(name: &str, argument: Option<&str>) -> Result<Self, String> {
        let (follows_parent, root) = name.strip_prefix("parentbased_").map_or((false, name), |root| (true, root));
        let below = match root {
            "always_on" => ALL,
            "always_off" => 0,
            "traceidratio" => ratio(argument.unwrap_or("1"))?,
            _ => {
                return Err(format!(
                    "OTEL_TRACES_SAMPLER: {name:?} is none of always_on, always_off and traceidratio, nor one of them behind parentbased_"
                ));
            }
        };
        Ok(Self { follows_parent, below })
    }

    /// Whether a call in this span may have one.
    pub(super) const fn follows(self, parent: &TraceContext) -> bool {
        !self.follows_parent || parent.is_sampled
    }

    /// Whether a call of this trace has a span; its parent was followed.
    pub(super) const fn records(self, parent: Option<&TraceContext>, trace_id: TraceId) -> bool {
        let [.., a, b, c, d, e, f, g, h] = trace_id.0;
        let last = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
        self.follows_parent && parent.is_some() || last < self.below
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1 times 2^63 fits")]
fn ratio(text: &str) -> Result<u64, String> {
    let ratio = f64::from_str(text).ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    let ratio = ratio.ok_or_else(|| format!("OTEL_TRACES_SAMPLER_ARG: {text:?} is no number from 0 to 1"))?;
    Ok((ratio * ALL as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace_context::SpanId;

    fn records(name: &str, argument: Option<&str>, parent: Option<bool>, last: u8) -> bool {
        let sampler = Sampler::named(name, argument).unwrap();
        let trace_id = TraceId([9, 9, 9, 9, 9, 9, 9, 9, last, 9, 9, 9, 9, 9, 9, 9]);
        let parent =
            parent.map(|is_sampled| TraceContext { trace_id, span_id: SpanId([1; 8]), is_sampled, state: None });
        parent.as_ref().is_none_or(|parent| sampler.follows(parent)) && sampler.records(parent.as_ref(), trace_id)
    }

    #[test]
    fn a_sampler_that_is_parent_based_does_as_the_parent_whatever_its_root_says() {
        for root in ["always_on", "always_off", "traceidratio"] {
            let name = format!("parentbased_{root}");
            assert!(records(&name, Some("0"), Some(true), 0xff), "{name}");
            assert!(!records(&name, Some("1"), Some(false), 0), "{name}");
        }
        assert!(records("parentbased_always_on", None, None, 0xff));
        assert!(!records("parentbased_always_off", None, None, 0));
        assert!(records("always_on", None, Some(false), 0xff));
        assert!(!records("always_off", None, Some(true), 0));
    }

    #[test]
    fn a_ratio_is_of_the_traces_by_their_names() {
        for parent in [None, Some(false), Some(true)] {
            assert!(records("traceidratio", Some("0.25"), parent, 0x3f));
            assert!(!records("traceidratio", Some("0.25"), parent, 0x40));
        }
        assert!(records("traceidratio", None, None, 0xff));
        assert!(!records("parentbased_traceidratio", Some("0"), None, 0));
        for bad in ["-1", "1.1", "NaN", "", "half"] {
            assert!(Sampler::named("traceidratio", Some(bad)).is_err(), "{bad}");
        }
        assert!(Sampler::named("sometimes", None).unwrap_err().contains("\"sometimes\""));
    }
}
