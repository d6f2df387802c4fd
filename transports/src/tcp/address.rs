//! Addresses: from locators to sockets and back to something that others can dial.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use tertulia::link::{Locator, TransportCode, TransportError};

use super::{KIND, locator};

/// The socket addresses of a locator, at least one.
pub(super) async fn resolve(at: &Locator, to_what: &str) -> Result<Vec<SocketAddr>, TransportError> {
    let bad =
        |why: String| TransportError::new(TransportCode::BadAddress, format!("cannot {to_what} {at}"), why);
    if at.scheme() != KIND {
        return Err(bad(format!("`{}` is not the scheme of this transport, `{KIND}`", at.scheme())));
    }
    let Some((host, port)) = at.rest().rsplit_once(':') else {
        return Err(bad("the port is missing".into()));
    };
    if host.is_empty() {
        return Err(bad("the host is missing".into()));
    }
    if port.parse::<u16>().is_err() {
        return Err(bad(format!("`{port}` is no port")));
    }
    let found = tokio::net::lookup_host(at.rest()).await;
    let found: Vec<_> = found.map_err(|error| bad(error.to_string()))?.collect();
    if found.is_empty() { Err(bad("the host has no address".into())) } else { Ok(found) }
}

/// The locator under which others reach a listener that is bound to `bound`.
pub(super) fn dialable(bound: SocketAddr, advertise: Option<&str>) -> Result<Locator, TransportError> {
    if let Some(text) = advertise {
        let has_port =
            text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|p| p > 0));
        let bare_v6 = text.parse::<Ipv6Addr>().is_ok();
        let rest = match (has_port && !bare_v6, bare_v6) {
            (true, _) => text.to_owned(),
            (_, true) => format!("[{text}]:{}", bound.port()),
            _ => format!("{text}:{}", bound.port()),
        };
        return Locator::new(KIND, &rest).map_err(|error| {
            TransportError::new(TransportCode::BadAddress, "cannot make known `advertise`", error.to_string())
        });
    }
    let ip = if bound.ip().is_unspecified() { outward(bound.ip()) } else { bound.ip() };
    locator(SocketAddr::new(ip, bound.port()))
}

/// The address of this machine that the system would use towards the outside; loopback on a machine without network.
///
/// Connecting a datagram socket sends nothing: it only asks the system for a route. The targets are addresses that
/// are set aside for documentation (RFC 5737, RFC 3849).
fn outward(wildcard: IpAddr) -> IpAddr {
    let v4 = || route(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let v6 = || route(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
    if wildcard.is_ipv4() {
        v4().unwrap_or(Ipv4Addr::LOCALHOST.into())
    } else {
        v6().or_else(v4).unwrap_or(Ipv6Addr::LOCALHOST.into())
    }
}

fn route(from: IpAddr, to: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((from, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(bound: &str, advertise: Option<&str>) -> String {
        dialable(bound.parse().unwrap(), advertise).unwrap().to_string()
    }

    #[test]
    fn what_is_made_known_can_be_dialled() {
        assert_eq!(known("127.0.0.1:4000", None), "tcp://127.0.0.1:4000");
        assert_eq!(known("[::1]:4000", None), "tcp://[::1]:4000");
        assert_eq!(known("0.0.0.0:4000", Some("example.org")), "tcp://example.org:4000");
        assert_eq!(known("0.0.0.0:4000", Some("example.org:5000")), "tcp://example.org:5000");
        assert_eq!(known("0.0.0.0:4000", Some("2001:db8::7")), "tcp://[2001:db8::7]:4000");
        assert_eq!(known("0.0.0.0:4000", Some("[2001:db8::7]:5000")), "tcp://[2001:db8::7]:5000");
        for wildcard in ["0.0.0.0:4000", "[::]:4000"] {
            let text = known(wildcard, None);
            let address: SocketAddr = text["tcp://".len()..].parse().unwrap();
            assert!(!address.ip().is_unspecified() && address.port() == 4000, "{text}");
        }
    }
}
