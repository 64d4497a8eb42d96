//! Paths that mean one thing to every reader.
//!
//! A proxy, a service and a framework between them each have their own idea of `//`, `..`, `%2e` and `;v=1`.
//! Credence does not guess which one will win: what could be read in two ways is refused, never rewritten.

use std::fmt;

/// A request path is at most this long, in bytes.
pub(super) const MAX_PATH: usize = 8 * 1024;

/// Why a path is ambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    /// Does not begin with `/`.
    NotAbsolute,
    /// Longer than 8 KiB.
    TooLong,
    /// A byte outside 0x21-0x7E.
    Byte,
    /// A `%` without two hexadecimal digits.
    Escape,
    /// `\`, `;` or `#`.
    Separator,
    /// `?`: where a path ends (only in a pattern; a request is cut there).
    Query,
    /// An empty segment other than the last.
    EmptySegment,
    /// A segment `.` or `..`.
    DotSegment,
    /// An escape of a character that needs none, or of a control byte, or of `\ % ; ? #`.
    NeedlessEscape,
    /// Escapes that are no UTF-8.
    NotUtf8,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "it does not begin with `/`",
            Self::TooLong => "it is longer than 8 KiB",
            Self::Byte => "it holds a byte outside 0x21-0x7E",
            Self::Escape => "a `%` is not followed by two hexadecimal digits",
            Self::Separator => r"it holds `\`, `;` or `#`",
            Self::Query => "it holds `?`: a query is no part of a path",
            Self::EmptySegment => "it holds an empty segment (`//`)",
            Self::DotSegment => "it holds a segment `.` or `..`",
            Self::NeedlessEscape => {
                r"it escapes a character that needs no escape, a control byte, or one of `\ % ; ? #`"
            }
            Self::NotUtf8 => "its escapes are not valid UTF-8",
        })
    }
}

/// A path, without its query, that means one thing to every reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestPath<'a> {
    text: &'a str,
    encoded_slash: bool,
}

impl<'a> RequestPath<'a> {
    /// Reads a path that was already cut at its first `?`.
    ///
    /// # Errors
    /// The first [`PathFault`]. `%2F` is none of them: see [`RequestPath::has_encoded_slash`].
    pub fn read(text: &'a str) -> Result<Self, PathFault> {
        let rest = text.strip_prefix('/').ok_or(PathFault::NotAbsolute)?;
        if text.len() > MAX_PATH {
            return Err(PathFault::TooLong);
        }
        if !text.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
            return Err(PathFault::Byte);
        }
        if text.bytes().any(|byte| matches!(byte, b'\\' | b';' | b'#')) {
            return Err(PathFault::Separator);
        }
        let encoded_slash = escapes(text)?;
        let mut segments = rest.split('/').peekable();
        while let Some(segment) = segments.next() {
            if segment.is_empty() && segments.peek().is_some() {
                return Err(PathFault::EmptySegment);
            }
            check_pieces(segment)?;
        }
        Ok(Self { text, encoded_slash })
    }

    /// The path as it was sent.
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// Whether a segment holds `%2F`: a separator to some readers, data to others.
    pub const fn has_encoded_slash(&self) -> bool {
        self.encoded_slash
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = &'a str> + Clone {
        self.text.strip_prefix('/').unwrap_or(self.text).split('/')
    }
}

/// The bytes of a segment with its escapes resolved. A path that was read escapes nothing that has a meaning of its
/// own but `/`, so two segments with the same bytes are the same to every reader, whichever of them they decode:
/// `orders%3Acancel` is `orders:cancel`, and `%c3%a9` is `%C3%A9`.
pub(super) fn decoded(segment: &str) -> impl Iterator<Item = u8> {
    let mut bytes = segment.bytes();
    std::iter::from_fn(move || match bytes.next()? {
        b'%' => {
            let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).unwrap_or_default();
            u8::try_from(digit() * 16 + digit()).ok()
        }
        byte => Some(byte),
    })
}

