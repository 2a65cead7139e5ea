//! Decoder: takes the content-encoding off an answer that is read. None was asked for, and some upstreams use one.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::{GzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

use crate::classify::{Bounds, Problem, Unfit};

/// Bytes that are decoded at once: they become at most a thousand times as many.
const PIECE_BYTES: usize = 1 << 10;

/// The coding of one answer.
pub(super) struct Decoder {
    coding: Coding,
    /// What came and is not decoded yet.
    pending: Bytes,
    bytes_left: usize,
}

enum Coding {
    None,
    Gzip(Box<GzDecoder<Vec<u8>>>),
    Deflate(Box<ZlibDecoder<Vec<u8>>>),
}

impl Decoder {
    /// Nothing to take off.
    pub(super) const fn none() -> Self {
        Self { coding: Coding::None, pending: Bytes::new(), bytes_left: usize::MAX }
    }

    /// For an answer with these headers.
    ///
    /// # Errors
    /// When its coding is not decoded.
    pub(super) fn of(headers: &HeaderMap, bounds: &Bounds) -> Result<Self, Unfit> {
        let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
        let coding = match (codings.next(), codings.next()) {
            (None, _) => return Ok(Self::none()),
            (Some(coding), None) => coding.to_str().unwrap_or_default().trim().to_ascii_lowercase(),
            (Some(_), Some(_)) => String::from("more than one"),
        };
        let coding = match coding.as_str() {
            "" | "identity" => Coding::None,
            "gzip" | "x-gzip" => Coding::Gzip(Box::new(GzDecoder::new(Vec::new()))),
            "deflate" => Coding::Deflate(Box::new(ZlibDecoder::new(Vec::new()))),
            _ => {
                let detail = "its content-encoding is not decoded, and none was asked for".to_owned();
                return Err(Unfit { problem: Problem::ContentEncoding, detail });
            }
        };
        Ok(Self { coding, pending: Bytes::new(), bytes_left: bounds.answer_bytes })
    }

    /// Whether the headers have to say that the coding is gone.
    pub(super) const fn changes(&self) -> bool {
        !matches!(self.coding, Coding::None)
    }

    /// Takes the next bytes, once [`Decoder::next`] has nothing more to give.
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.pending = chunk;
    }

    /// The next bytes without the coding; `None` where more have to come.
    ///
    /// # Errors
    /// When they do not decode, or to more than the bound.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Unfit> {
        while !self.pending.is_empty() {
            if matches!(self.coding, Coding::None) {
                return Ok(Some(std::mem::take(&mut self.pending)));
            }
            let piece = self.pending.split_to(self.pending.len().min(PIECE_BYTES));
            let plain = match &mut self.coding {
                Coding::None => return Ok(Some(piece)),
                // Flushed each time: a decoder keeps back what it has decoded last.
                Coding::Gzip(decoder) => decoder
                    .write_all(&piece)
                    .and_then(|()| decoder.flush())
                    .map(|()| std::mem::take(decoder.get_mut())),
                Coding::Deflate(decoder) => decoder
                    .write_all(&piece)
                    .and_then(|()| decoder.flush())
                    .map(|()| std::mem::take(decoder.get_mut())),
            };
            let plain = self.counted(plain)?;
            if !plain.is_empty() {
                return Ok(Some(plain));
            }
        }
        Ok(None)
    }

    /// What is left at the end of the body.
    ///
    /// # Errors
    /// When the coding has not come to its own end.
    pub(super) fn finish(&mut self) -> Result<Bytes, Unfit> {
        let plain = match &mut self.coding {
            Coding::None => return Ok(Bytes::new()),
            Coding::Gzip(decoder) => decoder.try_finish().map(|()| std::mem::take(decoder.get_mut())),
            Coding::Deflate(decoder) => decoder.try_finish().map(|()| std::mem::take(decoder.get_mut())),
        };
        self.counted(plain)
    }

    fn counted(&mut self, plain: io::Result<Vec<u8>>) -> Result<Bytes, Unfit> {
        let plain = plain.map_err(|_| Unfit {
            problem: Problem::ContentEncoding,
            detail: "the answer does not decode".to_owned(),
        })?;
        self.bytes_left = self.bytes_left.checked_sub(plain.len()).ok_or_else(|| Unfit {
            problem: Problem::TooLarge,
            detail: "the answer decodes to more than is passed on".to_owned(),
        })?;
        Ok(plain.into())
    }
}
