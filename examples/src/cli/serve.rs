//! `tertulia serve`: the services of a profile, through which its members find each other and know each other's keys.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tertulia::discovery::service::{Access, News, Running, Service, ServiceEvent};
use tertulia::link::{HandshakeParams, Locator, VOUCHED};
use tertulia::policy;
use tertulia::profile::{Profile, SecretText, address};
use tertulia::registry::Registry;
use tertulia::store::{DataDir, Store, StorePlace, data_home, identity, next_incarnation};
use tokio::sync::mpsc;

use super::{Failure, SourceOptions};
use crate::chat::output::Output;
use crate::chat::signals::Signals;
use crate::chat::told::{Told, hex, told};
use crate::chat::{block_on, log};

/// News that may wait to be told.
const NEWS: usize = 4096;

/// Options of `serve`.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeOptions {
    /// Which profile.
    #[command(flatten)]
    pub source: SourceOptions,
    /// Run this one of the profile's services alone, for example seed-0
    #[arg(long, value_name = "SERVICE")]
    pub only: Option<String>,
    /// Where that one listens, when it is not where the profile says that others reach it
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Run those of this kind alone.
    #[arg(skip)]
    pub kind: Option<&'static str>,
    /// Where the services keep their state, each in a folder of its own
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// What is logged to standard error, for example debug or tertulia=trace
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// A line per event, as without this option
    #[arg(long, conflicts_with = "json")]
    pub plain: bool,
    /// One JSON object per event
    #[arg(long)]
    pub json: bool,
}

impl ServeOptions {
    /// Runs the services until a signal ends it; what they tell goes to `copy` as well.
    ///
    /// # Errors
    /// What makes the profile unusable, with status 2; or why a service cannot run.
    pub fn run(&self, registry: &Registry, copy: Option<File>) -> Result<(), Failure> {
        let mut sources = self.source.sources()?;
        if let Some(filter) = &self.log {
            sources = sources.option("--log", "log.filter", filter);
        }
        let profile = Profile::load(&sources)?;
        registry.check(&profile)?;
        log::start(&profile)?;
        let mut output = Output::new(self.json);
        if let Some(copy) = copy {
            output = output.copied(copy);
        }
        block_on(self.serve(&profile, registry, output))?
    }

    async fn serve(&self, profile: &Profile, registry: &Registry, mut output: Output) -> Result<(), Failure> {
        let cannot =
            |error: std::io::Error| Failure::new(format!("signals cannot be handled: {error}; try again"));
        let mut signals = Signals::new().map_err(cannot)?;
        let (tell, mut news) = mpsc::channel(NEWS);
        let mut running = self.start(profile, registry, &tell).await?;
        drop(tell);
        loop {
            tokio::select! {
                biased;
                () = signals.next() => break,
                Some(event) = news.recv(), if !output.is_full() => output.tell(&tell_of(&event)),
                // When nobody reads, the services go on all the same.
                () = output.flush(), if output.has_pending() => {}
            }
        }
        for service in running.drain(..) {
            service.stop().await;
        }
        Ok(())
    }

    /// Starts the services that are asked for.
    pub(crate) async fn start(
        &self,
        profile: &Profile,
        registry: &Registry,
        told: &mpsc::Sender<ServiceEvent>,
    ) -> Result<Vec<Running>, Failure> {
        let group = Arc::new(profile.group_key()?);
        let transport = registry.transport.build(profile, &())?;
        let crypto = registry.crypto.build(profile, &())?;
        // Members that a key manager authenticates answer nobody who does not know of it.
        let epoch = if registry.keys(profile)?.authenticates() { VOUCHED } else { 0 };
        let mut running = Vec::new();
        for service in self.choose(profile, registry)? {
            let at = match &self.listen {
                Some(listen) => Locator::parse_or(transport.scheme(), listen)
                    .map_err(|error| Failure::usage(format!("--listen: {error}")))?,
                None => service.at().clone(),
            };
            let demo = profile.secret().is_some_and(SecretText::is_demo);
            if demo && !address::is_local(at.as_str(), &profile.transport.kind) {
                return Err(Failure::usage(format!(
                    "{at}: this profile has the demo secret, which everyone knows; `tertulia new` makes a private one"
                )));
            }
            let store = self.store(profile, registry, &service.name())?;
            let broken = |error: tertulia::store::StoreError| Failure::new(error.to_string());
            let (identity, notice) = identity(&*store).map_err(broken)?;
            notice.inspect(|notice| tracing::warn!("{notice}"));
            let ms = std::time::UNIX_EPOCH.elapsed().map_or(0, |passed| passed.as_millis());
            let (incarnation, _) =
                next_incarnation(&*store, u64::try_from(ms).unwrap_or_default()).map_err(broken)?;
            let params = HandshakeParams {
                identity: Arc::new(identity),
                group: group.clone(),
                incarnation,
                epoch,
                admit: policy::admission(registry.policy.build(profile, &())?, epoch),
            };
            let access = Access::new(transport.clone(), crypto.clone(), params);
            let started = service.serve(&at, access, store, told.clone()).await;
            running.push(started.map_err(|error| Failure::new(format!("{}: {error}", service.name())))?);
        }
        Ok(running)
    }

    fn choose(&self, profile: &Profile, registry: &Registry) -> Result<Vec<Box<dyn Service>>, Failure> {
        let mut services = registry.services(profile)?;
        if services.is_empty() {
            return Err(Failure::usage(format!(
                "discovery `{}` has no services to run; choose a profile with another discovery.kind",
                profile.discovery.kind
            )));
        }
        services.retain(|s| self.kind.is_none_or(|kind| s.kind() == kind));
        if let Some(kind) = self.kind.filter(|_| services.is_empty()) {
            return Err(Failure::usage(format!(
                "this profile has no service of the kind `{kind}`; choose another"
            )));
        }
        if let Some(only) = &self.only {
            let names: Vec<String> = services.iter().map(|s| s.name()).collect();
            services.retain(|s| s.name() == *only);
            if services.is_empty() {
                let remedy = tertulia::profile::near::remedy(only, names.iter().map(String::as_str));
                return Err(Failure::usage(format!("this profile has no service `{only}`; {remedy}")));
            }
        }
        if self.listen.is_some() && services.len() > 1 {
            return Err(Failure::usage("--listen: services cannot share an address; name one with --only"));
        }
        Ok(services)
    }

    /// Where a service keeps its state, locked.
    pub(crate) fn store(
        &self,
        profile: &Profile,
        registry: &Registry,
        name: &str,
    ) -> Result<Arc<dyn Store>, Failure> {
        let folder = match &self.data_dir {
            Some(folder) => folder.join(name),
            None => {
                let home = data_home(|name| std::env::var_os(name));
                let home = home.map_err(|error| Failure::usage(error.to_string()))?;
                DataDir::of_service(&home, &profile.group.name, name)
            }
        };
        let place = StorePlace { explicit: Some(folder), home: None, group: profile.group.name.clone() };
        Ok(registry.store.build(profile, &place)?)
    }
}

/// News of a service, as it is told.
fn tell_of(event: &ServiceEvent) -> Told {
    let (service, addr) = (event.service, event.addr.as_str());
    match &event.news {
        News::Ready => told("ready", json!({"service": service, "addr": addr})),
        News::Registered { peer, at } => {
            let at = at.first().map(Locator::as_str);
            told("registered", json!({"service": service, "addr": addr, "peer": hex(*peer), "at": at}))
        }
        News::Removed { peer, reason } => {
            told("removed", json!({"service": service, "addr": addr, "peer": hex(*peer), "reason": reason}))
        }
    }
}
