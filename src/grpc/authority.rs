//! The `:authority` of a call, made one that the HTTP/2 library takes.
//!
//! A proxy that is told nothing else sends the name of its cluster as `:authority`, and names such as
//! `outbound|9191||credence.ns.svc` or `ns/credence` are no authority (RFC 3986 §3.2). The library answers those with
//! a stream error before any code of ours is asked: an RPC error for the caller, which it may take for a yes. Nothing
//! here reads `:authority`, so its value is written over in the bytes that arrive, with as many bytes that are one.

/// What a client says first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, type, flags, stream (RFC 9113 §4.1).
const HEAD: usize = 9;
const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// Dependency and weight, where `PRIORITY` is set (RFC 9113 §6.2).
const PRIORITIES: usize = 5;
/// `:authority` in the static table (RFC 7541 §A).
const AUTHORITY: u8 = 1;
/// Bytes that an integer of a header block may go on for (RFC 7541 §5.1): more than any sane length needs.
const LONGEST_INTEGER: u32 = 4;

/// Follows the frames of one connection, in pieces as they come. What it cannot follow it leaves as it is, to the end
/// of the connection: the library judges that.
#[derive(Debug)]
pub(super) struct Eraser {
    place: Place,
    field: Field,
}

/// Where in the frames.
#[derive(Debug, Clone, Copy)]
enum Place {
    Preface { seen: usize },
    Head { bytes: [u8; HEAD], seen: usize },
    Skip { left: usize },
    Prefix(Prefix),
    Block { left: usize, padding: usize, last: bool },
    Lost,
}

/// What stands before the block of a HEADERS frame.
#[derive(Debug, Clone, Copy)]
struct Prefix {
    /// The length of the padding comes next.
    padded: bool,
    priorities: usize,
    /// Of the whole frame, the padding at its end included.
    left: usize,
    padding: usize,
    last: bool,
}

/// Where in a header block (RFC 7541 §6).
#[derive(Debug, Clone, Copy)]
enum Field {
    Start,
    /// The rest of an integer whose value does not matter.
    Integer {
        bytes: u32,
        then: Then,
    },
    Length(Text),
    LongLength {
        text: Text,
        huffman: bool,
        length: usize,
        bytes: u32,
    },
    Bytes {
        text: Text,
        huffman: bool,
        length: usize,
        left: usize,
    },
}

#[derive(Debug, Clone, Copy)]
enum Then {
    Field,
    Value,
}

#[derive(Debug, Clone, Copy)]
enum Text {
    Name,
    Value { erased: bool },
}

impl Eraser {
    /// For a connection of which nothing was read yet.
    pub(super) const fn new() -> Self {
        Self { place: Place::Preface { seen: 0 }, field: Field::Start }
    }

    /// Takes the next bytes of the connection and writes over what of them is the value of an `:authority`.
    pub(super) fn pass(&mut self, mut bytes: &mut [u8]) {
        loop {
            let used = match self.place {
                Place::Lost => return,
                Place::Skip { left } => bytes.len().min(left),
                _ => 1,
            };
            let Some((now, later)) = bytes.split_at_mut_checked(used).filter(|(now, _)| !now.is_empty()) else {
                return;
            };
            self.place = self.step(now);
            bytes = later;
        }
    }

    /// Goes on by these bytes: one, or what is skipped.
    fn step(&mut self, bytes: &mut [u8]) -> Place {
        let used = bytes.len();
        let Some(byte) = bytes.first_mut() else { return self.place };
        match self.place {
            Place::Lost => Place::Lost,
            Place::Preface { seen } if PREFACE.get(seen) != Some(&*byte) => Place::Lost,
            Place::Preface { seen } if seen + 1 == PREFACE.len() => next_frame(),
            Place::Preface { seen } => Place::Preface { seen: seen + 1 },
            Place::Head { bytes: mut head, seen } => {
                if let Some(place) = head.get_mut(seen) {
                    *place = *byte;
                }
                if seen + 1 == HEAD { self.frame(head) } else { Place::Head { bytes: head, seen: seen + 1 } }
            }
            Place::Skip { left } => skip(left.saturating_sub(used)),
            Place::Prefix(prefix) => self.prefix(prefix, *byte),
            Place::Block { left, padding, last } => match self.field(byte) {
                Some(field) => {
                    self.field = field;
                    self.block(left - 1, padding, last)
                }
                None => Place::Lost,
            },
        }
    }

    /// What follows the head of a frame.
    fn frame(&mut self, [a, b, c, kind, flags, ..]: [u8; HEAD]) -> Place {
        let left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let last = flags & END_HEADERS != 0;
        match kind {
            HEADERS => {
                let priorities = if flags & PRIORITY != 0 { PRIORITIES } else { 0 };
                self.field = Field::Start;
                self.after_prefix(Prefix { padded: flags & PADDED != 0, priorities, left, padding: 0, last })
            }
            CONTINUATION => self.block(left, 0, last),
            _ => skip(left),
        }
    }

