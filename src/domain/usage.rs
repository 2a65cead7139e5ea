//! Usage: what a call consumed.

/// Consumption of one call. Zero means that none was reported, or that none applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens the model read, cached ones included.
    pub input_tokens: u64,
    /// Tokens the model wrote, hidden reasoning included.
    pub output_tokens: u64,
    /// Bytes of the request's body.
    pub bytes_sent: u64,
    /// Bytes of the response's body, as received from the upstream.
    pub bytes_received: u64,
}
