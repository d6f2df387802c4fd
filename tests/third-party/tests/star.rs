//! What the author of a plug-in does with it: register it, choose it by name, run the conformance suite, chat.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tertulia::bus::{Events, Filter, Node, Notice};
use tertulia::profile::{Profile, Sources};
use tertulia::registry::{Registry, built_in};
use tertulia_core::engine::api::Event;
use tertulia_core::message::Room;
use tertulia_sim::conformance::topology;
use tertulia_transports::tcp;

type Outcome = Result<(), Box<dyn Error>>;

/// What is built in, and this plug-in: one line.
fn registry() -> Result<Registry, Box<dyn Error>> {
    let mut all = built_in()?;
    all.topology.add(flood_star::KIND, flood_star::Config {}, |config, ()| {
        Ok::<_, String>(flood_star::build(&config))
    })?;
    all.transport
        .add(tcp::KIND, tcp::Config::default(), |config, ()| tcp::build(&config))?;
    Ok(all)
}

fn profile() -> Result<Profile, Box<dyn Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/star.toml");
    Ok(Profile::load(&Sources::new(&[]).profile(path))?)
}

#[test]
fn the_profile_chooses_it_and_it_conforms() -> Outcome {
    let (all, profile) = (registry()?, profile()?);
    all.check(&profile)?;
    let make = |_| all.topology.build(&profile, &()).expect("it was checked");
    let report = topology::topology(&make, &topology::Options::default());
    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(report.kind, "flood-star");
    Ok(())
}

/// Starts a member that the profile describes.
async fn start(
    all: &Registry,
    profile: &Profile,
    nick: &str,
    contact: Option<&Node>,
) -> Result<Node, Box<dyn Error>> {
    let builder = Node::builder()
        .config(profile.engine())
        .group(Arc::new(profile.group_key()?))
        .topology(all.topology.build(profile, &())?)
        .transport(all.transport.build(profile, &())?)
        .crypto(all.crypto.build(profile, &())?)
        .nick(nick);
    let mut events: Events = builder.events(Events::USUAL);
    let builder = match contact {
        Some(contact) => builder.join([contact.addr().to_string()]),
        None => builder.found(),
    };
    let node = builder.start().await?;
    while !matches!(events.next().await, Some(Notice::Event(Event::Ready { .. }))) {}
    Ok(node)
}

#[tokio::test]
async fn three_people_chat_over_it() -> Outcome {
    let (all, profile) = (registry()?, profile()?);
    let chat = async {
        let ana = start(&all, &profile, "ana", None).await?;
        let eva = start(&all, &profile, "eva", Some(&ana)).await?;
        let leo = start(&all, &profile, "leo", Some(&ana)).await?;
        let mut at_leo = leo.subscribe(Filter::all());
        eva.publish(&Room::default(), 1, b"hello from a star").await?;
        let batch = at_leo.next().await.ok_or("the end")?;
        assert!(batch.messages().all(|m| m.payload[..] == b"hello from a star"[..]));
        assert_eq!(leo.view().await.kind, "flood-star");
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(30), chat).await?
}
