//! The pairs that are kept: the key manager's own, and a member's.

use crate::crypto::rsa::RsaPair;
use crate::store::{Store, StoreError};

/// What the key manager's pair is kept as, and a member's.
const MANAGER: &str = "manager";
const MEMBER: &str = "rsa";

/// The key manager's pair: the one that `store` keeps, or a new one that it keeps from now on; true when it is new.
///
/// # Errors
/// When it cannot be read, made or kept: a key manager never changes its key silently.
pub fn manager_pair(store: &dyn Store) -> Result<(RsaPair, bool), StoreError> {
    pair(store, MANAGER)
}

/// A member's pair, in the same way.
pub(super) fn member_pair(store: &dyn Store) -> Result<RsaPair, StoreError> {
    pair(store, MEMBER).map(|(pair, _)| pair)
}

fn pair(store: &dyn Store, item: &'static str) -> Result<(RsaPair, bool), StoreError> {
    let unusable = |e: crate::crypto::CryptoError| StoreError::Io {
        path: format!("the RSA key `{item}`"),
        reason: e.to_string(),
    };
    let loaded = store.load(item)?;
    loaded.notice.inspect(|notice| tracing::warn!("{notice}"));
    if let Some(bytes) = loaded.bytes {
        return RsaPair::from_pkcs8(bytes).map(|pair| (pair, false)).map_err(unusable);
    }
    let fresh = RsaPair::generate().map_err(unusable)?;
    // Twice, so that the copy before the last exists from the start.
    store.save(item, fresh.pkcs8())?;
    store.save(item, fresh.pkcs8())?;
    Ok((fresh, true))
}
