//! Envoy Gateway's names of its routes, in `route_metadata_context`.
//!
//! The metadata is a `google.protobuf.Struct`, a tree of any depth. All of it is checked once, as it goes by; only what
//! is asked for is read then, from bytes that are known to be sound.

use super::scan::Scan;
use crate::reason::Reason;
use crate::request::Route;

/// The namespace of `route_metadata_context` in which Envoy Gateway names its routes.
const ENVOY_GATEWAY: &str = "envoy-gateway";

/// Checks a `Metadata` and keeps its last entry for Envoy Gateway, which replaces an earlier one.
pub(super) fn metadata<'a>(mut scan: Scan<'a>, gateway: &mut Option<Scan<'a>>) -> Result<(), Reason> {
    while let Some(field) = scan.field()? {
        match field.number {
            1 => {
                let entry = scan.entry()?;
                if checked_entry(entry, check_struct)? == ENVOY_GATEWAY {
                    *gateway = Some(entry);
                }
            }
            _ => scan.skip(field)?,
        }
    }
    Ok(())
}

/// `resources[]` of an entry that [`metadata`] kept: what has a namespace and a name is a route, all else says nothing.
pub(super) fn routes(gateway: Scan<'_>) -> Result<Vec<Route<'_>>, Reason> {
    let (_, object) = entry(gateway)?;
    let Some(Kind::List(list)) = member(&object, "resources")? else { return Ok(Vec::new()) };
    let mut routes = Vec::new();
    for mut scan in list.iter() {
        while let Some(field) = scan.field()? {
            match field.number {
                1 => routes.extend(route(&Pieces::of(scan.message(field)?))?),
                _ => scan.skip(field)?,
            }
        }
    }
    Ok(routes)
}

fn route<'a>(value: &Pieces<'a>) -> Result<Option<Route<'a>>, Reason> {
    let Kind::Struct(resource) = kind(value)? else { return Ok(None) };
    let (namespace, name) = (member(&resource, "namespace")?, member(&resource, "name")?);
    let (Some(Kind::Text(namespace)), Some(Kind::Text(name))) = (namespace, name) else { return Ok(None) };
    Ok(Some(Route { namespace, name }))
}

/// Checks a map entry whose values are checked by `check`; returns its key.
fn checked_entry<'a>(mut scan: Scan<'a>, check: fn(Scan<'a>) -> Result<(), Reason>) -> Result<&'a str, Reason> {
    let mut key = "";
    while let Some(field) = scan.field()? {
        match field.number {
            1 => key = scan.text(field)?,
            2 => check(scan.message(field)?)?,
            _ => scan.skip(field)?,
        }
    }
    Ok(key)
}

fn check_struct(mut scan: Scan<'_>) -> Result<(), Reason> {
    while let Some(field) = scan.field()? {
        match field.number {
            1 => _ = checked_entry(scan.entry()?, check_value)?,
            _ => scan.skip(field)?,
        }
    }
    Ok(())
}

fn check_value(mut scan: Scan<'_>) -> Result<(), Reason> {
    while let Some(field) = scan.field()? {
        match field.number {
            1 | 4 => scan.number(field)?,
            2 => scan.double(field)?,
            3 => _ = scan.text(field)?,
            5 => check_struct(scan.message(field)?)?,
            6 => check_list(scan.message(field)?)?,
            _ => scan.skip(field)?,
        }
    }
    Ok(())
}

fn check_list(mut scan: Scan<'_>) -> Result<(), Reason> {
    while let Some(field) = scan.field()? {
        match field.number {
            1 => check_value(scan.message(field)?)?,
            _ => scan.skip(field)?,
        }
    }
    Ok(())
}

/// One message in the pieces it came in: of a message field that is repeated, the pieces together are the value.
#[derive(Default)]
struct Pieces<'a> {
    first: Option<Scan<'a>>,
    /// Nobody writes more than one piece, but all may.
    more: Vec<Scan<'a>>,
}

impl<'a> Pieces<'a> {
    const fn of(piece: Scan<'a>) -> Self {
        Self { first: Some(piece), more: Vec::new() }
    }

    fn push(&mut self, piece: Scan<'a>) {
        match self.first {
            None => self.first = Some(piece),
            Some(_) => self.more.push(piece),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Scan<'a>> {
        self.first.iter().chain(&self.more).copied()
    }
}

/// What a `google.protobuf.Value` is, as far as routes are told in it.
enum Kind<'a> {
    Text(&'a str),
    Struct(Pieces<'a>),
    List(Pieces<'a>),
    Other,
}

/// The last of a value's kinds stands; of one kind in succession, pieces join.
fn kind<'a>(value: &Pieces<'a>) -> Result<Kind<'a>, Reason> {
    let mut kind = Kind::Other;
    for mut scan in value.iter() {
        while let Some(field) = scan.field()? {
            match (field.number, &mut kind) {
                (3, _) => kind = Kind::Text(scan.text(field)?),
                (5, Kind::Struct(pieces)) | (6, Kind::List(pieces)) => pieces.push(scan.message(field)?),
                (5, _) => kind = Kind::Struct(Pieces::of(scan.message(field)?)),
                (6, _) => kind = Kind::List(Pieces::of(scan.message(field)?)),
                (number, _) => {
                    if matches!(number, 1 | 2 | 4) {
                        kind = Kind::Other;
                    }
                    scan.skip(field)?;
                }
            }
        }
    }
    Ok(kind)
}

/// The member of a `Struct` with this name: its last entry.
fn member<'a>(object: &Pieces<'a>, name: &str) -> Result<Option<Kind<'a>>, Reason> {
    let mut found = None;
    for mut scan in object.iter() {
        while let Some(field) = scan.field()? {
            match field.number {
                1 => {
                    let (key, value) = entry(scan.entry()?)?;
                    if key == name {
                        found = Some(value);
                    }
                }
                _ => scan.skip(field)?,
            }
        }
    }
    found.map(|value| kind(&value)).transpose()
}

/// Key and value of a map entry.
fn entry(mut scan: Scan<'_>) -> Result<(&str, Pieces<'_>), Reason> {
    let (mut key, mut value) = ("", Pieces::default());
    while let Some(field) = scan.field()? {
        match field.number {
            1 => key = scan.text(field)?,
            2 => value.push(scan.message(field)?),
            _ => scan.skip(field)?,
        }
    }
    Ok((key, value))
}
