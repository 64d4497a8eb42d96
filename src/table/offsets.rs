//! The parser counts characters; places are bytes.

/// A text whose characters can be found by number.
pub(super) struct Offsets<'a> {
    text: &'a str,
    /// The byte of every 256th character, unless all characters are one byte.
    marks: Vec<usize>,
}

const STRIDE: usize = 256;

impl<'a> Offsets<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(STRIDE).map(|(byte, _)| byte).collect()
        };
        Self { text, marks }
    }

    /// The byte at which a character begins; past the end, the end.
    pub(super) fn byte(&self, character: usize) -> usize {
        if self.marks.is_empty() {
            return character.min(self.text.len());
        }
        let Some(mark) = self.marks.get(character / STRIDE) else { return self.text.len() };
        let rest = self.text.get(*mark..).unwrap_or_default();
        rest.char_indices().nth(character % STRIDE).map_or(self.text.len(), |(byte, _)| mark + byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_a_long_text_is_found() {
        for text in ["é".repeat(1000), "aé漢😀".repeat(300), "plain".repeat(200), String::new()] {
            let offsets = Offsets::new(&text);
            for (number, (byte, _)) in text.char_indices().enumerate() {
                assert_eq!(offsets.byte(number), byte);
            }
            assert_eq!(offsets.byte(text.chars().count()), text.len());
            assert_eq!(offsets.byte(usize::MAX), text.len());
        }
    }
}
