//! What a file says of its kind, found without building the tree of the whole file.

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{SourceFile, Type};

/// The first `kind` of the outermost map, if it is a string. Reads no further than it must: what is wrong behind it is
/// told by whoever reads the file whole.
pub(super) fn kind_of(file: &SourceFile) -> Option<String> {
    let mut parser = Parser::new_from_str(file.text());
    let mut depth = 0_usize;
    // Of the outermost map: how many keys and values have begun, and whether the last key was `kind`.
    let (mut begun, mut named) = (0_usize, false);
    loop {
        let (event, _) = parser.next_event()?.ok()?;
        match event {
            Event::SequenceStart(..) if depth == 0 => return None,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            Event::Scalar(..) | Event::Alias(_) | Event::SequenceStart(..) | Event::MappingStart(..) => {
                let (outermost, is_key) = (depth == 1, begun.is_multiple_of(2));
                depth += usize::from(matches!(event, Event::SequenceStart(..) | Event::MappingStart(..)));
                if !outermost {
                    continue;
                }
                begun += 1;
                let word = word(event);
                if !is_key && named {
                    return word;
                }
                named = is_key && word.as_deref() == Some("kind");
            }
            _ => {}
        }
    }
}

/// The text of a string.
fn word(event: Event<'_>) -> Option<String> {
    match event {
        Event::Scalar(text, style, ..) if style != ScalarStyle::Plain || Type::of_plain(&text) == Type::String => {
            Some(text.into_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_the_first_of_the_outermost_map_and_nothing_else() {
        let cases = [
            ("kind: TrustBlocks\n", Some("TrustBlocks")),
            ("a: kind\nb: {kind: no, c: [kind, no]}\n\"kind\": 'TrustTable'\n", Some("TrustTable")),
            ("kind: one\nkind: two\n", Some("one")),
            ("kind: TrustBlocks\nblocks: {a: [}\n", Some("TrustBlocks")),
            ("? [kind, no]\n: kind\nb: no\n", None),
            ("? {kind: no}\n: kind\nkind: yes, it is\n", Some("yes, it is")),
            ("kind: 7\n", None),
            ("kind: [TrustBlocks]\n", None),
            ("kind:\nb: TrustBlocks\n", None),
            ("- kind: TrustBlocks\n", None),
            ("kind\n", None),
            ("", None),
            ("\"kind: TrustBlocks\n", None),
            ("b: {kind: TrustBlocks}\n", None),
        ];
        for (text, kind) in cases {
            assert_eq!(kind_of(&SourceFile::new("trust.yaml", text)).as_deref(), kind, "{text:?}");
        }
    }
}
