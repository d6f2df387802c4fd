//! What a transport reports when it fails.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// The kind of a transport's failure, for programs. Its text is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportCode {
    /// The other side ended the link, or it broke.
    Closed,
    /// Nobody answers at the address.
    Unreachable,
    /// Another program listens at the address.
    AddressInUse,
    /// The address is not one of this machine.
    AddressNotHere,
    /// The address cannot be read or resolved.
    BadAddress,
    /// The system does not allow it.
    Denied,
    /// The system has no sockets, ports or memory left.
    Exhausted,
    /// A record longer than agreed, or a length that is none.
    Oversize,
    /// Anything else that the system reports.
    Io,
}

impl TransportCode {
    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TransportCode::Closed => "closed",
            TransportCode::Unreachable => "unreachable",
            TransportCode::AddressInUse => "address-in-use",
            TransportCode::AddressNotHere => "address-not-here",
            TransportCode::BadAddress => "bad-address",
            TransportCode::Denied => "denied",
            TransportCode::Exhausted => "exhausted",
            TransportCode::Oversize => "oversize",
            TransportCode::Io => "io",
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            TransportCode::Closed => "the link is made again when it is needed",
            TransportCode::Unreachable => "check that the member runs and that the address is right",
            TransportCode::AddressInUse => "choose another port, or port 0 for a free one",
            TransportCode::AddressNotHere => "listen on an address of this machine, or on 127.0.0.1",
            TransportCode::BadAddress => "write HOST:PORT, as in 127.0.0.1:4000",
            TransportCode::Denied => "choose a port above 1023, or ask for the permission",
            TransportCode::Exhausted => "close other connections, or raise the limit of open files",
            TransportCode::Oversize => "check that the other side is a member of the same version",
            TransportCode::Io => "see the system's reason",
        }
    }
}

/// A transport's failure: what could not be done, why, and what to do next.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}: {why}; {hint}", hint = self.hint())]
pub struct TransportError {
    code: TransportCode,
    what: Cow<'static, str>,
    why: Cow<'static, str>,
}

impl TransportError {
    /// A failure of this kind.
    pub fn new(
        code: TransportCode,
        what: impl Into<Cow<'static, str>>,
        why: impl Into<Cow<'static, str>>,
    ) -> Self {
        TransportError { code, what: what.into(), why: why.into() }
    }

    /// The failure that the system reports while doing `what`.
    pub fn io(what: impl Into<Cow<'static, str>>, error: &io::Error) -> Self {
        use io::ErrorKind as K;
        let code = match error.kind() {
            K::AddrInUse => TransportCode::AddressInUse,
            K::AddrNotAvailable => TransportCode::AddressNotHere,
            K::PermissionDenied => TransportCode::Denied,
            K::ConnectionRefused | K::HostUnreachable | K::NetworkUnreachable | K::TimedOut => {
                TransportCode::Unreachable
            }
            K::ConnectionReset
            | K::ConnectionAborted
            | K::BrokenPipe
            | K::UnexpectedEof
            | K::NotConnected => TransportCode::Closed,
            K::InvalidInput => TransportCode::BadAddress,
            K::OutOfMemory | K::QuotaExceeded => TransportCode::Exhausted,
            // EMFILE and ENFILE have no kind of their own yet.
            _ if matches!(error.raw_os_error(), Some(23 | 24)) => TransportCode::Exhausted,
            _ => TransportCode::Io,
        };
        TransportError::new(code, what, error.to_string())
    }

    /// The orderly end of a link.
    #[must_use]
    pub fn closed() -> Self {
        TransportError::new(TransportCode::Closed, "link ended", "the other side closed it")
    }

    /// A record of `len` bytes where at most `most` were agreed.
    #[must_use]
    pub fn oversize(len: usize, most: usize) -> Self {
        TransportError::new(
            TransportCode::Oversize,
            "record refused",
            format!("{len} bytes where at most {most} are allowed"),
        )
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> TransportCode {
        self.code
    }

    /// The kind's stable text.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code.as_str()
    }

    /// What could not be done, and why.
    #[must_use]
    pub fn reason(&self) -> impl fmt::Display + '_ {
        struct Reason<'a>(&'a TransportError);
        impl fmt::Display for Reason<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}: {}", self.0.what, self.0.why)
            }
        }
        Reason(self)
    }

    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        self.code.hint()
    }
}
