//! What Envoy is told, before it is bytes: text borrowed from wherever it stands.

use std::borrow::Cow;

/// The answer to one call. Only this room makes one, so that only [`allow`](super::allow), [`open`](super::open) and
/// [`observe`](super::observe) say yes.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<'a> {
    verdict: Verdict<'a>,
    metadata: Members<'a>,
}

/// What becomes of the request.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict<'a> {
    /// It goes on to the upstream (`ok_response`, status code 0).
    Allow {
        /// Headers that replace whatever the client sent under their names.
        set: Vec<Header<'a>>,
        /// Headers that the upstream does not get. Envoy removes last: none of `set` is among them.
        remove: Vec<Cow<'a, str>>,
    },
    /// It is answered at once (`denied_response`).
    Deny {
        /// `google.rpc.Code`, never 0: a 0 lets the request through, whatever stands beside it.
        code: i32,
        /// HTTP status.
        status: u16,
        /// Headers for the client.
        headers: Vec<Header<'a>>,
        /// JSON.
        body: String,
    },
}

/// Name in lower case, and value.
pub type Header<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Members of an object; each name once.
pub type Members<'a> = Vec<(&'a str, Value<'a>)>;

/// A value in the dynamic metadata (`google.protobuf.Value`).
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `string_value`
    Text(Cow<'a, str>),
    /// `number_value`
    Number(f64),
    /// `bool_value`
    Bool(bool),
    /// `list_value`
    List(Vec<Value<'a>>),
    /// `struct_value`
    Object(Members<'a>),
}

impl<'a> Answer<'a> {
    pub(super) const fn new(verdict: Verdict<'a>, metadata: Members<'a>) -> Self {
        Self { verdict, metadata }
    }

    /// Any answer at all, for the tests of those that hand it on.
    #[cfg(test)]
    pub(crate) const fn of(verdict: Verdict<'a>, metadata: Members<'a>) -> Self {
        Self::new(verdict, metadata)
    }

    /// What becomes of the request.
    pub const fn verdict(&self) -> &Verdict<'a> {
        &self.verdict
    }

    /// The members of `credence` in the dynamic metadata.
    pub fn metadata(&self) -> &[(&'a str, Value<'a>)] {
        &self.metadata
    }
}

impl Verdict<'_> {
    /// `CheckResponse.status.code`
    pub const fn code(&self) -> i32 {
        match self {
            Self::Allow { .. } => 0,
            Self::Deny { code, .. } => *code,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}
