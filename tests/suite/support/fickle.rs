//! An upstream that behaves as the path of each request asks, well or badly.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// The upstream. What it holds back goes on when it is let go.
pub struct Fickle {
    pub address: SocketAddr,
    arrived: Arc<Mutex<Vec<String>>>,
    gate: Arc<watch::Sender<bool>>,
}

impl Fickle {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// The same, with TLS as `localhost`.
    pub async fn start_secure(tls: &ServerConfig) -> Self {
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self::start_with(Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (arrived, gate) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(watch::channel(false).0));
        tokio::spawn({
            let (arrived, gate) = (Arc::clone(&arrived), Arc::clone(&gate));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let serving = Serving { arrived: Arc::clone(&arrived), gate: gate.subscribe() };
                    let tls = tls.clone();
                    tokio::spawn(async move {
                        match tls {
                            Some(tls) => serving.run(tls.accept(stream).await?).await,
                            None => serving.run(stream).await,
                        }
                    });
                }
            }
        });
        Self { address, arrived, gate }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests that arrived whole and whose first line holds `part`.
    pub fn arrived(&self, part: &str) -> Vec<String> {
        let all = self.arrived.lock().unwrap();
        all.iter().filter(|one| one.lines().next().unwrap_or_default().contains(part)).cloned().collect()
    }

    /// Lets everything go that is held back, now and later.
    pub fn let_go(&self) {
        self.gate.send_replace(true);
    }
}

struct Serving {
    arrived: Arc<Mutex<Vec<String>>>,
    gate: watch::Receiver<bool>,
}

impl Serving {
    async fn run(mut self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
        while let Some(path) = self.take(&mut stream).await? {
            // A query tells calls apart, and changes nothing.
            let path = path.split('?').next().unwrap_or_default().to_owned();
            match path.as_str() {
                "/held" => {
                    self.gate_opens().await;
                    stream.write_all(OK).await?;
                }
                "/stream" => {
                    stream.write_all(STREAM_HEAD).await?;
                    stream.write_all(b"d\r\ndata: first\n\n\r\n").await?;
                    self.gate_opens().await;
                    stream.write_all(b"c\r\ndata: last\n\n\r\n0\r\n\r\n").await?;
                }
                "/reset" => return Ok(()),
                "/broken" => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this").await?;
                    // The bytes arrive before the end does.
                    stream.flush().await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    return Ok(());
                }
                "/garbage" => {
                    stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").await?;
                    return Ok(());
                }
                "/large" => {
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
                    stream.write_all(head.as_bytes()).await?;
                    stream.write_all(&vec![b'l'; LARGE]).await?;
                }
                "/silent" => std::future::pending::<()>().await,
                "/stalls" => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this").await?;
                    std::future::pending::<()>().await;
                }
                "/closing" => {
                    stream.write_all(OK).await?;
                    return Ok(());
                }
                _ => stream.write_all(OK).await?,
            }
        }
        Ok(())
    }

    async fn gate_opens(&mut self) {
        let _ = self.gate.wait_for(|open| *open).await;
    }

    /// Reads one request; its path.
    async fn take(&self, stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<String>> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        };
        let mut body = bytes.split_off(end);
        let head = String::from_utf8(bytes).unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
        });
        while body.len() < length.unwrap_or(0) {
            if stream.read_buf(&mut body).await? == 0 {
                return Ok(None);
            }
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.arrived.lock().unwrap().push(head);
        Ok(Some(path))
    }
}

/// The bytes of a large answer.
pub const LARGE: usize = 1 << 20;

const OK: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
