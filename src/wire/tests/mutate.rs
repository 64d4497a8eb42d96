//! Protobuf messages, taken apart field by field and put together wrongly.

use prost::encoding::encode_varint;

/// Texts that mean something to a reader of questions.
const WORDS: [&str; 8] =
    ["", "envoy-gateway", "resources", "namespace", "name", "x-request-id", "authorization", "Authorization"];

/// One field as it will be written: nothing has to fit.
#[derive(Debug, Clone)]
pub(super) struct Field {
    number: u32,
    /// Written in the key; the value is laid out as it is, whatever this says.
    layout: u8,
    value: Value,
    /// Added to the length that is written before the value.
    lie: i64,
    /// Varints of key and length get so many bytes more than they need.
    padding: usize,
}

#[derive(Debug, Clone)]
enum Value {
    Varint(u64),
    Fixed(Vec<u8>),
    Bytes(Vec<u8>),
    Message(Vec<Field>),
    Group(Vec<Field>),
}

/// Pseudo-random numbers (SplitMix64): the same from the same seed.
#[derive(Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, end: usize) -> bool {
        self.below(end) == 0
    }
}

/// Takes a message apart; what could be a message is one.
pub(super) fn parse(mut bytes: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = prost::encoding::decode_varint(&mut bytes).ok()?;
        let (number, layout) = (u32::try_from(key >> 3).ok()?, u8::try_from(key & 7).unwrap());
        if !(1..=20).contains(&number) {
            return None;
        }
        let mut take = |length: usize| {
            let (taken, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            Some(taken.to_vec())
        };
        let value = match layout {
            0 => Value::Varint(prost::encoding::decode_varint(&mut bytes).ok()?),
            1 => Value::Fixed(take(8)?),
            5 => Value::Fixed(take(4)?),
            2 => {
                let length = usize::try_from(prost::encoding::decode_varint(&mut bytes).ok()?).ok()?;
                let (taken, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                match parse(taken) {
                    Some(inner) if !inner.is_empty() => Value::Message(inner),
                    _ => Value::Bytes(taken.to_vec()),
                }
            }
            _ => return None,
        };
        fields.push(Field { number, layout, value, lie: 0, padding: 0 });
    }
    Some(fields)
}

/// Puts a message together.
pub(super) fn write(fields: &[Field], out: &mut Vec<u8>) {
    for field in fields {
        varint(u64::from(field.number) << 3 | u64::from(field.layout), field.padding, out);
        match &field.value {
            Value::Varint(value) => varint(*value, field.padding, out),
            Value::Fixed(bytes) => out.extend(bytes),
            Value::Bytes(bytes) => delimited(bytes, field, out),
            Value::Message(inner) => {
                let mut bytes = Vec::new();
                write(inner, &mut bytes);
                delimited(&bytes, field, out);
            }
            Value::Group(inner) => {
                write(inner, out);
                varint(u64::from(field.number) << 3 | 4, 0, out);
            }
        }
    }
}

fn delimited(bytes: &[u8], field: &Field, out: &mut Vec<u8>) {
    varint((bytes.len() as u64).wrapping_add_signed(field.lie), field.padding, out);
    out.extend(bytes);
}

fn varint(value: u64, padding: usize, out: &mut Vec<u8>) {
    encode_varint(value, out);
    if padding > 0 {
        *out.last_mut().unwrap() |= 0x80;
        out.extend(vec![0x80; padding - 1]);
        out.push(0);
    }
}

fn delimiter(number: u32, value: Value) -> Field {
    Field { number, layout: 2, value, lie: 0, padding: 0 }
}

fn group(number: u32, inner: Vec<Field>) -> Field {
    Field { number, layout: 3, value: Value::Group(inner), lie: 0, padding: 0 }
}

/// How wild a mutation may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manners {
    /// Fields come, go, repeat and change places; each stays laid out as its number says.
    Polite,
    /// Anything at all.
    Wild,
}

