//! What an address in a profile may look like; transports read the rest of it.

use crate::link::Locator;

/// Checks `tcp://HOST:PORT`, `HOST:PORT` or `scheme://anything`.
///
/// # Errors
/// The reason why it is none.
pub fn check(address: &str) -> Result<(), String> {
    let (scheme, rest) = split(address);
    Locator::new(scheme.unwrap_or("tcp"), rest).map_err(|e| e.to_string())?;
    if let Some(scheme) = scheme {
        if rest.is_empty() {
            return Err(format!("`{address}` names nothing behind `{scheme}://`"));
        }
    } else {
        let port = rest.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        if port.and_then(|p| p.parse::<u16>().ok()).is_none() {
            return Err(format!("`{address}` is no HOST:PORT"));
        }
    }
    Ok(())
}

/// True when nobody beyond this machine can reach a member that listens there.
#[must_use]
pub fn is_local(address: &str, transport: &str) -> bool {
    let (scheme, rest) = split(address);
    if scheme.unwrap_or(transport) == "memory" {
        return true;
    }
    let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The scheme, when one is given, and what follows it.
fn split(address: &str) -> (Option<&str>, &str) {
    address.split_once("://").map_or((None, address), |(scheme, rest)| (Some(scheme), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        for good in ["127.0.0.1:0", "[::1]:80", "host.example:4711", "tcp://h:1", "memory://a", "quic://h:1"]
        {
            check(good).unwrap();
        }
        for bad in ["", "host", "host:", ":80", "host:99999", "tcp://", "://x", "TCP://h:1", "h:1 2", "a\n:1"]
        {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_stays_on_this_machine() {
        for local in ["127.0.0.1:0", "127.9.9.9:1", "tcp://[::1]:80", "localhost:5", "memory://hall"] {
            assert!(is_local(local, "tcp"), "{local}");
        }
        for open in ["0.0.0.0:0", "[::]:1", "10.0.0.1:1", "example.org:1", "tcp://192.168.1.2:3"] {
            assert!(!is_local(open, "tcp"), "{open}");
        }
        assert!(is_local("hall", "memory"));
    }
}
