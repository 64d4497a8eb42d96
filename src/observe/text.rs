//! JSON straight into bytes. Only printable ASCII leaves: whatever else a caller sent is escaped, so that no line can
//! look like another one in a terminal.

use std::fmt;

use serde::Serialize;

/// An object in the making. Members stand in the order in which they are written; names are plain ASCII.
pub(super) struct Object<'a> {
    to: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object at the end of `to`, lets `fill` write its members and closes it.
    pub(super) fn write(to: &'a mut Vec<u8>, fill: impl FnOnce(&mut Self)) {
        to.push(b'{');
        let mut object = Self { to, is_empty: true };
        fill(&mut object);
        object.to.push(b'}');
    }

    /// Writes the name of the next member, and gives the place of its value.
    #[inline]
    fn member(&mut self, name: &str) -> &mut Vec<u8> {
        let before: &[u8] = if self.is_empty { b"\"" } else { b",\"" };
        self.is_empty = false;
        self.to.extend_from_slice(before);
        self.to.extend_from_slice(name.as_bytes());
        self.to.extend_from_slice(b"\":");
        self.to
    }

    /// A string.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        quote(self.member(name), value);
    }

    /// A string, where there is one.
    pub(super) fn text_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A string that `write` writes; it writes nothing that would have to be escaped.
    pub(super) fn quoted(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let to = self.member(name);
        to.push(b'"');
        write(to);
        to.push(b'"');
    }

    /// A number.
    pub(super) fn number(&mut self, name: &str, value: impl Serialize) {
        // Into memory: this cannot fail.
        let _ = serde_json::to_writer(self.member(name), &value);
    }

    /// An object.
    pub(super) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        Object::write(self.member(name), fill);
    }

    /// An array, where there is at least one item; `one` writes an item.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut one: impl FnMut(&mut Vec<u8>, T),
    ) {
        let mut items = items.into_iter();
        let Some(first) = items.next() else { return };
        let to = self.member(name);
        to.push(b'[');
        one(to, first);
        for item in items {
            to.push(b',');
            one(to, item);
        }
        to.push(b']');
    }
}

/// A string with its quotation marks.
pub(super) fn quote(to: &mut Vec<u8>, text: &str) {
    to.push(b'"');
    escape(to, text);
    to.push(b'"');
}

/// The same for what can only be displayed.
pub(super) fn quote_shown(to: &mut Vec<u8>, shown: impl fmt::Display) {
    struct Escaped<'a>(&'a mut Vec<u8>);
    impl fmt::Write for Escaped<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            escape(self.0, text);
            Ok(())
        }
    }
    to.push(b'"');
    let _ = fmt::write(&mut Escaped(to), format_args!("{shown}"));
    to.push(b'"');
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn escape(to: &mut Vec<u8>, text: &str) {
    // Without an early end, so that many bytes are looked at in one step.
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        return to.extend_from_slice(text.as_bytes());
    }
    for character in text.chars() {
        escape_one(to, character);
    }
}

/// As RFC 8259 §7 has it: two characters where there is a short form, else UTF-16 units in hexadecimal.
fn escape_one(to: &mut Vec<u8>, character: char) {
    let mut itself = [0; 4];
    let short: &[u8] = match character {
        '"' => b"\\\"",
        '\\' => b"\\\\",
        '\u{8}' => b"\\b",
        '\u{c}' => b"\\f",
        '\n' => b"\\n",
        '\r' => b"\\r",
        '\t' => b"\\t",
        ' '..='~' => character.encode_utf8(&mut itself).as_bytes(),
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                to.extend_from_slice(b"\\u");
                to.extend(unit.to_be_bytes().into_iter().flat_map(hex));
            }
            return;
        }
    };
    to.extend_from_slice(short);
}

/// Two hexadecimal digits, in lower case.
pub(super) fn hex(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|digit| if digit < 10 { b'0' + digit } else { b'a' - 10 + digit })
}
