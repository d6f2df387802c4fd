//! The leader chat as its document has it, as real processes.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]
#![cfg(unix)]

use std::net::TcpListener;

use tertulia_tests::program::group::whole;
use tertulia_tests::program::{Chat, Event, Place, Running};

struct Town {
    place: Place,
    proxy: String,
}

impl Town {
    fn new() -> Town {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Town { place: Place::new(), proxy: free.local_addr().unwrap().to_string() }
    }

    fn run(&self, name: &str, args: &[&str]) -> Chat {
        let proxies = format!("discovery.proxies=[{:?}]", self.proxy);
        self.place.program("leader-chat", name, args).set(&proxies).set("discovery.expire=1h")
    }

    fn proxy(&self) -> Running {
        self.run("proxy", &["proxy"]).start()
    }

    fn member(&self, nick: &str) -> Running {
        self.run(nick, &["--nick", nick]).arg("--data-dir").arg(self.place.data(nick)).start()
    }
}

fn hears(member: &Running, text: &str) {
    member.event(text, |e| match e {
        Event::Message(m) => (&*m.text == text).then_some(()),
        _ => None,
    });
}

#[test]
fn members_come_in_through_the_proxy_and_go_on_without_it() {
    let town = Town::new();
    let proxy = town.proxy();
    assert_eq!(proxy.named("ready")["service"], "proxy");
    let ana = town.member("ana");
    let known = proxy.named("registered");
    assert_eq!(known["peer"], *ana.peer());
    let ben = town.member("ben");
    let eva = town.member("eva");
    whole(&[&ana, &ben, &eva]);

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
}
