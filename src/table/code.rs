//! The closed list of what can be wrong with a table.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Refuses the table and cannot be accepted away.
    Error,
    /// The table loads; the entry may accept it with a reason.
    Warning,
}

impl Severity {
    /// The word before the code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Declares the codes with their titles.
macro_rules! codes {
    ($($code:ident $title:literal)*) => {
        /// A rule of the table. 0xx: shape. 1xx: refused. 2xx: weak identity. 3xx: hygiene. 4xx: breadth.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $code,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// The code as it is printed, such as `CR101`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code),)*
                }
            }

            /// What the rule is about, in a few words.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$code => $title,)*
                }
            }
        }
    };
}

codes! {
    CR001 "unknown field"
    CR002 "value that does not fit"
    CR003 "name of an issuer or resource that does not exist"
    CR004 "name defined twice"
    CR005 "file that cannot be read in exactly one way"
    CR006 "wrong apiVersion or kind"
    CR101 "shared issuer that pins no tenant"
    CR102 "keys over plain http"
    CR103 "issuer that can never match"
    CR104 "two entries with one issuer"
    CR105 "pattern in an issuer"
    CR106 "no issuer"
    CR107 "claim value of a type that no token carries"
    CR108 "issuer that belongs to a profile that is not named"
    CR109 "pin that admits several tenants and a grant that names none"
    CR110 "resource without audience"
    CR120 "grant that does not say who"
    CR121 "grant for any subject without a reason"
    CR122 "grant that can never match"
    CR123 "subject at an entry that stands for several issuers"
    CR125 "unsafe pattern"
    CR130 "grant without methods or paths"
    CR131 "path that no request can have"
    CR132 "two resources that one request could pick"
    CR133 "grant audience that is another resource's"
    CR201 "reusable name without its stable id"
    CR202 "subject made of names alone"
    CR203 "claim that these tokens do not carry"
    CR204 "claim that must not authorise"
    CR205 "issuer that looks wrong, or a placeholder"
    CR206 "weak condition"
    CR210 "default audience that many services share"
    CR211 "two resources with one audience"
    CR301 "no end and no review date, or one that has passed"
    CR302 "no owner"
    CR303 "has ended, or ends within 30 days"
    CR304 "grant shadowed by a broader one"
    CR305 "grant spent once beside one that is not"
    CR306 "acceptance that silences nothing"
    CR310 "only one key pinned"
    CR401 "any subject may write"
    CR402 "every run of a pipeline"
    CR403 "place open to all over a grant's, or resource that only observes"
    CR404 "block that stops nobody"
    CR405 "block that stops more than it may seem"
}

impl Code {
    /// 0xx and 1xx refuse the table; the others warn.
    pub fn severity(self) -> Severity {
        if self < Self::CR201 { Severity::Error } else { Severity::Warning }
    }

    /// Reads a code as printed, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_and_refusals_are_errors_and_the_rest_warns() {
        for code in Code::ALL {
            let refuses = code.as_str() < "CR200";
            assert_eq!(code.severity() == Severity::Error, refuses, "{code}");
            assert_eq!(Code::parse(&code.as_str().to_lowercase()), Some(*code));
        }
        assert!(Code::ALL.is_sorted_by(|a, b| a.as_str() < b.as_str()));
    }
}
