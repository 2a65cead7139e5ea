//! The one cryptographic provider of the process.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// Makes aws-lc-rs the provider of every TLS configuration that does not name one. The first line of `main`;
/// calling it again changes nothing.
pub fn install_crypto_provider() {
    // Fails only when a provider is installed already, and no other one is linked.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The provider for the configurations made in this room: they do not depend on what is installed.
pub(super) fn provider() -> Arc<CryptoProvider> {
    match CryptoProvider::get_default() {
        Some(installed) => Arc::clone(installed),
        None => Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
    }
}
