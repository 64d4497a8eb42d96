//! Protobuf's rules for fields that stand more than once, each by itself; `prost` has to agree with every case.

use prost::Message;

use super::reference;
use crate::proto::envoy::service::auth::v3::CheckRequest;
use crate::request::{AuthzRequest, Route};
use crate::wire::question::read;

/// A field with a length.
fn field(number: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::bytes::encode(number, &value.as_ref().to_vec(), &mut bytes);
    bytes
}

/// An entry of a map.
fn entry(number: u32, key: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    field(number, [field(1, key), field(2, value)].concat())
}

/// A whole question around fields of its `HttpRequest`.
fn http(fields: &[Vec<u8>]) -> Vec<u8> {
    field(1, field(4, field(2, fields.concat())))
}

/// A whole question around fields of its `AttributeContext`, with an empty `HttpRequest`.
fn context(fields: &[Vec<u8>]) -> Vec<u8> {
    [http(&[]), field(1, fields.concat())].concat()
}

/// A whole question with these members of Envoy Gateway's metadata.
fn gateway(members: &[Vec<u8>]) -> Vec<u8> {
    context(&[field(13, entry(1, "envoy-gateway", members.concat()))])
}

/// Both readers read the same.
fn facts(bytes: &[u8]) -> AuthzRequest<'_> {
    let ours = read(bytes, None).unwrap();
    let message = CheckRequest::decode(bytes).unwrap();
    assert_eq!(ours, reference::facts(&message, None).unwrap());
    ours
}

/// `Value`s.
fn text(text: &str) -> Vec<u8> {
    field(3, text)
}

fn route(namespace: &[u8], name: &[u8]) -> Vec<u8> {
    field(5, [entry(1, "namespace", namespace), entry(1, "name", name)].concat())
}

#[test]
fn of_text_the_last_stands() {
    assert_eq!(facts(&http(&[field(2, "GET"), field(2, "POST"), field(2, "")])).method, "");
    assert_eq!(facts(&http(&[field(4, "/a"), field(4, "/b")])).target, "/b");
}

#[test]
fn a_message_in_pieces_is_all_of_them() {
    let bytes = [http(&[field(2, "GET"), field(4, "/a")]), http(&[field(4, "/b"), entry(3, "a", "1")])].concat();
    let facts = facts(&bytes);
    assert_eq!((facts.method, facts.target, facts.headers.first("a")), ("GET", "/b", Some("1")));
}

#[test]
fn of_a_map_the_last_entry_of_a_name_stands_and_within_an_entry_the_last_key_and_value() {
    let twice = field(3, [field(1, "x"), field(2, "1"), field(2, "2"), field(1, "b")].concat());
    let bytes = http(&[entry(3, "a", "1"), twice, entry(3, "a", "2"), field(3, "")]);
    let facts = facts(&bytes);
    assert_eq!(facts.headers.names().collect::<Vec<_>>(), ["", "a", "b"]);
    assert_eq!((facts.headers.first("a"), facts.headers.first("b")), (Some("2"), Some("2")));
}

#[test]
fn a_socket_in_pieces_is_one_until_a_pipe_comes_between() {
    let socket = |fields: &[Vec<u8>]| field(1, field(1, field(1, fields.concat())));
    let pipe = field(1, field(1, field(2, field(1, "/run/a.sock"))));
    let port = vec![0x18, 0x50];
    let address = |pieces: &[Vec<u8>]| facts(&context(pieces)).source_address.map(str::to_owned);
    let known = socket(&[field(2, "192.0.2.7")]);
    assert_eq!(address(&[known.clone(), socket(std::slice::from_ref(&port))]).as_deref(), Some("192.0.2.7"));
    assert_eq!(address(&[known.clone(), pipe.clone()]), None);
    assert_eq!(address(&[known, pipe, socket(&[port])]), None);
}

#[test]
fn of_a_value_the_last_kind_stands_and_pieces_of_one_kind_join() {
    let cart = Route { namespace: "shop", name: "cart" };
    let resources = |value: &[u8]| gateway(&[entry(1, "resources", value)]);
    let list = |values: &[Vec<u8>]| field(6, values.iter().flat_map(|value| field(1, value)).collect::<Vec<_>>());
    let routes = |value: &[u8]| facts(&resources(value)).routes.len();
    let good = route(&text("shop"), &text("cart"));
    assert_eq!(facts(&resources(&list(std::slice::from_ref(&good)))).routes, [cart]);
    let one = list(std::slice::from_ref(&good));
    assert_eq!(routes(&[one.clone(), one.clone()].concat()), 2, "two pieces of one list");
    for other in [vec![0x08, 0x00], [&[0x11][..], &[0; 8]].concat(), text("x"), vec![0x20, 0x01], field(5, "")] {
        assert_eq!(routes(&[one.clone(), other.clone(), one.clone()].concat()), 1, "{other:?} between");
        assert_eq!(routes(&[one.clone(), other.clone()].concat()), 0, "{other:?} behind");
        let name = [text("cart"), other].concat();
        assert_eq!(routes(&list(&[route(&text("shop"), &name)])), usize::from(name.ends_with(b"x")), "{name:?}");
    }
    let unknown = field(9, "unknown");
    assert_eq!(routes(&[one, unknown].concat()), 1, "an unknown field is no kind");
    let halves = [field(5, entry(1, "namespace", text("shop"))), field(5, entry(1, "name", text("cart")))].concat();
    assert_eq!(routes(&list(&[halves])), 1, "two pieces of one object");
}

#[test]
fn of_a_struct_the_last_member_of_a_name_stands() {
    let list = field(6, field(1, route(&text("shop"), &text("cart"))));
    let members = [entry(1, "resources", text("x")), entry(1, "resources", &list)];
    assert_eq!(facts(&gateway(&members)).routes.len(), 1);
    let members = [entry(1, "resources", &list), entry(1, "resources", text("x"))];
    assert_eq!(facts(&gateway(&members)).routes.len(), 0);
    // A later entry for the gateway replaces an earlier one; two pieces within one entry join.
    let twice = [gateway(&[entry(1, "resources", &list)]), gateway(&[])].concat();
    assert_eq!(facts(&twice).routes.len(), 0);
    let pieces = [field(2, ""), field(2, entry(1, "resources", &list)), field(1, "envoy-gateway"), field(2, "")];
    assert_eq!(facts(&context(&[field(13, field(1, pieces.concat()))])).routes.len(), 1);
}