/// Changes one thing somewhere in the message. `other` lends fields.
pub(super) fn mutate(fields: &mut Vec<Field>, other: &[Field], manners: Manners, dice: &mut Dice) {
    // Deeper in two of three cases, as far as it goes.
    let nested: Vec<usize> =
        (0..fields.len()).filter(|at| matches!(fields[*at].value, Value::Message(_) | Value::Group(_))).collect();
    if !nested.is_empty() && !dice.one_in(3) {
        let at = nested[dice.below(nested.len())];
        if let Value::Message(inner) | Value::Group(inner) = &mut fields[at].value {
            return mutate(inner, other, manners, dice);
        }
    }
    let place = dice.below(fields.len() + 1);
    if (fields.is_empty() || dice.one_in(6))
        && let Some(lent) = lend(other, dice).filter(|lent| manners == Manners::Wild || lent.layout == 2)
    {
        return fields.insert(place, lent);
    }
    if fields.is_empty() {
        return;
    }
    let at = dice.below(fields.len());
    let polite = 8;
    match dice.below(if manners == Manners::Wild { 20 } else { polite }) {
        0 => fields.insert(place, fields[at].clone()),
        1 => drop(fields.remove(at)),
        2 => {
            let to = dice.below(fields.len());
            fields.swap(at, to);
        }
        3 => split(fields, at, dice),
        4 => {
            // Once more, with some of its fields: what protobuf merges.
            let mut again = fields[at].clone();
            if let Value::Message(inner) = &mut again.value {
                inner.retain(|_| !dice.one_in(2));
            }
            fields.insert(place, again);
        }
        5 => {
            if let Value::Bytes(bytes) = &mut fields[at].value {
                *bytes = WORDS[dice.below(WORDS.len())].into();
            }
        }
        6 => {
            let number = 21 + u32::try_from(dice.below(1000)).unwrap();
            fields.insert(place, delimiter(number, Value::Bytes(b"unknown".to_vec())));
        }
        7 => {
            let unknown = fields[at].clone();
            fields.insert(place, group(99, vec![unknown]));
        }
        8 => fields[at].number = u32::try_from(1 + dice.below(14)).unwrap(),
        9 => fields[at].number = [0, 1 << 29, (1 << 29) - 1, u32::MAX][dice.below(4)],
        10 => fields[at].layout = u8::try_from(dice.below(8)).unwrap(),
        11 => fields[at].lie = [-1, 1, 2, -2, 100, i64::MAX, i64::MIN][dice.below(7)],
        12 => fields[at].padding = 1 + dice.below(10),
        13 => {
            fields[at].value = Value::Varint([0, 1, 127, 128, 1 << 32, u64::MAX][dice.below(6)]);
            fields[at].layout = 0;
        }
        14 => {
            let (length, layout) = [(8, 1), (4, 5), (7, 1), (3, 5)][dice.below(4)];
            fields[at].value = Value::Fixed(vec![0xff; length]);
            fields[at].layout = layout;
        }
        15 => {
            let depth = 85 + dice.below(25);
            let number = u32::try_from(1 + dice.below(14)).unwrap();
            fields.insert(place, (0..depth).fold(group(1, vec![]), |inner, _| group(number, vec![inner])));
        }
        16 => {
            let depth = 35 + dice.below(20);
            fields.insert(place, deep(depth, dice));
        }
        17 => {
            if let Value::Bytes(bytes) = &mut fields[at].value {
                let into = dice.below(bytes.len() + 1);
                let bad: [&[u8]; 4] = [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"];
                bytes.splice(into..into, bad[dice.below(4)].iter().copied());
            }
        }
        18 => {
            // Another kind of a oneof, often.
            let number = u32::try_from(1 + dice.below(6)).unwrap();
            fields.insert(place, Field { number, layout: 0, value: Value::Varint(1), lie: 0, padding: 0 });
        }
        _ => fields[at].value = Value::Bytes(Vec::new()),
    }
}

/// Any field of a message, at any depth.
fn lend(from: &[Field], dice: &mut Dice) -> Option<Field> {
    let mut fields = from;
    loop {
        let field = fields.get(dice.below(fields.len().max(1)))?;
        match &field.value {
            Value::Message(inner) if !inner.is_empty() && !dice.one_in(4) => fields = inner,
            _ => return Some(field.clone()),
        }
    }
}

/// One message in two pieces.
fn split(fields: &mut Vec<Field>, at: usize, dice: &mut Dice) {
    let mut rest = fields[at].clone();
    let Value::Message(inner) = &mut fields[at].value else { return };
    let half = dice.below(inner.len() + 1);
    inner.truncate(half);
    if let Value::Message(second) = &mut rest.value {
        second.drain(..half);
    }
    let to = at + 1 + dice.below(fields.len() - at);
    fields.insert(to, rest);
}

/// `google.protobuf.Value`s in one another, lists and objects: near the limit of nesting.
fn deep(depth: usize, dice: &mut Dice) -> Field {
    let leaf = match dice.below(3) {
        0 => Field { number: 4, layout: 0, value: Value::Varint(1), lie: 0, padding: 0 },
        1 => delimiter(3, Value::Bytes(b"leaf".to_vec())),
        _ => delimiter(77, Value::Bytes(b"unknown".to_vec())),
    };
    (0..depth).fold(leaf, |inner, _| {
        let value = |number| delimiter(number, Value::Message(vec![inner.clone()]));
        if dice.one_in(3) {
            let key = delimiter(1, Value::Bytes(b"resources".to_vec()));
            delimiter(5, Value::Message(vec![delimiter(1, Value::Message(vec![key, value(2)]))]))
        } else {
            delimiter(6, Value::Message(vec![value(1)]))
        }
    })
}

/// Changes bytes, whatever they stand for.
pub(super) fn scramble(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.below(bytes.len());
    match dice.below(5) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
        2 => bytes.truncate(at),
        3 => drop(bytes.remove(at)),
        _ => bytes.insert(at, u8::try_from(dice.below(256)).unwrap()),
    }
}
