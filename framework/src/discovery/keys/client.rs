//! The member's side of the key manager.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tertulia_core::engine::api::Event;
use tertulia_core::id::{GroupId, PeerId};
use tertulia_core::rng::NodeRng;
use tokio::time::{Instant, sleep};

use super::KeysConfig;
use super::manager::member_pair;
use super::messages::{Answer, Nonce, Problem, Request, proof};
use crate::crypto::rsa::RsaKey;
use crate::crypto::{Keyring, Voucher, random, unix_ms};
use crate::discovery::service::circle::places;
use crate::discovery::service::{Access, ServiceError};
use crate::files;
use crate::link::Locator;
use crate::store::{Store, StoreError};

/// What a member's voucher is kept as.
const ITEM: &str = "voucher";
/// The pause before a manager that did not vouch is asked again, by who has no voucher and who has one.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// How often a member without a voucher complains.
const COMPLAIN: Duration = Duration::from_secs(5);
/// The longest public key file.
const FILE_MAX: u64 = 4096;
const HINT: &str = "start it (`leader-chat keys`): until it vouches for this member, nobody links with it";

/// Has a member's key vouched for, and looks up those of others. See the [module](super).
#[derive(Debug)]
pub struct Keys {
    at: Locator,
    manager: RsaKey,
    update: Duration,
}

/// Why the key manager gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// It cannot be asked.
    #[error("the key manager at {0}")]
    Down(ServiceError),
    /// It says no.
    #[error("the key manager at {0} refuses: {1}")]
    Refused(Locator, Problem),
    /// Somebody else answers in its place.
    #[error("what answers at {0} is not the key manager whose public key this member has")]
    Impostor(Locator),
    /// It vouches until a time that has passed here.
    #[error(
        "the key manager at {0} vouches until a time that has passed here; set the clocks of both machines"
    )]
    Past(Locator),
    /// The system gives no randomness.
    #[error(transparent)]
    Crypto(#[from] crate::crypto::CryptoError),
}

impl KeysError {
    /// The stable text for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            KeysError::Down(_) | KeysError::Crypto(_) => "keys",
            KeysError::Refused(_, why) => why.code(),
            KeysError::Impostor(_) => "bad-signature",
            KeysError::Past(_) => "voucher-expired",
        }
    }
}

impl Keys {
    /// A member's side of the key manager of these options, whose public key is in the file `public_key`.
    ///
    /// # Errors
    /// The option to correct.
    pub fn open(config: &KeysConfig, transport: &str, public_key: &Path) -> Result<Self, String> {
        let wrong = |why: String| format!("public_key: {}: {why}", public_key.display());
        let bytes = files::read(public_key, FILE_MAX).map_err(|e| wrong(e.to_string()))?;
        let key = std::str::from_utf8(&bytes).ok().and_then(RsaKey::from_pem);
        let key = key.ok_or_else(|| wrong("this is no RSA public key of 2048 bits in PEM".into()))?;
        Keys::build(config, transport, key)
    }

    /// The same with the key itself.
    ///
    /// # Errors
    /// The option to correct.
    pub fn build(config: &KeysConfig, transport: &str, manager: RsaKey) -> Result<Self, String> {
        config.check()?;
        let mut at = places("manager", std::slice::from_ref(&config.manager), transport)?;
        let at = at.pop().ok_or("manager: write where the key manager is")?;
        Ok(Keys { at, manager, update: config.update.0 })
    }

    /// The key of a member, as the key manager says.
    ///
    /// # Errors
    /// When it does not say one.
    pub async fn look_up(&self, access: &Access, who: PeerId) -> Result<RsaKey, KeysError> {
        let voucher = self.ask(access, &Request::LookUp(random()?, who)).await?;
        if voucher.peer == who { Ok(voucher.key) } else { Err(KeysError::Impostor(self.at.clone())) }
    }

    /// Has the key of whoever asks vouched for.
    async fn register(&self, access: &Access, keyring: &Keyring) -> Result<Voucher, KeysError> {
        let me = access.me();
        let (nonce, proven): (Nonce, _) = (random()?, keyring.pair().sign(&proof(&access.group(), &me))?);
        let request = Request::Register(nonce, keyring.pair().public(), proven);
        let voucher = self.ask(access, &request).await?;
        if is_own(&voucher, &me, keyring) { Ok(voucher) } else { Err(KeysError::Impostor(self.at.clone())) }
    }

    async fn ask(&self, access: &Access, request: &Request) -> Result<Voucher, KeysError> {
        let request = request.encode();
        let bytes = access.ask(&self.at, &request).await.map_err(KeysError::Down)?;
        self.judge(&access.group(), &request, &bytes)
    }