    fn prefix(&mut self, mut prefix: Prefix, byte: u8) -> Place {
        if prefix.padded {
            (prefix.padded, prefix.padding) = (false, usize::from(byte));
        } else {
            prefix.priorities -= 1;
        }
        prefix.left -= 1;
        self.after_prefix(prefix)
    }

    /// The rest of the prefix, or the block.
    fn after_prefix(&mut self, prefix: Prefix) -> Place {
        let Prefix { padded, priorities, left, padding, last } = prefix;
        match left.checked_sub(usize::from(padded) + priorities + padding) {
            None => Place::Lost,
            Some(_) if padded || priorities > 0 => Place::Prefix(prefix),
            Some(block) => self.block(block, padding, last),
        }
    }

    /// The rest of the block, or what follows it.
    fn block(&mut self, left: usize, padding: usize, last: bool) -> Place {
        match (left, last, self.field) {
            (1.., ..) => Place::Block { left, padding, last },
            (0, true, Field::Start) | (0, false, _) => skip(padding),
            (0, true, _) => Place::Lost,
        }
    }

    /// Goes on by one byte of a block; `None` where that makes no sense.
    fn field(&mut self, byte: &mut u8) -> Option<Field> {
        Some(match self.field {
            Field::Start => match *byte {
                indexed @ 0x80.. => integer(indexed, 0x7f, Then::Field),
                literal @ 0x40.. => named(literal, 0x3f),
                size @ 0x20.. => integer(size, 0x1f, Then::Field),
                literal => named(literal, 0x0f),
            },
            Field::Integer { bytes, then } => match (*byte & 0x80, then) {
                (0, then) => then.field(),
                _ if bytes == LONGEST_INTEGER => return None,
                (_, then) => Field::Integer { bytes: bytes + 1, then },
            },
            Field::Length(text) => {
                let (huffman, length) = (*byte & 0x80 != 0, usize::from(*byte & 0x7f));
                if length == 0x7f {
                    Field::LongLength { text, huffman, length, bytes: 0 }
                } else {
                    text.begin(huffman, length)
                }
            }
            Field::LongLength { text, huffman, length, bytes } => {
                let length = length + (usize::from(*byte & 0x7f) << (7 * bytes));
                match *byte & 0x80 {
                    0 => text.begin(huffman, length),
                    _ if bytes + 1 == LONGEST_INTEGER => return None,
                    _ => Field::LongLength { text, huffman, length, bytes: bytes + 1 },
                }
            }
            Field::Bytes { text, huffman, length, left } => {
                if let Text::Value { erased: true } = text {
                    *byte = erased(huffman, length, left);
                }
                if left == 1 { text.end() } else { Field::Bytes { text, huffman, length, left: left - 1 } }
            }
        })
    }
}

/// Zeros throughout. Huffman's `0` is five bits of zero, and what is left at the end are ones (RFC 7541 §5.2, §B).
fn erased(huffman: bool, length: usize, left: usize) -> u8 {
    match (huffman, left) {
        (false, _) => b'0',
        (true, 1) => (1 << (length * 8 % 5)) - 1,
        (true, _) => 0,
    }
}

impl Then {
    const fn field(self) -> Field {
        match self {
            Self::Field => Field::Start,
            Self::Value => Field::Length(Text::Value { erased: false }),
        }
    }
}

impl Text {
    const fn begin(self, huffman: bool, length: usize) -> Field {
        if length == 0 { self.end() } else { Field::Bytes { text: self, huffman, length, left: length } }
    }

    const fn end(self) -> Field {
        match self {
            Self::Name => Field::Length(Self::Value { erased: false }),
            Self::Value { .. } => Field::Start,
        }
    }
}

/// An integer that begins in this byte, with the bits of `mask` (RFC 7541 §5.1).
const fn integer(byte: u8, mask: u8, then: Then) -> Field {
    if byte & mask == mask { Field::Integer { bytes: 0, then } } else { then.field() }
}

/// A literal, whose name is an index or a text (RFC 7541 §6.2).
const fn named(byte: u8, mask: u8) -> Field {
    match byte & mask {
        0 => Field::Length(Text::Name),
        AUTHORITY => Field::Length(Text::Value { erased: true }),
        _ => integer(byte, mask, Then::Value),
    }
}

const fn next_frame() -> Place {
    Place::Head { bytes: [0; HEAD], seen: 0 }
}

