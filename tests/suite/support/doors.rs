//! The ways into a sidecar as bare connections, on which a test speaks what it likes.

use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::sidecar::{Sidecar, token};

/// What can be read and written.
pub trait Stream: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

/// A connection, with TLS or without.
pub type Wire = Pin<Box<dyn Stream>>;

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The reverse listener.
    Reverse,
    /// A tunnel through the forward listener, its TLS opened by the sidecar's authority.
    Intercepted,
}

impl Door {
    pub const ALL: [Self; 2] = [Self::Reverse, Self::Intercepted];

    /// Opens a connection that speaks this protocol, `h2` or `http/1.1`. The port is that of the upstream, which is
    /// called `localhost`.
    pub async fn open(self, sidecar: &Sidecar, agent: &str, port: u16, protocol: &str) -> Wire {
        match self {
            // HTTP/2 with prior knowledge.
            Self::Reverse => Box::pin(TcpStream::connect(sidecar.at("reverse")).await.unwrap()),
            Self::Intercepted => {
                let tunnel = tunnel(sidecar, agent, port).await;
                let roots = sidecar.folder().join("ca/ca.pem");
                let mut store = RootCertStore::empty();
                store.add(CertificateDer::from_pem_file(roots).unwrap()).unwrap();
                let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
                let config =
                    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
                let mut config = config.unwrap().with_root_certificates(store).with_no_client_auth();
                config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
                let name = ServerName::try_from("localhost").unwrap();
                let stream = TlsConnector::from(Arc::new(config)).connect(name, tunnel).await.unwrap();
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
                Box::pin(stream)
            }
        }
    }

    /// The scheme, the authority and the path by which a place on the upstream is called here.
    pub fn place(self, sidecar: &Sidecar, upstream: &str, port: u16, path: &str) -> (String, String, String) {
        match self {
            Self::Reverse => ("http".into(), sidecar.at("reverse").to_string(), format!("/{upstream}{path}")),
            Self::Intercepted => ("https".into(), format!("localhost:{port}"), path.to_owned()),
        }
    }
}

/// A tunnel to `localhost`.
async fn tunnel(sidecar: &Sidecar, agent: &str, port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(sidecar.at("forward")).await.unwrap();
    let credential = STANDARD.encode(format!("{agent}:{}", token(agent)));
    let head = format!(
        "CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\nProxy-Authorization: Basic {credential}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{}", String::from_utf8_lossy(&answer));
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    stream
}
