//! HTTP methods (RFC 9110 §9), upper case and exact.

use std::fmt;

/// A set of methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// Every method but `CONNECT` and `TRACE`, which no grant can mean.
    Any,
    /// Exactly these; `GET` does not imply `HEAD`.
    These(Vec<String>),
}

impl Methods {
    /// Whether the set holds `method`, compared exactly.
    pub fn contain(&self, method: &str) -> bool {
        match self {
            Self::Any => is_method(method) && !matches!(method, "CONNECT" | "TRACE"),
            Self::These(methods) => methods.iter().any(|one| one == method),
        }
    }

    /// Whether both sets share a method.
    pub fn intersect(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, Self::Any) => true,
            (Self::These(these), others) | (others, Self::These(these)) => these.iter().any(|one| others.contain(one)),
        }
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::These(methods) => f.write_str(&methods.join(" or ")),
        }
    }
}

/// An upper-case token: what may stand in the table as a method.
pub fn is_method(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn get_implies_no_head_and_any_means_neither_connect_nor_trace() {
        let get = Methods::These(vec!["GET".into()]);
        assert!(get.contain("GET") && !get.contain("HEAD") && !get.contain("get"));
        assert!(Methods::Any.contain("PATCH"));
        for method in ["CONNECT", "TRACE", "get", "", "GET "] {
            assert!(!Methods::Any.contain(method), "{method:?}");
        }
    }
}
