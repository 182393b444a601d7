//! The compact form: a text of nodes, each a letter, the length of its body in bytes, `:` and the body, which is a text
//! or nodes again. A reader can pass over a node without looking into it.

/// The program is not one that [`compile`](crate::compile) wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the compiled rules cannot be read; save the rule set again")]
pub struct Malformed;

/// Writes nodes.
#[derive(Default)]
pub(crate) struct Writer {
    pub text: String,
}

impl Writer {
    /// A node whose body is a text.
    pub fn leaf(&mut self, tag: char, body: &str) {
        self.text.push(tag);
        self.text.push_str(&body.len().to_string());
        self.text.push(':');
        self.text.push_str(body);
    }

    /// A node of nodes.
    pub fn node<E>(&mut self, tag: char, body: impl FnOnce(&mut Writer) -> Result<(), E>) -> Result<(), E> {
        let mut inner = Writer::default();
        body(&mut inner)?;
        self.leaf(tag, &inner.text);
        Ok(())
    }
}

/// Reads the nodes of a body, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    pub fn new(body: &'a str) -> Self {
        Reader { rest: body }
    }

    /// The next node: its letter and its body.
    pub fn next(&mut self) -> Result<Option<(u8, &'a str)>, Malformed> {
        let bytes = self.rest.as_bytes();
        let Some(&tag) = bytes.first() else { return Ok(None) };
        let mut length = 0_usize;
        let mut at = 1;
        loop {
            match bytes.get(at) {
                Some(digit @ b'0'..=b'9') if length <= 1 << 20 => length = length * 10 + usize::from(digit - b'0'),
                Some(b':') if at > 1 => break,
                _ => return Err(Malformed),
            }
            at += 1;
        }
        let (start, end) = (at + 1, at + 1 + length);
        let body = self.rest.get(start..end).ok_or(Malformed)?;
        self.rest = self.rest.get(end..).ok_or(Malformed)?;
        Ok(Some((tag, body)))
    }

    /// The next node, which has to be there and to have this letter.
    pub fn expect(&mut self, tag: u8) -> Result<&'a str, Malformed> {
        match self.next()? {
            Some((found, body)) if found == tag => Ok(body),
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut writer = Writer::default();
        writer.leaf('a', "");
        let inner = |inner: &mut Writer| {
            inner.leaf('x', "12:34");
            inner.leaf('y', "é\"\n");
            Ok::<(), Malformed>(())
        };
        writer.node('b', inner).unwrap();
        let mut reader = Reader::new(&writer.text);
        assert_eq!(reader.next(), Ok(Some((b'a', ""))));
        let mut inner = Reader::new(reader.expect(b'b').unwrap());
        assert_eq!(inner.next(), Ok(Some((b'x', "12:34"))));
        assert_eq!(inner.expect(b'y'), Ok("é\"\n"));
        assert_eq!((inner.next(), reader.next()), (Ok(None), Ok(None)));
    }

    #[test]
    fn what_was_not_written_is_refused() {
        for text in ["a", "a:", "a1", "a1:", "a2:x", "a-1:x", "a99999999999999999999:x", "1", "a1:é", "é1:x"] {
            let mut reader = Reader::new(text);
            assert_eq!(reader.next(), Err(Malformed), "{text}");
        }
    }
}
