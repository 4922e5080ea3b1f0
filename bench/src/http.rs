//! HTTP/1.1 with as little processor time as a load generator should take: one connection, kept alive, one request at a time.

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Http {
    address: String,
    stream: TcpStream,
    sent: Vec<u8>,
    received: Vec<u8>,
}

/// Where and as whom a request goes.
pub struct To<'a> {
    pub host: &'a str,
    /// None: nobody has signed in.
    pub token: Option<&'a str>,
}

impl Http {
    pub async fn connect(address: &str) -> Result<Self> {
        Ok(Self {
            address: address.to_owned(),
            stream: open(address).await?,
            sent: Vec::new(),
            received: Vec::with_capacity(64 * 1024),
        })
    }

    /// Posts JSON to `/graphql`; the body of the answer, which must be 200.
    pub async fn post(&mut self, to: &To<'_>, body: &str) -> Result<&[u8]> {
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            to.host,
            body.len()
        );
        self.send(head, to, body).await
    }

    /// What stands at a path; the answer must be 200.
    pub async fn get(&mut self, to: &To<'_>, path: &str) -> Result<&[u8]> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n", to.host);
        self.send(head, to, "").await
    }

    async fn send(&mut self, head: String, to: &To<'_>, body: &str) -> Result<&[u8]> {
        self.sent.clear();
        self.sent.extend_from_slice(head.as_bytes());
        if let Some(token) = to.token {
            self.sent.extend_from_slice(b"authorization: Bearer ");
            self.sent.extend_from_slice(token.as_bytes());
            self.sent.extend_from_slice(b"\r\n");
        }
        self.sent.extend_from_slice(b"\r\n");
        self.sent.extend_from_slice(body.as_bytes());
        if self.was_closed() {
            self.stream = open(&self.address).await?;
        }
        self.stream.write_all(&self.sent).await?;
        let (status, from, to) = self.answer().await?;
        let body = &self.received[from..to];
        ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(body));
        Ok(body)
    }

    /// Whether the server has closed the connection between two requests, as servers do with those that stand idle.
    fn was_closed(&self) -> bool {
        !matches!(self.stream.try_read(&mut [0]), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Status, and where the body stands in what was received.
    async fn answer(&mut self) -> Result<(u16, usize, usize)> {
        self.received.clear();
        let mut head = None;
        loop {
            ensure!(self.stream.read_buf(&mut self.received).await? > 0, "the server hung up");
            if head.is_none()
                && let Some(end) = find(&self.received, b"\r\n\r\n")
            {
                head = Some(parse(&self.received[..end]).map(|(status, length)| (status, end + 4, end + 4 + length))?);
            }
            if let Some(complete) = head.filter(|(_, _, end)| self.received.len() >= *end) {
                return Ok(complete);
            }
        }
    }
}

async fn open(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await.context("the server is not there")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn parse(head: &[u8]) -> Result<(u16, usize)> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|l| l.split(' ').nth(1)).context("no status")?.parse()?;
    for line in lines {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok((status, value.trim().parse()?));
        }
    }
    bail!("the answer does not say how long it is");
}

pub fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 12";
        assert_eq!(parse(head).unwrap(), (200, 12));
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked").is_err());
    }
}
