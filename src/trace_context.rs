//! Where a call stands in a trace (W3C Trace Context).
//!
//! In: the values of `traceparent` and `tracestate`, from whoever wrote them. Out: a [`TraceContext`], or nothing where
//! they cannot be read in exactly one way. It must never know what is decided: no decision depends on a trace.

/// The longest `tracestate` that is kept, in bytes; W3C Trace Context §3.3.1.5 asks for at least so many.
const MAX_STATE: usize = 512;
/// Most members of a `tracestate` (§3.3.1.1).
const MAX_MEMBERS: usize = 32;

/// Names a trace; not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(pub [u8; 16]);

/// Names one span of a trace; not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(pub [u8; 8]);

/// The span that a call was made in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// Its trace.
    pub trace_id: TraceId,
    /// The span itself: the parent of whatever is done for the call.
    pub span_id: SpanId,
    /// Whether it is recorded, so that its children are to be recorded too.
    pub is_sampled: bool,
    /// `tracestate`, in one line.
    pub state: Option<Box<str>>,
}

impl TraceContext {
    /// From all values of both headers. Two `traceparent`s say nothing; a bad `tracestate` is left out, and the rest stands.
    pub fn of<'a>(mut parents: impl Iterator<Item = &'a [u8]>, states: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let (only, None) = (parents.next()?, parents.next()) else { return None };
        let parent = Self::parent(only)?;
        Some(Self { state: state(states), ..parent })
    }

    /// `VERSION-TRACE-SPAN-FLAGS` (§3.2.2); a later version may say more behind a hyphen.
    fn parent(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(55)?;
        let mut fields = known.split(|byte| *byte == b'-');
        let [version] = hex(fields.next()?)?;
        let (trace_id, span_id, [flags]) = (hex(fields.next()?)?, hex(fields.next()?)?, hex(fields.next()?)?);
        let is_whole = if version == 0 { more.is_empty() } else { matches!(more, [] | [b'-', ..]) };
        let is_sound = fields.next().is_none() && version != 0xff && trace_id != [0; 16] && span_id != [0; 8];
        (is_whole && is_sound).then_some(Self {
            trace_id: TraceId(trace_id),
            span_id: SpanId(span_id),
            is_sampled: flags & 1 == 1,
            state: None,
        })
    }
}

/// Exactly `N` bytes in lower-case hexadecimal.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    let mut bytes = [0; N];
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// The members of all lines in one, if each of them is sound (§3.3.1). It goes to a collector as it is, so nothing that could be a
/// token may stand in it: a JSON object in base64url begins with `eyJ`.
fn state<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Box<str>> {
    let mut kept = String::new();
    let mut members = 0;
    for line in lines {
        if line.len() > MAX_STATE {
            return None;
        }
        let members_of_line = std::str::from_utf8(line).ok()?.split(',').map(|member| member.trim_matches([' ', '\t']));
        for member in members_of_line.filter(|member| !member.is_empty()) {
            members += 1;
            let (key, value) = member.split_once('=')?;
            let sound = is_key(key) && is_value(value) && !value.contains("eyJ");
            if !sound || members > MAX_MEMBERS || kept.len() + member.len() >= MAX_STATE {
                return None;
            }
            if !kept.is_empty() {
                kept.push(',');
            }
            kept.push_str(member);
        }
    }
    (!kept.is_empty()).then(|| kept.into_boxed_str())
}

fn is_key(key: &str) -> bool {
    let known = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    (1..=256).contains(&key.len()) && key.bytes().all(known)
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len()) && value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn of(parents: &[&str], states: &[&str]) -> Option<TraceContext> {
        TraceContext::of(parents.iter().map(|text| text.as_bytes()), states.iter().map(|text| text.as_bytes()))
    }

    #[test]
    fn a_traceparent_is_taken_only_if_it_is_sound() {
        let context = of(&[GOOD], &[]).unwrap();
        assert_eq!(context.trace_id.0.first_chunk(), Some(&[0x4b, 0xf9]));
        assert_eq!(context.span_id.0, [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        assert!(context.is_sampled);
        assert!(!of(&[&GOOD.replace("-01", "-02")], &[]).unwrap().is_sampled);
        let later = [GOOD.replacen("00-", "cc-", 1), format!("{}-more", GOOD.replacen("00-", "01-", 1))];
        for good in &later {
            assert!(of(&[good], &[]).is_some(), "{good}");
        }
        let huge = "0".repeat(1 << 20);
        let bad = [
            "",
            "00",
            "00-x-y-01",
            &GOOD.to_uppercase(),
            &GOOD.replacen("00-", "ff-", 1),
            &format!("{GOOD}-"),
            &format!("{GOOD} "),
            &format!(" {GOOD}"),
            &format!("{GOOD},{GOOD}"),
            &format!("{}x", GOOD.replacen("00-", "01-", 1)),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-001",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7001",
            &huge,
        ];
        for text in bad {
            assert_eq!(of(&[text], &[]), None, "{:.80}", text);
        }
        assert_eq!(TraceContext::of([&[0xff; 55][..]].into_iter(), [].into_iter()), None);
        assert_eq!(of(&[GOOD, GOOD], &[]), None, "two, even of one value");
    }

    #[test]
    fn a_tracestate_is_kept_whole_or_not_at_all_and_never_costs_the_parent() {
        let state = |states: &[&str]| of(&[GOOD], states).unwrap().state;
        assert_eq!(state(&["a=1, b@c=x y ,,", "d=2"]).as_deref(), Some("a=1,b@c=x y,d=2"));
        let many = (0..33).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
        let long = format!("a={}", "x".repeat(257));
        let huge = format!("a={}", "x".repeat(1 << 20));
        for bad in
            ["", ",", "a", "a=", "=1", "A=1", "a=b=c", "a=\u{e9}", "a=1\nb=2", "a=eyJhbGciOi", &many, &long, &huge]
        {
            assert_eq!(state(&[bad]), None, "{:.80}", bad);
        }
        let half = format!("a={}", "x".repeat(250));
        assert!(state(&[&half]).is_some());
        assert_eq!(state(&[&half, &half, &half]), None, "too long together");
        assert_eq!(TraceContext::of([GOOD.as_bytes()].into_iter(), [&b"a=\xff"[..]].into_iter()).unwrap().state, None);
    }
}