    /// What the manager says, when this is its answer to this request, and counts.
    fn judge(&self, group: &GroupId, request: &[u8], bytes: &[u8]) -> Result<Voucher, KeysError> {
        let answer = Answer::decode(bytes).map_err(|_| KeysError::Down(ServiceError::malformed(&self.at)))?;
        if !answer.is_by(&self.manager, request, group) {
            return Err(KeysError::Impostor(self.at.clone()));
        }
        match answer {
            Answer::Vouched(voucher) if voucher.until_ms <= unix_ms() => {
                Err(KeysError::Past(self.at.clone()))
            }
            Answer::Vouched(voucher) => Ok(voucher),
            Answer::No(why, _) => Err(KeysError::Refused(self.at.clone(), why)),
        }
    }
}

/// True when this is the manager's word for the member's own key, and counts.
fn is_own(voucher: &Voucher, me: &PeerId, keyring: &Keyring) -> bool {
    voucher.peer == *me && voucher.key == keyring.pair().public() && voucher.until_ms > unix_ms()
}

/// A member whose key is vouched for, from its start to its end.
pub(crate) struct Vouching {
    keys: Keys,
    access: Access,
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
}

impl Vouching {
    /// Takes up the key and the voucher that `store` keeps; without a key, makes one.
    pub(crate) async fn start(
        keys: Keys,
        access: Access,
        store: Arc<dyn Store>,
    ) -> Result<Vouching, StoreError> {
        let (manager, me, group, from) = (keys.manager, access.me(), access.group(), store.clone());
        let read = tokio::task::spawn_blocking(move || {
            let keyring = Keyring::new(member_pair(&*from)?, manager);
            // One that is damaged or of the past is asked for anew.
            let kept = from.load(ITEM).ok().and_then(|loaded| Voucher::decode(&loaded.bytes?).ok());
            if let Some(voucher) = kept.filter(|v| v.is_by(&manager, &group) && is_own(v, &me, &keyring)) {
                keyring.hold(voucher);
            }
            Ok(keyring)
        });
        let broken = |e: tokio::task::JoinError| StoreError::Io { path: ITEM.into(), reason: e.to_string() };
        let keyring = Arc::new(read.await.map_err(broken)??);
        Ok(Vouching { keys, access, store, keyring })
    }

    /// What proves the key, and judges those of others.
    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        self.keyring.clone()
    }

    /// Has the key vouched for before anybody is dialled, unless it is already; asks once.
    ///
    /// # Errors
    /// When the manager answers, and does not vouch for it. One that is down is asked again later.
    pub(crate) async fn first(&self) -> Result<(), KeysError> {
        if self.keyring.voucher().is_some() {
            return Ok(());
        }
        match self.renew().await {
            Err(error @ (KeysError::Refused(..) | KeysError::Impostor(_))) => Err(error),
            _ => Ok(()),
        }
    }

    /// Has it vouched for anew, again and again; troubles of a member without a voucher are told.
    pub(crate) async fn keep(self, tell: impl Fn(Event) + Send) {
        let mut rng = NodeRng::new(random().map_or(0, u64::from_le_bytes));
        let mut quiet = Instant::now() + COMPLAIN;
        let mut pause = if self.keyring.voucher().is_some() { Duration::ZERO } else { AGAIN.0 };
        loop {
            sleep(pause).await;
            let Err(error) = self.renew().await else {
                pause = rng.jitter(self.keys.update, 0.1);
                continue;
            };
            let bare = self.keyring.voucher().is_none();
            pause = if bare { AGAIN.0 } else { AGAIN.1 };
            tracing::debug!(%error, "this member's key is not vouched for anew");
            if bare && Instant::now() >= quiet {
                quiet = Instant::now() + COMPLAIN;
                tell(Event::Trouble { code: error.code(), reason: error.to_string(), hint: HINT });
            }
        }
    }

    async fn renew(&self) -> Result<(), KeysError> {
        let voucher = self.keys.register(&self.access, &self.keyring).await?;
        let (bytes, store) = (voucher.encode(), self.store.clone());
        if !self.keyring.hold(voucher) {
            return Ok(()); // What is held counts for longer: this answer is an old one.
        }
        match tokio::task::spawn_blocking(move || store.save(ITEM, &bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the key manager's word is not kept"),
            Err(error) => tracing::error!(%error, "the key manager's word is not kept"),
        }
        Ok(())
    }
}

#[cfg(test)]
#[cfg(feature = "rsa")]
mod tests;
