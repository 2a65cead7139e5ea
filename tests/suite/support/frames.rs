//! HTTP/2 as an attacker speaks it: frames written by hand (RFC 9113), in any order and number.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::support::doors::Wire;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// `SETTINGS_INITIAL_WINDOW_SIZE`.
pub const INITIAL_WINDOW: u16 = 4;

/// Codes of RFC 9113, section 7.
pub const CANCEL: u32 = 8;
pub const REFUSED_STREAM: u32 = 7;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// Far longer than an answer takes, so that a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the other side may leave bytes unread before it counts as having stopped reading.
const UNREAD: Duration = Duration::from_secs(2);

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of a GOAWAY or RST_STREAM.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A frame to be sent.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut out = vec![length[1], length[2], length[3], kind, flags];
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// The preface and the settings with which a client begins.
pub fn greeting(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let pairs: Vec<u8> = settings
        .iter()
        .flat_map(|(name, value)| [name.to_be_bytes().as_slice(), &value.to_be_bytes()].concat())
        .collect();
    out.extend_from_slice(&frame(SETTINGS, 0, 0, &pairs));
    out
}

/// A header block, each field a literal that no table keeps (RFC 7541, section 6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        text(&mut out, name);
        text(&mut out, value);
    }
    out
}

/// A string without Huffman coding (RFC 7541, section 5.2).
pub fn text(out: &mut Vec<u8>, text: &str) {
    integer(out, 0, 7, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// An integer behind the first bits of its byte (RFC 7541, section 5.1).
pub fn integer(out: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
    let most = (1_usize << bits) - 1;
    let byte = |value: usize| u8::try_from(value).unwrap();
    if value < most {
        return out.push(first | byte(value));
    }
    out.push(first | byte(most));
    let mut rest = value - most;
    while rest >= 128 {
        out.push(byte(rest % 128) | 128);
        rest /= 128;
    }
    out.push(byte(rest));
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The other side, or the system between, has taken it.
    Taken,
    /// The other side has stopped reading.
    Unread,
    /// The other side has closed.
    Closed,
}

/// One connection.
pub struct Frames {
    wire: Wire,
    unread: Vec<u8>,
}

impl Frames {
    /// Begins with these settings.
    pub async fn greet(mut wire: Wire, settings: &[(u16, u32)]) -> Self {
        wire.write_all(&greeting(settings)).await.unwrap();
        wire.flush().await.unwrap();
        Self { wire, unread: Vec::new() }
    }

    /// Sends bytes, unless the other side will not have them.
    pub async fn send(&mut self, bytes: &[u8]) -> Sent {
        let writing = async {
            self.wire.write_all(bytes).await?;
            self.wire.flush().await
        };
        match timeout(UNREAD, writing).await {
            Ok(Ok(())) => Sent::Taken,
            Ok(Err(_)) => Sent::Closed,
            Err(_) => Sent::Unread,
        }
    }

    /// The next frame; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.whole() {
                return Some(frame);
            }
            let read =
                timeout(PATIENCE, self.wire.read_buf(&mut self.unread)).await.expect("a frame or the end");
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next frame that `wanted` wants; `None` where the connection ends before it.
    pub async fn find(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        while let Some(frame) = self.next().await {
            if wanted(&frame) {
                return Some(frame);
            }
        }
        None
    }

    /// Reads to the end of the connection. The code with which it was ended, where one was told.
    pub async fn end(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                code = Some(frame.code());
            }
        }
        code
    }

    fn whole(&mut self) -> Option<Frame> {
        let head: [u8; 9] = self.unread.get(..9)?.try_into().unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = self.unread.get(9..9 + length)?.to_vec();
        self.unread.drain(..9 + length);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7FFF_FFFF;
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }
}
