//! What a client says to Postgres, as far as a test needs it: which statements ran in the transaction that is about to
//! be committed. Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol".

use std::collections::HashMap;

/// One connection's words, from its start.
#[derive(Default)]
pub(super) struct Talk {
    buffer: Vec<u8>,
    /// The first message has no type.
    started: bool,
    /// Text of prepared statements, by name.
    prepared: HashMap<Vec<u8>, String>,
    /// The prepared statement that is executed next.
    bound: Vec<u8>,
    in_transaction: bool,
    /// What ran since the last commit.
    run: Vec<String>,
}

impl Talk {
    /// Where more of what the client says is to be put.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// The next whole message, and whether it makes what ran before it durable.
    pub(super) fn next(&mut self) -> Option<(Vec<u8>, bool)> {
        let head = usize::from(self.started);
        let length = self.buffer.get(head..head + 4)?;
        let length = head + u32::from_be_bytes(length.try_into().unwrap()) as usize;
        if self.buffer.len() < length {
            return None;
        }
        let message: Vec<u8> = self.buffer.drain(..length).collect();
        let commits = self.started && self.hear(message[0], &message[5..]);
        self.started = true;
        Some((message, commits))
    }

    fn hear(&mut self, kind: u8, body: &[u8]) -> bool {
        match kind {
            // Parse: name, text.
            b'P' => {
                let (name, rest) = word(body);
                let text = String::from_utf8_lossy(word(rest).0).into_owned();
                self.prepared.insert(name.to_vec(), text);
            }
            // Bind: portal, name.
            b'B' => self.bound = word(word(body).1).0.to_vec(),
            b'E' => self.run.extend(self.prepared.get(&self.bound).cloned()),
            b'Q' => return self.query(&String::from_utf8_lossy(word(body).0)),
            // Sync: outside of a transaction what was executed is committed with it.
            b'S' => return !self.in_transaction && !self.run.is_empty(),
            _ => {}
        }
        false
    }

    fn query(&mut self, text: &str) -> bool {
        match text.trim().to_ascii_uppercase().as_str() {
            "BEGIN" => {
                self.in_transaction = true;
                self.run.clear();
            }
            "ROLLBACK" => {
                self.in_transaction = false;
                self.run.clear();
            }
            "COMMIT" => {
                self.in_transaction = false;
                return true;
            }
            _ => {
                self.run.push(text.to_owned());
                return !self.in_transaction;
            }
        }
        false
    }

    /// Whether a statement that contains the text ran since the last commit.
    pub(super) fn has_run(&self, text: &str) -> bool {
        self.run.iter().any(|statement| statement.contains(text))
    }

    /// The commit has happened.
    pub(super) fn forget(&mut self) {
        self.run.clear();
    }
}

/// Up to the next zero byte, and what comes behind it.
fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

/// Whether the server's words end with ReadyForQuery.
pub(super) fn is_ready(words: &[u8]) -> bool {
    matches!(words, [.., b'Z', 0, 0, 0, 5, _])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind], &length.to_be_bytes()[..], body].concat()
    }

    /// What commits, with what ran in it; each word comes byte by byte.
    fn commits(words: &[(u8, &[u8])]) -> Vec<Vec<String>> {
        let mut talk = Talk::default();
        let mut found = Vec::new();
        let start = [&8u32.to_be_bytes()[..], &[0, 3, 0, 0]].concat();
        let words = words.iter().map(|(kind, body)| message(*kind, body));
        for byte in std::iter::once(start).chain(words).flatten() {
            talk.buffer().push(byte);
            while let Some((_, commits)) = talk.next() {
                if commits {
                    found.push(talk.run.clone());
                    talk.forget();
                }
            }
        }
        found
    }

    /// A message's letter and content.
    type Part = (u8, &'static [u8]);

    #[test]
    fn a_commit_is_known_with_its_statements() {
        let parse: (u8, &[u8]) = (b'P', b"one\0insert into events\0\0\0");
        let (bind, execute, sync): (Part, Part, Part) = ((b'B', b"\0one\0"), (b'E', b"\0\0\0\0\0"), (b'S', b""));
        let (begin, commit, rollback): (Part, Part, Part) =
            ((b'Q', b"BEGIN\0"), (b'Q', b"COMMIT\0"), (b'Q', b"ROLLBACK\0"));
        let inserted = vec!["insert into events".to_owned()];
        let alone = commits(&[parse, sync, bind, execute, sync, bind, execute, sync]);
        assert_eq!(alone, [inserted.clone(), inserted.clone()]);
        let within = commits(&[begin, parse, bind, execute, sync, commit, begin, commit]);
        assert_eq!(within, [inserted.clone(), vec![]]);
        let rolled_back = commits(&[begin, parse, bind, execute, sync, rollback, begin, (b'Q', b"select 1\0"), commit]);
        assert_eq!(rolled_back, [["select 1".to_owned()]]);
    }

    #[test]
    fn ready_is_seen_at_the_end() {
        assert!(is_ready(b"C\0\0\0\x0bCOMMIT\0Z\0\0\0\x05I"));
        assert!(!is_ready(b"Z\0\0\0\x05"));
        assert!(!is_ready(b""));
    }
}
