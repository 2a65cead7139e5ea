//! Opening: looks at the first byte of a tunnel without taking it away.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// What a connection opens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A TLS handshake record (RFC 8446, section 5.1).
    Tls,
    /// An upper-case letter, as every HTTP method in use begins with one, and the preface of HTTP/2.
    Http,
    /// Anything else.
    Other,
    /// Nothing yet: perhaps a protocol in which the server speaks first.
    Silent,
    /// The end.
    Closed,
}

/// Waits for the first bytes of `stream`, at most for `patience`, and returns a stream that yields them again.
///
/// # Errors
/// When reading fails.
pub async fn look_at_opening<S>(mut stream: S, patience: Duration) -> io::Result<(Opening, Rewound<S>)>
where
    S: AsyncRead + Unpin,
{
    let mut seen = [0; 64];
    let read = match tokio::time::timeout(patience, stream.read(&mut seen)).await {
        Ok(read) => read?,
        Err(_) => return Ok((Opening::Silent, Rewound { seen: Bytes::new(), inner: stream })),
    };
    let bytes = seen.get(..read).unwrap_or_default();
    let opening = match bytes.first() {
        None => Opening::Closed,
        Some(22) => Opening::Tls,
        Some(b'A'..=b'Z') => Opening::Http,
        Some(_) => Opening::Other,
    };
    Ok((opening, Rewound { seen: Bytes::copy_from_slice(bytes), inner: stream }))
}

/// A stream that yields again what was already read from it.
#[derive(Debug)]
pub struct Rewound<S> {
    seen: Bytes,
    inner: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.seen.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let now = self.seen.len().min(buf.remaining());
        buf.put_slice(self.seen.get(..now).unwrap_or_default());
        self.seen.advance(now);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    async fn check(sent: &'static [u8], expected: Opening) {
        let (opening, mut stream) = look_at_opening(sent, PATIENCE).await.unwrap();
        assert_eq!(opening, expected, "{sent:?}");
        let mut again = Vec::new();
        stream.read_to_end(&mut again).await.unwrap();
        assert_eq!(again, sent, "nothing is lost");
    }

    #[tokio::test]
    async fn the_first_byte_tells_the_protocol() {
        check(b"\x16\x03\x01\x02\x00\x01", Opening::Tls).await;
        check(b"GET / HTTP/1.1\r\n\r\n", Opening::Http).await;
        check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Opening::Http).await;
        check(b"\0\0\0\x08", Opening::Other).await;
        check(b"", Opening::Closed).await;
        check(&[b'G'; 300], Opening::Http).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_not_waited_for_without_end() {
        let (stream, mut peer) = tokio::io::duplex(64);
        let (opening, mut stream) = look_at_opening(stream, PATIENCE).await.unwrap();
        assert_eq!(opening, Opening::Silent);
        tokio::io::AsyncWriteExt::write_all(&mut peer, b"late").await.unwrap();
        drop(peer);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"late");
    }
}
