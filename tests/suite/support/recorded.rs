//! Gemini and Bedrock, as far as their clients need them: answers as they were recorded, and the signature of AWS
//! checked as AWS would.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The secret half of the key pair that the client signs with.
pub const SECRET: &str = "secret-of-the-key-pair";

/// What reached it of one request.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Method, path and query as they came.
    pub line: String,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A stand-in, ended with its runtime.
pub struct Recorded {
    address: SocketAddr,
    is_tls: bool,
    reached: Arc<Mutex<Vec<Reached>>>,
}

impl Recorded {
    pub async fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reached: Arc<Mutex<Vec<Reached>>> = Arc::default();
        let (reaching, is_tls) = (Arc::clone(&reached), tls.is_some());
        let acceptor = tls.map(|config| {
            let mut config = ServerConfig::clone(&config);
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            TlsAcceptor::from(Arc::new(config))
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (reached, acceptor) = (Arc::clone(&reaching), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, &reached).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &reached).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, is_tls, reached }
    }

    pub fn url(&self) -> String {
        match self.is_tls {
            true => format!("https://localhost:{}", self.address.port()),
            false => format!("http://{}", self.address),
        }
    }

    pub fn reached(&self) -> Vec<Reached> {
        self.reached.lock().unwrap().clone()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, reached: &Mutex<Vec<Reached>>) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let request = loop {
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return,
        }
        if let Some(request) = Reached::read(&bytes) {
            break request;
        }
    };
    let (content_type, body) = request.answer();
    let status = if body.starts_with(br#"{"message":"#) { "403 Forbidden" } else { "200 OK" };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    reached.lock().unwrap().push(request);
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
    let _ = stream.shutdown().await;
}

impl Reached {
    /// A whole request; these clients send bodies of known length.
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let line = lines.next()?.to_owned();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let body = bytes[end + 4..].to_vec();
        let request = Self { line, headers, body };
        let length: usize = request.header("content-length").parse().unwrap_or(0);
        (request.body.len() >= length).then_some(request)
    }

    /// A header field; empty where it did not come.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn answer(&self) -> (&'static str, Vec<u8>) {
        let json = "application/json";
        if self.header("authorization").starts_with("AWS4-") && !self.is_signed() {
            return (json, br#"{"message":"The request signature we calculated does not match"}"#.to_vec());
        }
        if self.line.contains(":streamGenerateContent?alt=sse ") {
            let stream = include_str!("../../corpus/answers/gemini/parallel_calls.sse");
            return ("text/event-stream", stream.into());
        }
        if self.line.contains("/converse-stream ") {
            let stream = include_str!("../../corpus/answers/bedrock/parallel_calls.jsonl");
            let mut frames = frames(stream);
            if let (true, Some(last)) = (self.line.contains("claude-cut"), frames.last_mut()) {
                *last ^= 1;
            }
            return ("application/vnd.amazon.eventstream", frames);
        }
        let is_gemini = self.line.contains(":generateContent ");
        let whole = match is_gemini {
            true => include_str!("../../corpus/answers/gemini/whole.json"),
            false => include_str!("../../corpus/answers/bedrock/whole.json"),
        };
        (json, whole.into())
    }

    /// Whether the signature is that of the request as it came: AWS, "Signing AWS requests with Signature Version 4".
    fn is_signed(&self) -> bool {
        let (_, credential) = self.header("authorization").split_once("Credential=").unwrap();
        let piece = |name: &str| {
            let (_, behind) = credential.split_once(name).unwrap_or(("", credential));
            behind.split(',').next().unwrap().trim()
        };
        let (_, scope) = piece("").split_once('/').unwrap();
        let signed = piece("SignedHeaders=");
        let mut line = self.line.split(' ');
        let (method, target) = (line.next().unwrap(), line.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: String =
            signed.split(';').map(|name| format!("{name}:{}\n", self.header(name))).collect();
        let canonical = format!(
            "{method}\n{}\n{query}\n{headers}\n{signed}\n{}",
            path.replace('%', "%25"),
            hex::encode(Sha256::digest(&self.body)),
        );
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
            self.header("x-amz-date"),
            hex::encode(Sha256::digest(canonical))
        );
        let start = format!("AWS4{SECRET}").into_bytes();
        let key = scope.split('/').fold(start, |key, step| hmac(&key, step.as_bytes()));
        hex::encode(hmac(&key, text.as_bytes())) == piece("Signature=")
    }
}

/// RFC 2104, with SHA-256.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64);
    let padded =
        |with: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or_default() ^ with).collect() };
    let inner = Sha256::digest([&padded(0x36), text].concat());
    Sha256::digest([&padded(0x5c), inner.as_slice()].concat()).to_vec()
}

/// The frames of events that stand one a line, as Amazon Transcribe's guide describes them.
pub fn frames(lines: &str) -> Vec<u8> {
    let frame_of = |line: &str| {
        let event: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
        let (name, payload) = event.into_iter().next().unwrap();
        frame(&name, &payload.to_string())
    };
    lines.lines().flat_map(frame_of).collect()
}

fn frame(event: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in
        [(":event-type", event), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(name.len() as u8);
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = 16 + headers.len() + payload.len();
    let mut frame = Vec::from((total as u32).to_be_bytes());
    frame.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}
