//! Protobuf's wire format, read in place: keys, varints, lengths (protobuf.dev, "Encoding").
//!
//! It takes and refuses exactly what `prost` does, its limit on nesting included; `tests/differential.rs` holds both
//! against each other. Nothing is copied, and every read is bounded by the message that it is in.

use crate::reason::Reason;

/// What all failures are to the outside.
const UNREADABLE: Reason = Reason::MalformedRequest;

/// Messages, groups and map entries inside one another; what is deeper is refused.
const MAX_DEPTH: u32 = 100;

/// How a field's value is laid out (wire types 0 to 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Varint,
    Eight,
    Delimited,
    GroupStart,
    GroupEnd,
    Four,
}

/// The key of a field, whose value comes next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// From 1.
    pub(super) number: u32,
    layout: Layout,
}

/// What is left of one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a> {
    rest: &'a [u8],
    /// How many more messages may be nested in this one.
    depth: u32,
}

impl<'a> Scan<'a> {
    /// A whole message.
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message, depth: MAX_DEPTH }
    }

    /// The next field; `None` at the end. Its value must be read or skipped before the next.
    #[inline]
    pub(super) fn field(&mut self) -> Result<Option<Field>, Reason> {
        if self.rest.is_empty() { Ok(None) } else { self.key().map(Some) }
    }

    /// The text of a string field: always UTF-8.
    #[inline]
    pub(super) fn text(&mut self, field: Field) -> Result<&'a str, Reason> {
        std::str::from_utf8(self.bytes(field)?).map_err(|_| UNREADABLE)
    }

    /// The value of a bytes field.
    #[inline]
    pub(super) fn bytes(&mut self, field: Field) -> Result<&'a [u8], Reason> {
        field.is(Layout::Delimited)?;
        self.delimited()
    }

    /// The message in a message field.
    #[inline]
    pub(super) fn message(&mut self, field: Field) -> Result<Self, Reason> {
        field.is(Layout::Delimited)?;
        self.entry()
    }

    /// The entry of a map field, a message of two fields. Whatever layout the key announces, a length is read: so does
    /// `prost`, and two readers that differ on one message are what must not be.
    #[inline]
    pub(super) fn entry(&mut self) -> Result<Self, Reason> {
        let depth = self.depth.checked_sub(1).ok_or(UNREADABLE)?;
        Ok(Self { rest: self.delimited()?, depth })
    }

    /// Passes over a number or a boolean.
    pub(super) fn number(&mut self, field: Field) -> Result<(), Reason> {
        field.is(Layout::Varint)?;
        self.varint().map(drop)
    }

    /// Passes over a double.
    pub(super) fn double(&mut self, field: Field) -> Result<(), Reason> {
        field.is(Layout::Eight)?;
        self.take(8).map(drop)
    }

    /// Passes over a field that is of no use here, whatever its layout.
    #[inline]
    pub(super) fn skip(&mut self, field: Field) -> Result<(), Reason> {
        self.skip_at(field, self.depth)
    }

    fn skip_at(&mut self, field: Field, depth: u32) -> Result<(), Reason> {
        let inside = depth.checked_sub(1).ok_or(UNREADABLE)?;
        match field.layout {
            Layout::Varint => self.varint().map(drop),
            Layout::Eight => self.take(8).map(drop),
            Layout::Four => self.take(4).map(drop),
            Layout::Delimited => self.delimited().map(drop),
            Layout::GroupStart => loop {
                let inner = self.key()?;
                match inner.layout {
                    Layout::GroupEnd if inner.number == field.number => return Ok(()),
                    _ => self.skip_at(inner, inside)?,
                }
            },
            Layout::GroupEnd => Err(UNREADABLE),
        }
    }

    #[inline]
    fn key(&mut self) -> Result<Field, Reason> {
        let key = u32::try_from(self.varint()?).map_err(|_| UNREADABLE)?;
        let layout = match key & 7 {
            0 => Layout::Varint,
            1 => Layout::Eight,
            2 => Layout::Delimited,
            3 => Layout::GroupStart,
            4 => Layout::GroupEnd,
            5 => Layout::Four,
            _ => return Err(UNREADABLE),
        };
        let number = key >> 3;
        if number == 0 { Err(UNREADABLE) } else { Ok(Field { number, layout }) }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Reason> {
        match self.rest.split_first() {
            Some((byte @ 0..0x80, rest)) => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    /// At most ten bytes of seven bits; the tenth has room for one bit.
    fn long_varint(&mut self) -> Result<u64, Reason> {
        let mut value = 0;
        for (at, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.take(at + 1)?;
                return if at == 9 && *byte > 1 { Err(UNREADABLE) } else { Ok(value) };
            }
        }
        Err(UNREADABLE)
    }

    #[inline]
    fn delimited(&mut self) -> Result<&'a [u8], Reason> {
        let length = usize::try_from(self.varint()?).map_err(|_| UNREADABLE)?;
        self.take(length)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Reason> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(UNREADABLE)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl Field {
    #[inline]
    fn is(self, layout: Layout) -> Result<(), Reason> {
        if self.layout == layout { Ok(()) } else { Err(UNREADABLE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> Option<u64> {
        Scan::new(bytes).varint().ok()
    }

    #[test]
    fn a_varint_has_at_most_ten_bytes_and_64_bits() {
        assert_eq!(varint(&[0x7f]), Some(127));
        assert_eq!(varint(&[0xac, 0x02]), Some(300));
        assert_eq!(varint(&[0x80, 0x80, 0x00]), Some(0));
        let nine = [0xff; 9];
        assert_eq!(varint(&[&nine[..], &[0x01]].concat()), Some(u64::MAX));
        assert_eq!(varint(&[&nine[..], &[0x02]].concat()), None);
        assert_eq!(varint(&[&nine[..], &[0x81, 0x00]].concat()), None);
        assert_eq!(varint(&[]), None);
        assert_eq!(varint(&[0x80]), None);
    }

    #[test]
    fn a_key_is_a_number_from_1_and_one_of_six_layouts() {
        let key = |bytes: &[u8]| Scan::new(bytes).field().map(|field| field.map(|field| field.number));
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&[0x0a]), Ok(Some(1)));
        assert_eq!(key(&[0xff - 5, 0xff, 0xff, 0xff, 0x0f]), Ok(Some((1 << 29) - 1)));
        for bad in [&[0x02][..], &[0x0e], &[0x0f], &[0x80], &[0x8a, 0x80, 0x80, 0x80, 0x10]] {
            assert_eq!(key(bad), Err(UNREADABLE), "{bad:x?}");
        }
    }

    #[test]
    fn nothing_is_read_past_the_end_of_the_message_it_is_in() {
        let mut outer = Scan::new(&[0x0a, 0x03, 0x0a, 0x05, b'a', b'b', b'c', b'd', b'e']);
        let field = outer.field().unwrap().unwrap();
        let mut inner = outer.message(field).unwrap();
        let field = inner.field().unwrap().unwrap();
        assert_eq!(inner.bytes(field), Err(UNREADABLE));
    }

    #[test]
    fn groups_are_skipped_to_their_own_end_and_a_hundred_deep() {
        let nested = |depth: usize| [vec![0x0b; depth], vec![0x0c; depth]].concat();
        let skipped = |bytes: &[u8]| {
            let mut scan = Scan::new(bytes);
            let field = scan.field().unwrap().unwrap();
            scan.skip(field).is_ok() && scan.rest.is_empty()
        };
        assert!(skipped(&nested(100)));
        assert!(!skipped(&nested(101)));
        assert!(skipped(&[0x0b, 0x10, 0x05, 0x0c]));
        assert!(!skipped(&[0x0b, 0x14]), "the end of another");
        assert!(!skipped(&[0x0b]), "no end");
        assert!(!skipped(&[0x0c]), "no start");
    }
}
