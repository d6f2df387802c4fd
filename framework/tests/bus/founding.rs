//! The right to found lasts for as long as whoever has it needs it.

use std::sync::Arc;
use std::time::Duration;

use tertulia::crypto::{Identity, plain};
use tertulia::discovery::service::Access;
use tertulia::discovery::{Discovery, DiscoveryError, Seeds, SeedsConfig};
use tertulia::link::{HandshakeParams, admit_epoch};
use tertulia::store::MemoryStore;
use tertulia_core::id::Incarnation;
use tokio::sync::mpsc;

use crate::common::Group;

fn access(group: &Group) -> Access {
    let params = HandshakeParams {
        identity: Arc::new(Identity::generate().unwrap()),
        group: group.key.clone(),
        incarnation: Incarnation(1),
        epoch: 0,
        admit: admit_epoch(0),
    };
    Access::new(group.transport.clone(), plain::build(&plain::Config::default()), params)
}

fn client(group: &Group) -> Arc<Seeds> {
    let config = SeedsConfig { seeds: vec!["memory://seed".into()], ..SeedsConfig::default() };
    let client = Seeds::build(config, "memory").unwrap();
    client.attach(access(group));
    client
}

#[tokio::test(start_paused = true)]
async fn a_founder_that_takes_its_time_stays_the_only_one() {
    let group = Group::memory();
    let (slow, other) = (client(&group), client(&group));
    let seed = slow.services().remove(0);
    let (told, _news) = mpsc::channel(16);
    let store = Arc::new(MemoryStore::default());
    let _running = seed.serve(seed.at(), access(&group), store, told).await.unwrap();

    let founding = slow.founding().await.unwrap();
    // Longer than a service waits for who does not ask again.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(matches!(other.founding().await, Err(DiscoveryError::Busy(_))));
    drop(founding);
    other.founding().await.unwrap();
}