/// Judges every escape; tells whether one is `%2F`.
fn escapes(text: &str) -> Result<bool, PathFault> {
    if !text.contains('%') {
        return Ok(false);
    }
    let mut slash = false;
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(PathFault::Escape);
        let escaped = u8::try_from(digit()? * 16 + digit()?).map_err(|_| PathFault::Escape)?;
        let unreserved = escaped.is_ascii_alphanumeric() || matches!(escaped, b'-' | b'.' | b'_' | b'~');
        let control = escaped.is_ascii_control();
        if unreserved || control || matches!(escaped, b'\\' | b'%' | b';' | b'?' | b'#') {
            return Err(PathFault::NeedlessEscape);
        }
        slash |= escaped == b'/';
        plain.push(escaped);
    }
    std::str::from_utf8(&plain).map(|_| slash).map_err(|_| PathFault::NotUtf8)
}

/// A segment that holds `%2F` is judged piece by piece as if each were a segment, so that a reader who takes
/// `%2F` for a separator finds nothing to walk with either.
fn check_pieces(segment: &str) -> Result<(), PathFault> {
    let is_dots = |piece: &str| matches!(piece, "." | "..");
    if !segment.contains('%') {
        return if is_dots(segment) { Err(PathFault::DotSegment) } else { Ok(()) };
    }
    let folded = segment.replace("%2f", "%2F");
    let mut pieces = folded.split("%2F").peekable();
    let split = folded.contains("%2F");
    for piece in pieces.by_ref() {
        if is_dots(piece) {
            return Err(PathFault::DotSegment);
        }
        if split && piece.is_empty() {
            return Err(PathFault::EmptySegment);
        }
    }
    Ok(())
}

/// Why a path pattern cannot stand in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternFault {
    /// A path that no request can have.
    Path(PathFault),
    /// `*` beside other characters, or `**` before the end.
    Star,
    /// `%2F`: in the table a segment is written as itself.
    EncodedSlash,
}

impl fmt::Display for PatternFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(fault) => write!(f, "no request can have this path: {fault}"),
            Self::Star => f.write_str("`*` stands for one whole segment, and `**` only at the end for all below"),
            Self::EncodedSlash => f.write_str("`%2F` cannot be matched; use `*` for the segment that holds it"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    /// Exactly these bytes, escapes resolved.
    Literal(Box<[u8]>),
    /// `*`: one segment that is not empty.
    Star,
}

