//! A look at a document's text before it is parsed: one pass, nothing allocated, over as soon as a limit is passed.

/// Names, numbers, strings and punctuation. The longest documents of our own tests and front ends have some hundreds.
const MAX_TOKENS: usize = 20_000;
/// Brackets of any kind inside one another: the parser recurses.
const MAX_BRACKETS: usize = 60;
const MAX_DIRECTIVES: usize = 500;

/// What of this document is too much, if anything is.
pub fn check(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let (mut at, mut tokens, mut open, mut directives) = (0, 0, 0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        let length = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += run(&bytes[at..], |b| b != b'\n' && b != b'\r');
                continue;
            }
            b'"' => string(&bytes[at..]),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => {
                run(&bytes[at..], |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')).max(1)
            }
            b'.' => run(&bytes[at..], |b| b == b'.'),
            _ => 1,
        };
        match byte {
            b'{' | b'(' | b'[' => open += 1,
            b'}' | b')' | b']' => open = open.saturating_sub(1),
            b'@' => directives += 1,
            _ => {}
        }
        (at, tokens) = (at + length, tokens + 1);
        if tokens > MAX_TOKENS {
            return Err("The document is too long.");
        }
        if open > MAX_BRACKETS {
            return Err("The document nests too many brackets.");
        }
        if directives > MAX_DIRECTIVES {
            return Err("The document has too many directives.");
        }
    }
    Ok(())
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|b| !belongs(*b)).unwrap_or(bytes.len())
}

/// The length of the string that begins here, to the end of the text when it is not closed.
fn string(bytes: &[u8]) -> usize {
    let block = bytes.starts_with(b"\"\"\"");
    let mut at = if block { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if block && bytes[at..].starts_with(b"\\\"\"\"") => at += 4,
            b'\\' if !block => at += 2,
            b'"' if !block => return at + 1,
            b'"' if bytes[at..].starts_with(b"\"\"\"") => return at + 3,
            b'\n' | b'\r' if !block => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}
