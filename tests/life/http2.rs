//! HTTP/2 by hand (RFC 9113), for clients that no library would let us be.

use std::io::{self, Read, Write};

use prost::Message as _;

use crate::support::call::Call;

pub(crate) const DATA: u8 = 0x0;
pub(crate) const HEADERS: u8 = 0x1;
pub(crate) const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
pub(crate) const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;
pub(crate) const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const ACK: u8 = 0x1;

/// One frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The preface of a client whose streams take `window` bytes of answer each, and whose connection takes any number.
pub(crate) fn preface(window: u32) -> Vec<u8> {
    let initial_window_size = [&[0, 4][..], &window.to_be_bytes()].concat();
    let much = (i32::MAX as u32 - 65_535).to_be_bytes();
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(SETTINGS, 0, 0, &initial_window_size),
        frame(WINDOW_UPDATE, 0, 0, &much),
    ]
    .concat()
}

/// The headers of a Check, in literals without indexing (RFC 7541 §6.2.2), with these flags besides.
pub(crate) fn open(flags: u8, stream: u32) -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "credence"),
        (":path", "/envoy.service.auth.v3.Authorization/Check"),
        ("content-type", "application/grpc"),
    ];
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect();
    frame(HEADERS, END_HEADERS | flags, stream, &block)
}

/// A whole Check.
pub(crate) fn ask(stream: u32, call: &Call) -> Vec<u8> {
    let message = call.message().encode_to_vec();
    let body = [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat();
    [open(0, stream), frame(DATA, END_STREAM, stream, &body)].concat()
}

/// The client takes it back.
pub(crate) fn cancel(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

/// The streams of a client: 1, 3, 5…
pub(crate) fn streams(count: usize) -> impl Iterator<Item = u32> {
    (1..).step_by(2).take(count)
}

/// What is read: kind, flags, stream.
pub(crate) type Seen = (u8, u8, u32);

/// Reads frames until `enough`, and answers what a living client has to answer.
pub(crate) fn read_until(stream: &mut (impl Read + Write), mut enough: impl FnMut(Seen) -> bool) -> io::Result<()> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload)?;
        match (head[3], head[4]) {
            (SETTINGS, 0) => stream.write_all(&frame(SETTINGS, ACK, 0, &[]))?,
            (PING, 0) => stream.write_all(&frame(PING, ACK, 0, &payload))?,
            _ => {}
        }
        if enough((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]))) {
            return Ok(());
        }
    }
}