/// A path in the table: `*` is one non-empty segment, a last `**` is this and all below.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPattern {
    text: Box<str>,
    segments: Vec<Segment>,
    tail: bool,
}

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A [`PatternFault`] where no request could match, or a star stands inside a segment.
    pub fn parse(text: &str) -> Result<Self, PatternFault> {
        let path = RequestPath::read(text).map_err(PatternFault::Path)?;
        if text.contains('?') {
            return Err(PatternFault::Path(PathFault::Query));
        }
        if path.has_encoded_slash() {
            return Err(PatternFault::EncodedSlash);
        }
        let mut segments = Vec::new();
        let mut tail = false;
        for segment in path.segments() {
            match segment {
                _ if tail => return Err(PatternFault::Star),
                "**" => tail = true,
                "*" => segments.push(Segment::Star),
                _ if segment.contains('*') => return Err(PatternFault::Star),
                _ => segments.push(Segment::Literal(decoded(segment).collect())),
            }
        }
        Ok(Self { text: text.into(), segments, tail })
    }

    /// The pattern that means this path and no other: a star of it is written `%2A`, which is the same to every reader.
    ///
    /// # Errors
    /// A [`PatternFault`] where a table cannot write the path, such as one with `%2F`.
    pub fn exactly(path: &str) -> Result<Self, PatternFault> {
        Self::parse(&path.replace('*', "%2A"))
    }

    /// `/**`: everything.
    pub fn everything() -> Self {
        Self { text: "/**".into(), segments: Vec::new(), tail: true }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `path` is one of those meant. Case-sensitive; `/a` is not `/a/`, but `/a/**` is both and all below.
    pub fn matches(&self, path: &RequestPath<'_>) -> bool {
        let mut given = path.segments();
        for wanted in &self.segments {
            let Some(segment) = given.next() else { return false };
            let same = match wanted {
                Segment::Literal(literal) => decoded(segment).eq(literal.iter().copied()),
                Segment::Star => !segment.is_empty(),
            };
            if !same {
                return false;
            }
        }
        self.tail || given.next().is_none()
    }

    /// The literal segments that every match begins with, each shorter start of them first: of `/a/b/*` nothing, `a`,
    /// and `a` and `b`, escapes resolved.
    pub fn starts(&self) -> Vec<Vec<&[u8]>> {
        let mut starts = vec![Vec::new()];
        let mut start: Vec<&[u8]> = Vec::new();
        for segment in self.literal_start() {
            if let Segment::Literal(literal) = segment {
                start.push(literal);
                starts.push(start.clone());
            }
        }
        starts
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether it ends with `**`.
    pub(super) const fn has_tail(&self) -> bool {
        self.tail
    }

    /// Whether the pattern is one literal path.
    pub fn is_exact(&self) -> bool {
        !self.tail && self.segments.iter().all(|segment| matches!(segment, Segment::Literal(_)))
    }

    /// How specific the pattern is among those that match: exact before pattern, then the longest literal start.
    pub fn specificity(&self) -> (bool, usize) {
        let length = |segment: &Segment| if let Segment::Literal(literal) = segment { literal.len() + 1 } else { 0 };
        (self.is_exact(), self.literal_start().iter().map(length).sum())
    }

    /// The segments before the first star.
    pub(super) fn literal_start(&self) -> &[Segment] {
        let literal = |segment: &&Segment| matches!(segment, Segment::Literal(_));
        self.segments.get(..self.segments.iter().take_while(literal).count()).unwrap_or_default()
    }

    /// Whether every path that matches `narrow` matches this too.
    pub fn covers(&self, narrow: &Self) -> bool {
        let mut given = narrow.segments.iter();
        for wanted in &self.segments {
            let within = match (wanted, given.next()) {
                (Segment::Literal(wanted), Some(Segment::Literal(given))) => wanted == given,
                (Segment::Star, Some(Segment::Literal(given))) => !given.is_empty(),
                (Segment::Star, Some(Segment::Star)) => true,
                (Segment::Literal(_), Some(Segment::Star)) | (_, None) => false,
            };
            if !within {
                return false;
            }
        }
        self.tail || (given.next().is_none() && !narrow.tail)
    }

    /// Whether some path matches both.
    pub fn intersects(&self, other: &Self) -> bool {
        let mut ours = self.segments.iter();
        let mut theirs = other.segments.iter();
        loop {
            match (ours.next(), theirs.next()) {
                (Some(Segment::Literal(one)), Some(Segment::Literal(two))) if one != two => return false,
                (Some(Segment::Literal(literal)), Some(Segment::Star))
                | (Some(Segment::Star), Some(Segment::Literal(literal)))
                    if literal.is_empty() =>
                {
                    return false;
                }
                (Some(_), Some(_)) => {}
                (None, None) => return true,
                (None, Some(_)) => return self.tail,
                (Some(_), None) => return other.tail,
            }
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        PathPattern::parse(pattern).unwrap().matches(&RequestPath::read(path).unwrap())
    }

    #[test]
    fn an_ambiguous_path_is_refused() {
        use PathFault::*;
        for (path, fault) in [
            ("", NotAbsolute),
            ("v1", NotAbsolute),
            ("*", NotAbsolute),
            ("/a b", Byte),
            ("/\u{e4}", Byte),
            ("/a\0", Byte),
            ("//", EmptySegment),
            ("//v1", EmptySegment),
            ("/v1//x", EmptySegment),
            ("/v1/../admin", DotSegment),
            ("/v1/.", DotSegment),
            ("/v1/..", DotSegment),
            ("/./", DotSegment),
            ("/v1/%2e%2e/admin", NeedlessEscape),
            ("/v1/%2E", NeedlessEscape),
            ("/%61dmin", NeedlessEscape),
            ("/a%7e", NeedlessEscape),
            ("/v1/..;/admin", Separator),
            ("/v1;x=1", Separator),
            ("/v1/\\..\\admin", Separator),
            ("/a#b", Separator),
            ("/v1/%00", NeedlessEscape),
            ("/v1/%0d%0a", NeedlessEscape),
            ("/%7f", NeedlessEscape),
            ("/v1/%5c..", NeedlessEscape),
            ("/%252e", NeedlessEscape),
            ("/%3bx", NeedlessEscape),
            ("/%3Fx", NeedlessEscape),
            ("/%23", NeedlessEscape),
            ("/%", Escape),
            ("/%2", Escape),
            ("/%zz", Escape),
            ("/%c0%af", NotUtf8),
            ("/%e0%80%af", NotUtf8),
            ("/%ff", NotUtf8),
            ("/a%2f..%2fb", DotSegment),
            ("/a%2F", EmptySegment),
            ("/%2Fa", EmptySegment),
            ("/a%2F%2fb", EmptySegment),
            ("/.%2Fb", DotSegment),
        ] {
            assert_eq!(RequestPath::read(path), Err(fault), "{path}");
        }
        assert_eq!(RequestPath::read(&format!("/{}", "a".repeat(MAX_PATH))), Err(TooLong));
    }

    #[test]
    fn a_plain_path_is_read_as_it_is() {
        for path in ["/", "/a", "/a/", "/a.b/..c/...", "/caf%C3%A9", "/a%20b", "/a:b@c,d=e+f!$&'()*~", "/%22"] {
            assert_eq!(RequestPath::read(path).map(|path| path.has_encoded_slash()), Ok(false), "{path}");
        }
        assert!(RequestPath::read("/group%2Fproject/x").unwrap().has_encoded_slash());
    }

    #[test]
    fn patterns_match_whole_segments() {
        for (pattern, path, expected) in [
            ("/a", "/a", true),
            ("/a", "/a/", false),
            ("/a/", "/a", false),
            ("/a", "/A", false),
            ("/a", "/ab", false),
            ("/a/**", "/a", true),
            ("/a/**", "/a/", true),
            ("/a/**", "/a/b/c", true),
            ("/a/**", "/ab", false),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/", false),
            ("/a/*", "/a", false),
            ("/a/*", "/a/b/c", false),
            ("/a/*", "/a/b/", false),
            ("/*/b", "/x/b", true),
            ("/**", "/", true),
            ("/**", "/x/y", true),
            ("/", "/", true),
            ("/", "/a", false),
            ("/a/*/c/**", "/a/b/c", true),
            ("/a/*/c/**", "/a/b/c/d", true),
            ("/a/*/c/**", "/a/b/d", false),
            ("/a/*", "/a/x%2Fy", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn an_escape_that_need_not_be_there_changes_nothing() {
        for (pattern, path) in [
            ("/orders:cancel", "/orders%3Acancel"),
            ("/orders%3acancel", "/orders:cancel"),
            ("/caf%C3%A9/**", "/caf%c3%a9/x"),
            ("/a,b", "/a%2Cb"),
            ("/@me", "/%40me"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        let pattern = |text| PathPattern::parse(text).unwrap();
        assert!(pattern("/a%2cb").intersects(&pattern("/a,b")));
        assert_eq!(pattern("/a%2cb").specificity(), pattern("/a,b").specificity());
        assert!(!matches("/a/b", "/a%2Fb"), "an encoded slash is no separator");
    }

    #[test]
    fn a_star_inside_a_segment_is_refused() {
        for pattern in ["/a*", "/*a", "/a/**/b", "/**/b", "/***", "/a**"] {
            assert_eq!(PathPattern::parse(pattern), Err(PatternFault::Star), "{pattern}");
        }
        for pattern in ["/a/../b", "a", "//", "/a?b", "/a;b", "/%61"] {
            assert!(matches!(PathPattern::parse(pattern), Err(PatternFault::Path(_))), "{pattern}");
        }
        assert_eq!(PathPattern::parse("/a%2Fb"), Err(PatternFault::EncodedSlash));
    }

    #[test]
    fn intersection_is_symmetric_and_agrees_with_matching() {
        let patterns = ["/", "/a", "/a/", "/a/**", "/a/*", "/a/b", "/*", "/**", "/a/*/c", "/a/b/**", "/*/b", "/b/**"];
        let paths =
            ["/", "/a", "/a/", "/a/b", "/a/b/c", "/x", "/x/b", "/a/x", "/a/x/c", "/b", "/b/", "/a/b/", "/x/", "/b/b"];
        for one in patterns {
            for two in patterns {
                let (left, right) = (PathPattern::parse(one).unwrap(), PathPattern::parse(two).unwrap());
                let both = paths.iter().any(|path| matches(one, path) && matches(two, path));
                assert_eq!(left.intersects(&right), both, "{one} {two}");
                assert_eq!(right.intersects(&left), both, "{two} {one}");
            }
        }
    }
}
