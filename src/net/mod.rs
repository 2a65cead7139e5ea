//! Sockets and TLS, ignorant of pacts.
