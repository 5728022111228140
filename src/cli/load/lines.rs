//! Reading lines of a bounded length.

use super::source::refused;
use crate::error::Result;
use std::io::{BufRead, Read};

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum LineRead {
    Line,
    /// Longer than allowed; the rest of it was stepped over.
    TooLong,
    End,
}

/// Appends the next line, its break included. At most `bytes_max` bytes of it are ever held.
pub fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>, bytes_max: usize) -> Result<LineRead> {
    let unreadable = |fault| refused("The input cannot be read", &fault);
    // One more for the break.
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let length = reader.by_ref().take(most).read_until(b'\n', line).map_err(unreadable)?;
    if length == 0 {
        return Ok(LineRead::End);
    }
    if length <= bytes_max || line.ends_with(b"\n") {
        return Ok(LineRead::Line);
    }
    loop {
        let ahead = reader.fill_buf().map_err(unreadable)?;
        let break_at = ahead.iter().position(|byte| *byte == b'\n');
        let (step, is_over) = break_at.map_or((ahead.len(), ahead.is_empty()), |position| (position + 1, true));
        reader.consume(step);
        if is_over {
            return Ok(LineRead::TooLong);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_beyond_the_bound_is_stepped_over_and_the_next_one_read() {
        let mut reader = std::io::BufReader::with_capacity(3, &b"12345\n123456\n\n123456789\n1"[..]);
        let mut read = |expected: LineRead, text: &[u8]| {
            let mut line = Vec::new();
            assert_eq!(read_line(&mut reader, &mut line, 5).unwrap(), expected);
            if expected == LineRead::Line {
                assert_eq!(line, text);
            }
        };
        read(LineRead::Line, b"12345\n");
        read(LineRead::TooLong, b"");
        read(LineRead::Line, b"\n");
        read(LineRead::TooLong, b"");
        read(LineRead::Line, b"1");
        read(LineRead::End, b"");
    }
}
