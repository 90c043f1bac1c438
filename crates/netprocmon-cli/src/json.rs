//! NDJSON: one object a line, flushed at each line.
//!
//! A reader that went away (`| head -1`) is no failure of ours: the writer says so and the command
//! ends quietly.

use std::io::{self, Write};

use serde::Serialize;

/// Whether anybody still reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The line was taken.
    Reading,
    /// The pipe is broken: stop writing.
    Gone,
}

/// Writes one object and a newline, and flushes. The line goes out in one write where the kernel
/// takes it whole, so that two writers of one pipe do not mix.
pub(crate) fn write_line(out: &mut impl Write, object: &impl Serialize) -> io::Result<Reader> {
    let mut line = serde_json::to_vec(object)?;
    line.push(b'\n');
    write_text(out, &line)
}

/// Writes and flushes; a broken pipe is [`Reader::Gone`], not an error.
pub(crate) fn write_text(out: &mut impl Write, text: &[u8]) -> io::Result<Reader> {
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::Reading),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_line_whatever_is_in_it() {
        let mut out = Vec::new();
        let reader = write_line(&mut out, &["a\nb\u{2028}\"", "\x1b"]).unwrap();
        assert_eq!(reader, Reader::Reading);
        assert_eq!(
            out.iter().position(|&byte| byte == b'\n'),
            Some(out.len() - 1)
        );
        assert!(!out.contains(&0x1b));
    }

    #[test]
    fn a_reader_that_left_is_not_an_error() {
        assert_eq!(write_line(&mut Closed, &1).unwrap(), Reader::Gone);
    }
}