const fn skip(left: usize) -> Place {
    if left == 0 { next_frame() } else { Place::Skip { left } }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// A literal with an indexed name, raw or (with any bytes: nobody decodes them here) Huffman coded.
    fn literal(index: u8, huffman: bool, value: &[u8]) -> Vec<u8> {
        let mark = if huffman { 0x80 } else { 0 };
        let mut out = vec![0x40 | index];
        match u8::try_from(value.len()) {
            Ok(short) if short < 0x7f => out.push(mark | short),
            _ => {
                let mut more = value.len() - 0x7f;
                out.push(mark | 0x7f);
                while more > 0x7f {
                    out.push(u8::try_from(more & 0x7f).unwrap() | 0x80);
                    more >>= 7;
                }
                out.push(u8::try_from(more).unwrap());
            }
        }
        [out, value.to_vec()].concat()
    }

    fn passed(bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let mut eraser = Eraser::new();
        bytes.chunks_mut(piece).for_each(|piece| eraser.pass(piece));
        bytes
    }

    /// A connection whose only call has this block, in one frame or in several, padded and with priorities or not.
    fn connection(block: &[u8]) -> Vec<Vec<u8>> {
        let settings = frame(4, 0, &[0; 12]);
        let (one, two) = block.split_at(block.len() / 2);
        let padded = [&[3, 0, 0, 0, 0, 16], block, &[0x41, 1, 2]].concat();
        [
            frame(HEADERS, END_HEADERS, block),
            frame(HEADERS, END_HEADERS | PADDED | PRIORITY, &padded),
            [frame(HEADERS, 0, one), frame(CONTINUATION, END_HEADERS, two)].concat(),
            [frame(HEADERS, 0, block), frame(CONTINUATION, END_HEADERS, b"")].concat(),
        ]
        .map(|headers| [PREFACE, &settings, &headers, &frame(0, 1, b"\x41\x05abcde")].concat())
        .to_vec()
    }

    #[test]
    fn every_authority_becomes_one_and_nothing_else_changes() {
        let long = "ns/credence|".repeat(40);
        for value in ["outbound|9191||credence.ns.svc", "%2Frun%2Fcredence.sock", "x", long.as_str()] {
            let others = [literal(4, false, b"/a|b"), vec![0x82, 0x3f, 0xe1, 0x1f], literal(0, false, b"te")].concat();
            let others = [others, b"\x08trailers".to_vec()].concat();
            let with = |value: &[u8]| [others.clone(), literal(AUTHORITY, false, value), others.clone()].concat();
            let zeros = "0".repeat(value.len());
            for (given, expected) in connection(&with(value.as_bytes())).iter().zip(connection(&with(zeros.as_bytes())))
            {
                for piece in [1, 2, 3, 7, 1000] {
                    assert_eq!(passed(given, piece), expected, "{value} in pieces of {piece}");
                }
            }
        }
    }

    #[test]
    fn a_huffman_coded_authority_becomes_zeros_of_the_same_length() {
        for length in 1..300_usize {
            let given = connection(&literal(AUTHORITY, true, &vec![0xa5; length])).remove(0);
            let bytes = passed(&given, 5);
            let value = &bytes[bytes.len() - 16 - length..bytes.len() - 16];
            let bits: Vec<bool> =
                value.iter().flat_map(|byte| (0..8).map(move |bit| byte >> (7 - bit) & 1 == 1)).collect();
            let (zeros, rest) = bits.split_at(bits.len() / 5 * 5);
            assert!(zeros.iter().all(|bit| !bit) && rest.iter().all(|bit| *bit), "{length}: {value:?}");
        }
    }

    #[test]
    fn what_is_no_http2_is_left_as_it_is() {
        for text in ["GET / HTTP/1.1\r\nhost: a|b\r\n\r\n", "PRI * HTTP/1.0\r\n\r\n", "\x16\x03\x01\x02\0\x01"] {
            assert_eq!(passed(text.as_bytes(), 3), text.as_bytes());
        }
        // Padding that is longer than its frame, a block that ends inside a field, an integer without end.
        for bad in [
            frame(HEADERS, END_HEADERS | PADDED, &[9, 0x41, 1]),
            frame(HEADERS, END_HEADERS, &[0x41, 9, b'|']),
            frame(HEADERS, END_HEADERS, &[0xff; 12]),
        ] {
            let after = frame(HEADERS, END_HEADERS, &literal(AUTHORITY, false, b"a|b"));
            let bytes = passed(&[PREFACE, &bad, &after].concat(), 1000);
            assert!(bytes.ends_with(&after), "followed on after {bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_as_many_afterwards(
            bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0..10_u8, flags in any::<u8>(), piece in 1..50_usize,
        ) {
            let given = [PREFACE, &frame(kind, flags, &bytes), &bytes].concat();
            prop_assert_eq!(passed(&given, piece), passed(&given, 1));
        }
    }
}
