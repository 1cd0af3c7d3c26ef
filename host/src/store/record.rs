//! What is kept of a task that ended.

use crate::run::files::Stamp;
use serde::{Deserialize, Serialize};

/// The end of a task.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Record {
    pub(crate) outcome: Outcome,
    /// The content hash that it ran with.
    pub(crate) key: u64,
    /// What the content hash was made of, to name what changed.
    pub(crate) parts: Parts,
    /// How many tries it took in that run.
    pub(crate) tries: u32,
    /// How the last try ended, for people: `exit code 1`.
    pub(crate) reason: String,
    /// How long the last try took.
    pub(crate) duration_ns: u64,
    /// When it ended, in milliseconds since 1970.
    pub(crate) ended_ms: u64,
    /// The number of the run.
    pub(crate) run: u64,
    /// Whether there is an entry in `outputs`.
    pub(crate) output: bool,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The command succeeded and its outputs were there.
    Done,
    /// No try succeeded: a dead letter.
    Dead,
}

/// What the content hash of a task is made of.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Parts {
    pub(crate) command: String,
    /// Name and hash of the value; values may be secret. `None`: not set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) env: Vec<(String, Option<u64>)>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) dir: String,
    /// Path and content hash of each input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) inputs: Vec<(String, u64)>,
    /// Name and digest of each need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) needs: Vec<(String, u64)>,
}

pub(super) fn pack(stamp: &Stamp, hash: u64) -> [u8; 48] {
    let words = [stamp.device, stamp.inode, stamp.size, stamp.modified_ns, stamp.changed_ns, hash];
    let mut bytes = [0; 48];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

pub(super) fn unpack(bytes: &[u8; 48]) -> (Stamp, u64) {
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at * 8..at * 8 + 8]);
        u64::from_le_bytes(word)
    };
    let stamp =
        Stamp { device: word(0), inode: word(1), size: word(2), modified_ns: word(3), changed_ns: word(4) };
    (stamp, word(5))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::store) fn record() -> Record {
        Record {
            outcome: Outcome::Done,
            key: u64::MAX,
            parts: Parts { command: "true".into(), env: vec![("A".into(), None)], ..Parts::default() },
            tries: 2,
            reason: "exit code 0".into(),
            duration_ns: 5,
            ended_ms: 6,
            run: 1,
            output: true,
        }
    }

    #[test]
    fn a_stamp_survives_packing() {
        let stamp = Stamp { device: 1, inode: u64::MAX, size: 3, modified_ns: 4, changed_ns: 5 };
        assert_eq!(unpack(&pack(&stamp, 6)), (stamp, 6));
    }

    #[test]
    fn a_record_keeps_every_bit_of_its_key() {
        let bytes = serde_json::to_vec(&record()).unwrap();
        assert_eq!(serde_json::from_slice::<Record>(&bytes).unwrap(), record());
    }
}
