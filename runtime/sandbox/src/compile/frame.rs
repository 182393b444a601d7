//! What parent and child say to each other through the child's pipes.

use std::io::{self, Read};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::CompileLimits;

/// Changes with the format, so that another build's child is not misunderstood.
const MAGIC: &[u8; 8] = b"hoopoe/1";
/// Bytes of a question before the Wasm.
const HEADER: usize = 8 + 1 + 8 + 8 + 8 + 32;
/// Bytes of an answer besides its payload: tag and kind.
pub(super) const ANSWER_HEADER: usize = TAG + 1;
const TAG: usize = 32;

/// What a child is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Core module to component.
    Componentize,
    /// Component to machine code.
    Compile,
}

/// All but the Wasm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) task: Task,
    pub(super) limits: CompileLimits,
    /// Known to this question's parent and child only.
    pub(super) key: [u8; 32],
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// A component, or machine code.
    Done(Vec<u8>),
    /// What is wrong with the plugin.
    Wrong(String),
}

impl Question {
    /// The bytes before the Wasm. The limit of time by the clock is the parent's.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(MAGIC);
        bytes.push(match self.task {
            Task::Componentize => 0,
            Task::Compile => 1,
        });
        bytes.extend_from_slice(&self.limits.memory_bytes.to_le_bytes());
        bytes.extend_from_slice(&seconds(self.limits.cpu).to_le_bytes());
        bytes.extend_from_slice(&(self.limits.output_bytes as u64).to_le_bytes());
        bytes.extend_from_slice(&self.key);
        bytes
    }

    /// Read the header, and nothing behind it.
    pub(super) fn read(input: &mut impl Read) -> io::Result<Question> {
        let mut bytes = [0; HEADER];
        let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let read = input.read_exact(&mut bytes);
        if read.is_err() || &bytes[..8] != MAGIC {
            return Err(invalid("this command is for the runtime's own use: it reads a question from its parent"));
        }
        let task = match bytes[8] {
            0 => Task::Componentize,
            1 => Task::Compile,
            _ => return Err(invalid("an unknown task")),
        };
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|place| bytes[at + place]));
        let output_bytes = usize::try_from(number(25)).unwrap_or(usize::MAX);
        let cpu = Duration::from_secs(number(17));
        let limits = CompileLimits { memory_bytes: number(9), cpu, wall: cpu, output_bytes };
        Ok(Question { task, limits, key: std::array::from_fn(|place| bytes[33 + place]) })
    }
}

impl Answer {
    /// Tag, kind and payload.
    pub(super) fn seal(self, key: &[u8; 32]) -> Vec<u8> {
        let (kind, payload) = match self {
            Answer::Done(bytes) => (0, bytes),
            Answer::Wrong(text) => (1, text.into_bytes()),
        };
        let tag = mac(key, kind, &payload).finalize().into_bytes();
        let mut bytes = Vec::with_capacity(ANSWER_HEADER + payload.len());
        bytes.extend_from_slice(&tag);
        bytes.push(kind);
        bytes.extend_from_slice(&payload);
        bytes
    }

    /// `None` when the answer is not whole, or not to the question with this key.
    pub(super) fn open(mut bytes: Vec<u8>, key: &[u8; 32]) -> Option<Answer> {
        let (tag, rest) = bytes.split_at_checked(TAG)?;
        let (kind, payload) = rest.split_first()?;
        mac(key, *kind, payload).verify_slice(tag).ok()?;
        let kind = *kind;
        bytes.drain(..ANSWER_HEADER);
        match kind {
            0 => Some(Answer::Done(bytes)),
            _ => Some(Answer::Wrong(String::from_utf8_lossy(&bytes).into_owned())),
        }
    }
}

/// Whole seconds, rounded up, at least 1.
pub(super) fn seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

fn mac(key: &[u8; 32], kind: u8, payload: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(&[kind]);
    mac.update(payload);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_as_it_was_written() {
        let cpu = Duration::from_millis(1500);
        let limits = CompileLimits { memory_bytes: 7 << 30, cpu, wall: cpu, output_bytes: 99 };
        let question = Question { task: Task::Compile, limits, key: [5; 32] };
        let mut bytes = question.header();
        bytes.extend_from_slice(b"wasm");
        let mut input = bytes.as_slice();
        let read = Question::read(&mut input).expect("it is a question");
        let whole = Duration::from_secs(2);
        assert_eq!(read, Question { limits: CompileLimits { cpu: whole, wall: whole, ..limits }, ..question });
        assert_eq!(input, b"wasm");
        assert!(Question::read(&mut [0; HEADER].as_slice()).is_err());
        assert!(Question::read(&mut b"hoopoe/1".as_slice()).is_err());
    }

    #[test]
    fn an_answer_is_whole_and_to_its_question() {
        for answer in [Answer::Done(vec![1, 2, 3]), Answer::Wrong("too wide".to_owned())] {
            let sealed = answer.clone().seal(&[1; 32]);
            assert_eq!(Answer::open(sealed.clone(), &[1; 32]), Some(answer));
            assert_eq!(Answer::open(sealed.clone(), &[2; 32]), None);
            for place in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[place] ^= 1;
                assert_eq!(Answer::open(changed, &[1; 32]), None, "byte {place}");
                assert_eq!(Answer::open(sealed[..place].to_vec(), &[1; 32]), None, "cut at {place}");
            }
        }
    }
}
