use std::io::{self, Read, Write};

/// More is not sent by the server, and not believed.
const MAX_FILES: u32 = 64;
const MAX_BYTES: u32 = 32 << 20;

/// Files by name; the first is the template.
pub struct Request(pub Vec<(String, Vec<u8>)>);

pub enum Answer {
    Pdf(Vec<u8>),
    /// What is wrong, as JSON.
    Refused(Vec<u8>),
}

impl Answer {
    /// A refusal that no line of the template is to blame for.
    pub fn refused(message: &str) -> Self {
        Self::Refused(serde_json::json!({ "message": message }).to_string().into_bytes())
    }
}

/// None when the other side has closed the pipe between two requests.
pub fn read(input: &mut impl Read) -> io::Result<Option<Request>> {
    let count = match number(input) {
        Ok(count) => count,
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    };
    if count == 0 || count > MAX_FILES {
        return Err(io::Error::other("not a request"));
    }
    let mut files = Vec::new();
    for _ in 0..count {
        let name = String::from_utf8(bytes(input)?).map_err(io::Error::other)?;
        files.push((name, bytes(input)?));
    }
    Ok(Some(Request(files)))
}

pub fn write(output: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let (kind, body) = match answer {
        Answer::Pdf(pdf) => (0u8, pdf),
        Answer::Refused(json) => (1, json),
    };
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    output.write_all(&[kind])?;
    output.write_all(&length.to_be_bytes())?;
    output.write_all(body)?;
    output.flush()
}

fn number(input: &mut impl Read) -> io::Result<u32> {
    let mut four = [0; 4];
    input.read_exact(&mut four)?;
    Ok(u32::from_be_bytes(four))
}

fn bytes(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = number(input)?;
    if length > MAX_BYTES {
        return Err(io::Error::other("a file is too large"));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("short");
        [&length.to_be_bytes()[..], text].concat()
    }

    fn request(count: u32, parts: &[&[u8]]) -> Vec<u8> {
        let parts: Vec<u8> = parts.iter().flat_map(|p| part(p)).collect();
        [&count.to_be_bytes()[..], &parts].concat()
    }

    #[test]
    fn a_request_is_its_files_in_order() {
        let sent = request(2, &[b"invoice.typ", b"#x", b"data.json", b"{}"]);
        let Request(files) = read(&mut &sent[..]).expect("a request").expect("one");
        let expected = [
            ("invoice.typ".to_owned(), b"#x".to_vec()),
            ("data.json".to_owned(), b"{}".to_vec()),
        ];
        assert_eq!(files, expected);
    }

    #[test]
    fn a_closed_pipe_is_the_end() {
        assert!(read(&mut &[][..]).expect("no error").is_none());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let large = [&1u32.to_be_bytes()[..], &part(b"invoice.typ"), &u32::MAX.to_be_bytes()].concat();
        for sent in [
            request(0, &[]),
            request(MAX_FILES + 1, &[]),
            request(1, &[b"invoice.typ"]),
            request(1, &[b"\xff", b""]),
            large,
        ] {
            assert!(read(&mut &sent[..]).is_err(), "{sent:?}");
        }
    }

    #[test]
    fn an_answer_says_its_kind_and_length() {
        let mut out = Vec::new();
        write(&mut out, &Answer::Pdf(b"%PDF".to_vec())).expect("written");
        assert_eq!(out, b"\0\0\0\0\x04%PDF");
        out.clear();
        write(&mut out, &Answer::refused("no")).expect("written");
        assert_eq!(out[0], 1);
        assert_eq!(&out[5..], br#"{"message":"no"}"#);
    }
}
