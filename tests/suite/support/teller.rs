//! An upstream that answers with server-sent events, each sent when the test says so.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// The upstream, for one request.
pub struct Teller {
    pub port: u16,
    said: UnboundedSender<&'static str>,
}

impl Teller {
    /// Starts it on a free port, with TLS as `localhost`.
    pub async fn start(tls: &ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let (said, mut events) = unbounded_channel();
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(tls));
            // Whoever goes without a request, as a tunnel does that is opened twice, is not counted.
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await
                    && tell(stream, &mut events).await
                {
                    return;
                }
            }
        });
        Self { port, said }
    }

    /// Sends these bytes, now, as a chunk of their own.
    pub fn say(&self, bytes: &'static str) {
        self.said.send(bytes).unwrap();
    }
}

/// Answers one request; `false` where none came.
async fn tell(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    events: &mut UnboundedReceiver<&'static str>,
) -> bool {
    let mut request = Vec::new();
    // Every body in these tests ends so, and no head does.
    while !request.ends_with(b"}") {
        if !stream.read_buf(&mut request).await.is_ok_and(|count| count > 0) {
            return false;
        }
    }
    let _ = stream.write_all(HEAD).await;
    let _ = stream.flush().await;
    while let Some(event) = events.recv().await {
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        let _ = stream.write_all(chunk.as_bytes()).await;
        let _ = stream.flush().await;
    }
    let _ = stream.write_all(b"0\r\n\r\n").await;
    let _ = stream.flush().await;
    // The answer's end is read before the connection's.
    let _ = stream.read(&mut [0; 64]).await;
    true
}
