//! An [`Answer`] as the protobuf of a `CheckResponse`, behind gRPC's length prefix.
//!
//! In protobuf a message stands behind its length, which is known only when the message is written. So all is written
//! from the end to the start, each message before its length: nothing is measured first, and nothing moved.

use bytes::{Buf, Bytes};

use crate::answer::{Answer, Header, Value, Verdict};

/// Room for a usual yes.
const USUAL: usize = 2048;

/// `append: {}` and `append_action: OVERWRITE_IF_EXISTS_OR_ADD`: the first is what Envoy up to 1.40 reads, the second
/// what later ones do. Both say overwrite.
const OVERWRITE: [u8; 4] = [0x12, 0x00, 0x18, 0x02];

/// The whole frame: five bytes of prefix, and the message.
pub(super) fn frame(answer: &Answer<'_>) -> Bytes {
    let mut out = Backwards::new(USUAL);
    out.check_response(answer);
    // A length that u32 cannot hold cannot be told; the receiver finds the frame broken and denies.
    let length = u32::try_from(out.written()).unwrap_or(u32::MAX);
    out.array(length.to_be_bytes());
    out.array([0]);
    out.finish()
}

/// The messages, last field first. What holds its type's default is not written, but in a oneof.
impl Backwards {
    fn check_response(&mut self, answer: &Answer<'_>) {
        self.nested(4, |out| {
            out.entry("credence", |out| out.object(answer.metadata()));
        });
        match answer.verdict() {
            Verdict::Allow { set, remove } => self.nested(3, |out| {
                remove.iter().rev().for_each(|name| out.text(5, name));
                out.headers(set);
            }),
            Verdict::Deny { code: _, status, headers, body } => self.nested(2, |out| {
                out.stated(3, body);
                out.headers(headers);
                out.nested(1, |out| out.number(1, i64::from(*status)));
            }),
        }
        self.nested(1, |out| out.number(1, i64::from(answer.verdict().code())));
    }

    /// `HeaderValueOption`s, in field 2 of either response.
    fn headers(&mut self, headers: &[Header<'_>]) {
        for (name, value) in headers.iter().rev() {
            self.nested(2, |out| {
                out.array(OVERWRITE);
                out.nested(1, |out| {
                    out.stated(2, value);
                    out.stated(1, name);
                });
            });
        }
    }

    /// An entry of a `google.protobuf.Struct`, with what `value` writes as its value.
    fn entry(&mut self, name: &str, value: impl FnOnce(&mut Self)) {
        self.nested(1, |out| {
            out.nested(2, value);
            out.stated(1, name);
        });
    }

    fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Text(text) => self.text(3, text),
            Value::Number(number) => {
                self.array(number.to_le_bytes());
                self.array([key(2, Layout::Eight)]);
            }
            Value::Bool(value) => {
                self.array([key(4, Layout::Varint), u8::from(*value)]);
            }
            Value::Object(members) => self.object(members),
            Value::List(values) => self.nested(6, |out| {
                values.iter().rev().for_each(|value| out.nested(1, |out| out.value(value)));
            }),
        }
    }

    fn object(&mut self, members: &[(&str, Value<'_>)]) {
        self.nested(5, |out| {
            members.iter().rev().for_each(|(name, value)| out.entry(name, |out| out.value(value)));
        });
    }
}

/// How the value of a field is laid out (wire types).
#[derive(Clone, Copy)]
enum Layout {
    Varint = 0,
    Eight = 1,
    Delimited = 2,
}

/// Bytes that grow towards their start: what is to be read first is written last.
struct Backwards {
    buffer: Vec<u8>,
    /// Where the written part begins.
    start: usize,
}

impl Backwards {
    fn new(room: usize) -> Self {
        Self { buffer: vec![0; room], start: room }
    }

    fn finish(self) -> Bytes {
        let mut bytes = Bytes::from(self.buffer);
        bytes.advance(self.start);
        bytes
    }

    /// How many bytes there are so far.
    const fn written(&self) -> usize {
        self.buffer.len() - self.start
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        if bytes.len() > self.start {
            self.grow(bytes.len());
        }
        let start = self.start.saturating_sub(bytes.len());
        if let Some(room) = self.buffer.get_mut(start..self.start) {
            room.copy_from_slice(bytes);
            self.start = start;
        }
    }

    /// Makes room for at least `more` bytes in front.
    #[cold]
    fn grow(&mut self, more: usize) {
        let written = self.buffer.split_off(self.start);
        self.start = (2 * written.len()).max(more);
        self.buffer = vec![0; self.start];
        self.buffer.extend(written);
    }

    /// A few bytes whose number is known beforehand, which is quicker than a copy of any number.
    #[inline]
    fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        let start = self.start.saturating_sub(N);
        match self.buffer.get_mut(start..self.start).and_then(<[u8]>::first_chunk_mut) {
            Some(room) => {
                *room = bytes;
                self.start = start;
            }
            None => self.bytes(&bytes),
        }
    }

    /// A number, unless it is 0. Negative ones are as long as the longest (`int32`, `int64`).
    fn number(&mut self, field: u8, number: i64) {
        if number != 0 {
            self.varint(number.cast_unsigned());
            self.array([key(field, Layout::Varint)]);
        }
    }

    /// Text, unless it is empty.
    #[inline]
    fn stated(&mut self, field: u8, text: &str) {
        if !text.is_empty() {
            self.text(field, text);
        }
    }

    #[inline]
    fn text(&mut self, field: u8, text: &str) {
        self.bytes(text.as_bytes());
        self.delimiter(field, text.len());
    }

    /// A message, as `write` writes it.
    #[inline]
    fn nested(&mut self, field: u8, write: impl FnOnce(&mut Self)) {
        let behind = self.written();
        write(self);
        self.delimiter(field, self.written() - behind);
    }

    /// Key and length of what was written last.
    #[inline]
    fn delimiter(&mut self, field: u8, length: usize) {
        let key = key(field, Layout::Delimited);
        match u8::try_from(length) {
            Ok(length @ 0..0x80) => self.array([key, length]),
            _ => {
                self.varint(length as u64);
                self.array([key]);
            }
        }
    }

    fn varint(&mut self, value: u64) {
        // Seven bits a byte, the lowest first: here, written last. All but the last byte have the eighth bit.
        let groups = (u64::BITS - (value | 1).leading_zeros()).div_ceil(7);
        for group in (0..groups).rev() {
            let [byte, ..] = (value >> (7 * group)).to_le_bytes();
            let more = if group + 1 < groups { 0x80 } else { 0 };
            self.array([(byte & 0x7f) | more]);
        }
    }
}

/// `field` is below 16, as all of ours are: a key of one byte.
const fn key(field: u8, layout: Layout) -> u8 {
    (field << 3) | layout as u8
}
