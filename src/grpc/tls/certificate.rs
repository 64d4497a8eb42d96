//! From when to when a certificate is good, and when that is worth a word.

use std::fmt;

use crate::certificate::Certificate;
use crate::clock::Time;

/// An end is told so many seconds ahead: two weeks, for certificates that live as long as that.
const AHEAD: f64 = 14.0 * 86_400.0;

/// The span of a certificate (RFC 5280 §4.1.2.5), and its serial number to know it by.
#[derive(Debug, Clone, PartialEq)]
pub struct Validity {
    /// The first second.
    pub not_before: Time,
    /// The last second.
    pub not_after: Time,
    /// In hexadecimal, as `openssl x509 -serial` tells it but with colons.
    pub serial: String,
}

/// How it stands with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Early,
    Good,
    EndsSoon,
    Ended,
}

impl Validity {
    /// Reads a certificate in DER; none if it is none.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let Certificate { not_before, not_after, serial, .. } = Certificate::read(certificate)?;
        Some(Self { not_before, not_after, serial })
    }

    /// An end is near two weeks before, or in the last third of a shorter life.
    pub(super) fn standing(&self, now: Time) -> Standing {
        let ahead = AHEAD.min(self.not_after.since(self.not_before) / 3.0);
        match self.not_after.since(now) {
            left if left < 0.0 => Standing::Ended,
            left if left < ahead => Standing::EndsSoon,
            _ if now.since(self.not_before) < 0.0 => Standing::Early,
            _ => Standing::Good,
        }
    }

    /// Says in the program's log what stands badly.
    pub(super) fn tell(&self, standing: Standing) {
        match standing {
            Standing::Good => {}
            Standing::Early => tracing::warn!(
                from = %self.not_before,
                "the certificate of --tls-cert is not valid yet: proxies that verify it do not connect"
            ),
            Standing::EndsSoon => tracing::warn!(
                until = %self.not_after,
                "the certificate of --tls-cert ends soon: renew it; the new file is taken without a restart"
            ),
            Standing::Ended => tracing::error!(
                until = %self.not_after,
                "the certificate of --tls-cert has ended and is still shown: proxies that verify it do not connect; \
                 put a new one into its place, it is taken without a restart"
            ),
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "serial {} until {}", self.serial, self.not_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn living(days: f64) -> Validity {
        let end = Time::from_seconds(days * 86_400.0);
        Validity { not_before: Time::from_seconds(0.0), not_after: end, serial: "01".into() }
    }

    #[test]
    fn an_end_is_told_two_weeks_ahead_or_in_the_last_third_of_a_short_life() {
        let day = |days: f64| Time::from_seconds(days * 86_400.0);
        for (life, now, expected) in [
            (365.0, -1.0, Standing::Early),
            (365.0, 350.0, Standing::Good),
            (365.0, 352.0, Standing::EndsSoon),
            (365.0, 366.0, Standing::Ended),
            (1.0, 0.6, Standing::Good),
            (1.0, 0.7, Standing::EndsSoon),
            (1.0, 1.1, Standing::Ended),
        ] {
            assert_eq!(living(life).standing(day(now)), expected, "{life} {now}");
        }
    }
}
