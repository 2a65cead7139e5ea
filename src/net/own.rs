//! Tells whether an address leads back to this very process.

use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Whether dialing `address` would reach one of the listeners in `own`. Ports that are not ours cost a comparison
/// each; only a match asks the system whether the address belongs to this machine.
pub(super) fn leads_home(address: SocketAddr, own: &[SocketAddr]) -> bool {
    let ip = address.ip().to_canonical();
    own.iter().filter(|listener| listener.port() == address.port()).any(|listener| {
        let at = listener.ip().to_canonical();
        ip == at
            || ip.is_unspecified()
            || ip.is_loopback() && (at.is_loopback() || at.is_unspecified())
            || at.is_unspecified() && is_on_this_machine(ip)
    })
}

/// Whether an established connection ended at this process: the system chose a path that never left the machine,
/// to a port of ours. Catches what the address alone did not show, such as an alias.
pub(super) fn came_home(local: SocketAddr, peer: SocketAddr, own: &[SocketAddr]) -> bool {
    // A socket can be connected to itself when the port it dials lies in the ephemeral range.
    local == peer || (local.ip() == peer.ip() && own.iter().any(|listener| listener.port() == peer.port()))
}

/// Only addresses of this machine can be bound. A failure for another cause must not open the way.
fn is_on_this_machine(ip: IpAddr) -> bool {
    match UdpSocket::bind(SocketAddr::new(ip, 0)) {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::AddrNotAvailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn own_listeners_are_recognized_in_every_disguise() {
        let own = [address("127.0.0.1:8080"), address("0.0.0.0:9901"), address("[::1]:7070")];
        for (dialed, home) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.2:8080", true),
            ("0.0.0.0:8080", true),
            ("[::ffff:127.0.0.1]:8080", true),
            ("127.0.0.1:8081", false),
            ("10.1.2.3:8080", false),
            ("127.0.0.1:9901", true),
            ("[::]:7070", true),
            ("192.0.2.1:9901", false),
        ] {
            assert_eq!(leads_home(address(dialed), &own), home, "{dialed}");
        }
    }

    #[test]
    fn a_connection_that_never_left_the_machine_is_recognized() {
        let own = [address("0.0.0.0:8080")];
        for (local, peer, home) in [
            ("10.0.0.5:40000", "10.0.0.5:8080", true),
            ("10.0.0.5:40000", "10.0.0.6:8080", false),
            ("10.0.0.5:40000", "10.0.0.5:8081", false),
            ("127.0.0.1:40000", "127.0.0.1:40000", true),
        ] {
            assert_eq!(came_home(address(local), address(peer), &own), home, "{local} {peer}");
        }
    }
}
