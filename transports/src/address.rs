//! Addresses: from locators to sockets and back to something that others can dial.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::option::BadOption;
use tertulia::link::{Locator, TransportCode, TransportError};

/// The socket addresses of a locator, at least one.
pub(crate) async fn resolve(
    scheme: &str,
    at: &Locator,
    to_what: &str,
) -> Result<Vec<SocketAddr>, TransportError> {
    let bad =
        |why: String| TransportError::new(TransportCode::BadAddress, format!("cannot {to_what} {at}"), why);
    host_port(scheme, at).map_err(bad)?;
    let found = tokio::net::lookup_host(at.rest()).await;
    let found: Vec<_> = found.map_err(|error| bad(error.to_string()))?.collect();
    if found.is_empty() { Err(bad("the host has no address".into())) } else { Ok(found) }
}

/// The host and the port of a locator, brackets kept.
///
/// # Errors
/// The reason why nothing can be found under it.
fn host_port<'a>(scheme: &str, at: &'a Locator) -> Result<(&'a str, u16), String> {
    if at.scheme() != scheme {
        return Err(format!("`{}` is not the scheme of this transport, `{scheme}`", at.scheme()));
    }
    let (host, port) = at.rest().rsplit_once(':').ok_or("the port is missing")?;
    let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
    check_host(host)?;
    Ok((host, port))
}

/// Refuses what is neither a name nor an address; an IPv6 address stands in brackets.
fn check_host(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("the host is missing".into());
    }
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or("the closing bracket is missing")?;
        // A link-local address may name its interface behind a `%`.
        let ip = inner.split_once('%').map_or(inner, |(ip, _)| ip);
        return ip.parse::<Ipv6Addr>().map(|_| ()).map_err(|_| format!("`{inner}` is no IPv6 address"));
    }
    if host.contains(':') {
        return Err("an IPv6 address stands in brackets".into());
    }
    match host.chars().find(|c| c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_')) {
        Some(odd) => Err(format!("a host has no `{odd}`")),
        None => Ok(()),
    }
}

/// What `advertise` makes known of a listener on `port`: `HOST`, `HOST:PORT`, or an IPv6 address with or without
/// brackets.
///
/// # Errors
/// The reason why nobody could dial it.
fn advertised(scheme: &str, text: &str, port: u16) -> Result<Locator, String> {
    let rest = if text.parse::<Ipv6Addr>().is_ok() {
        format!("[{text}]:{port}")
    } else if text.contains(':') && !text.ends_with(']') {
        text.to_owned()
    } else {
        format!("{text}:{port}")
    };
    let at = Locator::new(scheme, &rest).map_err(|error| error.to_string())?;
    let (host, port) = host_port(scheme, &at)?;
    if port == 0 {
        return Err("port 0 is no one's address".into());
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_unspecified()) {
        return Err(format!("`{bare}` stands for every address of a machine and cannot be dialled"));
    }
    Ok(at)
}

/// Checks an address to dial without asking anybody.
///
/// # Errors
/// When dialling it can never succeed.
pub(crate) fn check_dial(scheme: &str, to: &Locator) -> Result<(), TransportError> {
    let why = match host_port(scheme, to) {
        Ok((_, 0)) => "port 0 is no one's address".into(),
        Ok(_) => return Ok(()),
        Err(why) => why,
    };
    Err(TransportError::new(TransportCode::BadAddress, format!("cannot dial {to}"), why))
}

/// Checks what a profile wants to be made known; whichever port is listened on, 1 stands for it.
///
/// # Errors
/// What is wrong with the option `advertise`.
pub(crate) fn check_advertise(scheme: &str, text: Option<&str>) -> Result<(), BadOption> {
    let known = text.map(|text| advertised(scheme, text, 1));
    known.transpose().map(|_| ()).map_err(|why| {
        let reason = format!("{why}; write HOST or HOST:PORT under which others reach this machine");
        BadOption { key: "advertise", reason }
    })
}

/// A socket address as a locator.
pub(crate) fn locator(scheme: &str, address: SocketAddr) -> Result<Locator, TransportError> {
    Locator::new(scheme, &address.to_string()).map_err(|error| {
        TransportError::new(TransportCode::BadAddress, "cannot name an address", error.to_string())
    })
}

/// The locator under which others reach a listener that is bound to `bound`.
pub(crate) fn dialable(
    scheme: &str,
    bound: SocketAddr,
    advertise: Option<&str>,
) -> Result<Locator, TransportError> {
    if let Some(text) = advertise {
        return advertised(scheme, text, bound.port()).map_err(|why| {
            TransportError::new(TransportCode::BadAddress, format!("cannot make known `{text}`"), why)
        });
    }
    let ip = if bound.ip().is_unspecified() { outward(bound.ip()) } else { bound.ip() };
    locator(scheme, SocketAddr::new(ip, bound.port()))
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
        dialable("tcp", bound.parse().unwrap(), advertise).unwrap().to_string()
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

    #[test]
    fn what_nobody_could_dial_is_not_made_known() {
        let bad =
            ["", ":1", "0.0.0.0", "0.0.0.0:1", "::", "[::]:1", "[::ffff:0.0.0.0]:1", "host:0", "host:99999"];
        let odd = ["host:", "tcp://host:1", "[::1", "[x]:1", "a:b:1", "a b", "a/b:1"];
        for text in bad.iter().chain(&odd) {
            assert!(advertised("tcp", text, 4000).is_err(), "{text}");
            assert!(dialable("tcp", "127.0.0.1:4000".parse().unwrap(), Some(text)).is_err(), "{text}");
        }
        assert_eq!(known("0.0.0.0:4000", Some("[2001:db8::7]")), "tcp://[2001:db8::7]:4000");
    }
}
