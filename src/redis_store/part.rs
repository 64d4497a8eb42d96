//! The parts into which ids fall: one where there is one primary, sixteen in a cluster.

use crate::replay::Claim;

/// What every key begins with.
const PREFIX: &str = "credence:replay:";

/// The hash tags of a cluster's parts. Their slots lie a sixteenth of all apart, so that every master of up to sixteen has
/// some. They never change: a token that fell to another part would be new there.
const TAGS: [&str; 16] =
    ["04s", "003", "pt6", "4x6", "0ay", "0e9", "4mt", "4i4", "265", "22u", "c0h", "6zp", "gio", "od7", "6o2", "6kr"];

/// One part. All of its keys lie in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    tag: Option<&'static str>,
}

impl Part {
    /// All of them, in the order of [`Part::of`].
    pub(super) fn all(cluster: bool) -> Vec<Self> {
        if cluster { TAGS.into_iter().map(|tag| Self { tag: Some(tag) }).collect() } else { vec![Self { tag: None }] }
    }

    /// The number of the part to which a token falls, of so many.
    pub(super) fn of(claim: &Claim, parts: usize) -> usize {
        usize::from(claim.lot()) % parts.max(1)
    }

    /// Whether it is one of a cluster's.
    pub(super) const fn is_of_cluster(self) -> bool {
        self.tag.is_some()
    }

    /// The key of this name in it.
    pub(super) fn key(self, name: &str) -> String {
        match self.tag {
            Some(tag) => format!("{PREFIX}{{{tag}}}:{name}"),
            None => format!("{PREFIX}{name}"),
        }
    }

    /// A key that nobody sets: to ask for it tells whose the slot is, and whether it is on its way to another node.
    pub(super) fn nothing(self) -> String {
        self.key("nothing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-16/XMODEM, by which a cluster finds the slot of a key.
    fn slot(tag: &str) -> u16 {
        let step = |crc: u16| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        let byte = |crc: u16, byte: u8| (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| step(crc));
        tag.bytes().fold(0, byte) % 16_384
    }

    #[test]
    fn the_slots_of_the_parts_lie_evenly() {
        assert_eq!(slot("123456789"), 0x31C3);
        let slots: Vec<_> = TAGS.iter().map(|tag| slot(tag)).collect();
        assert_eq!(slots, (0..16).map(|part| part * 1024 + 512).collect::<Vec<_>>());
    }

    #[test]
    fn the_keys_of_a_part_share_its_slot_and_without_a_cluster_need_none() {
        assert_eq!(Part::all(false).iter().map(|part| part.key("x")).collect::<Vec<_>>(), ["credence:replay:x"]);
        assert_eq!(Part::all(true).first().unwrap().key("x"), "credence:replay:{04s}:x");
    }
}
