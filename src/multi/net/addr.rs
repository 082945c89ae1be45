//! Where a listener is to be found.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The address of a listener.
///
/// Written as `auto`, `unix:/run/x.sock`, `abstract:name`, `tcp:192.168.1.7:5000`.
///
/// ```
/// use pinring::multi::Addr;
///
/// let addr: Addr = "tcp:127.0.0.1:5000".parse()?;
/// assert_eq!(addr, Addr::Tcp("127.0.0.1:5000".parse()?));
/// assert_eq!(addr.to_string(), "tcp:127.0.0.1:5000");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Addr {
    /// For a listener only: a new Unix socket in the temp directory, which only its owner may use. The listener's own address is then
    /// an [`Addr::Unix`].
    Auto,
    /// A Unix socket with this name in the file system, shorter than 108 bytes.
    Unix(PathBuf),
    /// A Unix socket with this name in the abstract namespace, shorter than 108 bytes: no file, and every user of this machine may
    /// connect (whoever has no key does not get further).
    Abstract(String),
    /// TCP. A listener at port 0 gets a free one, and its own address has that.
    Tcp(SocketAddr),
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Abstract(name) => write!(f, "abstract:{name}"),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address; write `auto`, `unix:/path`, `abstract:name` or `tcp:` with an IP address and a port, as `tcp:127.0.0.1:5000` (no host name)"
)]
pub struct AddrError(String);

impl FromStr for Addr {
    type Err = AddrError;

    fn from_str(text: &str) -> Result<Self, AddrError> {
        let wrong = || AddrError(text.to_owned());
        if text == "auto" {
            return Ok(Self::Auto);
        }
        match text.split_once(':').ok_or_else(wrong)? {
            ("unix", path) if !path.is_empty() => Ok(Self::Unix(path.into())),
            ("abstract", name) if !name.is_empty() => Ok(Self::Abstract(name.to_owned())),
            ("tcp", address) => address.parse().map(Self::Tcp).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["auto", "unix:/run/x.sock", "abstract:a:b", "tcp:[::1]:0"] {
            assert_eq!(text.parse::<Addr>().unwrap().to_string(), text);
        }
        for text in ["", "unix:", "tcp:here", "udp:1.2.3.4:5", "/run/x.sock"] {
            assert!(text.parse::<Addr>().is_err(), "{text}");
        }
    }
}
