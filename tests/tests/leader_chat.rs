//! The leader chat as its document has it, as real processes.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]
#![cfg(unix)]

use std::net::TcpListener;

use tertulia_tests::program::group::whole;
use tertulia_tests::program::{Chat, Event, Place, Running, star};

struct Town {
    place: Place,
    proxy: String,
}

impl Town {
    fn new() -> Town {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Town { place: Place::new(), proxy: free.local_addr().unwrap().to_string() }
    }

    fn proxies(&self) -> String {
        format!("discovery.proxies=[{:?}]", self.proxy)
    }

    fn run(&self, name: &str, args: &[&str]) -> Chat {
        self.place.program("leader-chat", name, args).set(&self.proxies()).set("discovery.expire=1h")
    }

    /// The proxy, which keeps what it knows where it kept it before.
    fn proxy(&self) -> Running {
        let proxy = self.run("proxy", &["proxy"]).start();
        assert_eq!(proxy.named("ready")["service"], "proxy");
        proxy
    }

    fn chat(&self, nick: &str) -> Chat {
        self.run(nick, &["--nick", nick]).arg("--data-dir").arg(self.place.data(nick))
    }

    fn member(&self, nick: &str) -> Running {
        self.chat(nick).start()
    }

    /// A proxy, and three members that came in through it; the first one leads.
    fn three(&self) -> (Running, [Running; 3]) {
        let proxy = self.proxy();
        let ana = self.member("ana");
        registers(&proxy, &ana);
        let [ben, eva] = ["ben", "eva"].map(|nick| self.member(nick));
        whole(&[&ana, &ben, &eva]);
        (proxy, [ana, ben, eva])
    }

    /// What `tertulia ticket` says of this group on standard error.
    fn ticket(&self) -> String {
        let output = self.place.run("tertulia", &["ticket", "leader", "--set", &self.proxies()], &[]);
        assert_eq!(output.status, 0, "{}", output.stderr);
        assert!(output.stdout.starts_with("tertulia1:"), "{}", output.stdout);
        output.stderr
    }
}

fn hears(member: &Running, text: &str) {
    member.event(text, |e| match e {
        Event::Message(m) => (&*m.text == text).then_some(()),
        _ => None,
    });
}

/// Waits until the proxy sends newcomers to this member.
fn registers(proxy: &Running, leader: &Running) {
    proxy.about(0, &["registered"], &leader.peer());
}

/// A leader that is alone, and whose proxy was killed once it had kept that.
fn known_to_a_dead_proxy(town: &Town) -> Running {
    let proxy = town.proxy();
    let ana = town.member("ana");
    registers(&proxy, &ana);
    // Whoever is answered after that finds it kept.
    town.ticket();
    proxy.kill();
    ana
}

/// Whom all of these follow, and the others.
fn led<'a>(members: &[&'a Running]) -> (&'a Running, Vec<&'a Running>) {
    star::agreed(members);
    let leader = members[0].ask("/topology", "topology")["leader"].as_str().unwrap().to_owned();
    let (leaders, others): (Vec<_>, Vec<_>) = members.iter().partition(|m| m.peer() == leader);
    (leaders[0], others)
}

#[test]
fn members_come_in_through_the_proxy_and_go_on_without_it() {
    let town = Town::new();
    let (proxy, [ana, ben, eva]) = town.three();
    let notes = town.ticket();
    assert!(notes.contains("all addresses are of this machine"), "{notes}");

    let ida = town.member("ida");
    whole(&[&ana, &ben, &eva, &ida]);

    // The proxy's death: nobody notices, and who was there comes back.
    proxy.kill();
    ben.say("is anybody there?");
    hears(&ida, "is anybody there?");
    eva.say("$exit");
    assert_eq!(eva.exit(), 0);
    let eva = town.member("eva");
    whole(&[&ana, &ben, &eva, &ida]);
    eva.say("back again");
    hears(&ben, "back again");
    let notes = town.ticket();
    assert!(notes.contains("the ticket goes without what it knows"), "{notes}");
}

/// The leader dies as soon as the last one is in, and the next one leaves as soon as another one is: both times an heir is
/// elected, the proxy knows it, and newcomers come in.
/// The proxy does not take the second leader's word, and names the first one: so the two meet.
#[test]
fn a_group_that_was_founded_beside_another_becomes_one_with_it() {
    let town = Town::new();
    let proxy = town.proxy();
    let ana = town.member("ana");
    registers(&proxy, &ana);
    let eva = town.chat("eva").arg("--found").start();
    whole(&[&ana, &eva]);
    let ida = town.member("ida");
    whole(&[&ana, &eva, &ida]);
    ida.say("one group");
    [&ana, &eva].into_iter().for_each(|member| hears(member, "one group"));
}

#[test]
fn the_heir_of_a_leader_registers_and_newcomers_come_in() {
    let town = Town::new();
    let (proxy, [ana, ben, eva]) = town.three();
    ana.kill();
    let (heir, others) = led(&[&ben, &eva]);
    registers(&proxy, heir);

    let ida = town.member("ida");
    whole(&[heir, others[0], &ida]);
    heir.say("$exit");
    assert_eq!(heir.exit(), 0);
    let (last, _) = led(&[others[0], &ida]);
    registers(&proxy, last);
    let uma = town.member("uma");
    whole(&[others[0], &ida, &uma]);
    uma.say("who leads?");
    hears(&ida, "who leads?");
}

/// What the proxy was told it knows after a death of its own, at once: nobody founds a second group.
#[test]
fn a_proxy_that_was_killed_knows_the_group() {
    let town = Town::new();
    let ana = known_to_a_dead_proxy(&town);
    let proxy = town.proxy();
    let ben = town.member("ben");
    whole(&[&ana, &ben]);
    let eva = town.member("eva");
    whole(&[&ana, &ben, &eva]);

    // Its leader changes while it is away, be it before it was told of the others.
    proxy.kill();
    ana.kill();
    let (heir, others) = led(&[&ben, &eva]);
    let proxy = town.proxy();
    let ida = town.member("ida");
    whole(&[heir, others[0], &ida]);
    assert_eq!(proxy.named("registered")["peer"], *heir.peer(), "nobody else leads");
}

/// It was told of the leader alone, which is dead when it is back: a newcomer founds no second group before the heir has told
/// of itself.
#[test]
fn a_proxy_that_was_killed_waits_for_an_heir_that_it_has_not_heard_of() {
    let town = Town::new();
    let ana = known_to_a_dead_proxy(&town);
    let [ben, eva] = ["ben", "eva"].map(|nick| town.chat(nick).arg("--join").arg(ana.addr()).start());
    whole(&[&ana, &ben, &eva]);
    ana.kill();
    let (heir, others) = led(&[&ben, &eva]);
    let proxy = town.proxy();
    let ida = town.member("ida");
    whole(&[heir, others[0], &ida]);
    assert_eq!(proxy.named("registered")["peer"], *heir.peer(), "nobody else leads");
}

/// A member that knows the others comes back though every service is down, be it the one that led.
#[test]
fn members_come_back_with_every_service_down() {
    let town = Town::new();
    let (proxy, [ana, ben, eva]) = town.three();
    proxy.kill();
    ana.kill();
    led(&[&ben, &eva]);
    let ana = town.member("ana");
    whole(&[&ana, &ben, &eva]);
    led(&[&ana, &ben, &eva]);
    ana.say("here I am");
    hears(&eva, "here I am");
}
