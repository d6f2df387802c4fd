//! The leader chat's RSA key manager as its document has it, as real processes.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]
#![cfg(unix)]

use std::net::TcpListener;

use tertulia_tests::program::group::whole;
use tertulia_tests::program::{Chat, Event, Place, Running, Signal};

/// The file with the manager's public key.
const PUBLIC: &str = "manager.pub.pem";

struct Town {
    place: Place,
    proxy: String,
    manager: String,
}

impl Town {
    fn new() -> Town {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (one, two) = (free(), free());
        let at = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
        Town { place: Place::new(), proxy: at(&one), manager: at(&two) }
    }

    /// A program that knows where proxy and manager are.
    fn bare(&self, name: &str, args: &[&str]) -> Chat {
        self.place
            .program("leader-chat", name, args)
            .set(&format!("discovery.proxies=[{:?}]", self.proxy))
            .set("discovery.expire=1h")
            .set(&format!("crypto.keys.manager={}", self.manager))
    }

    /// One that has the manager's public key.
    fn run(&self, name: &str, args: &[&str]) -> Chat {
        self.bare(name, args).set(&format!("crypto.keys.public_key={PUBLIC}"))
    }

    fn keys(&self) -> Running {
        let keys = self.run("keys", &["keys"]).start();
        assert_eq!(keys.named("ready")["service"], "keys");
        keys
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

/// Waits until it is refused for good, and ends; with which code.
fn refused(member: &Running) -> String {
    let code = member.named("refused")["code"].as_str().unwrap().to_owned();
    assert_eq!(member.exit(), 1);
    code
}

#[test]
fn members_authenticate_and_go_on_without_the_key_manager() {
    let town = Town::new();
    let generate = || town.place.run("leader-chat", &["keys", "generate"], &[]);
    let made = generate();
    assert_eq!((made.status, &*made.stderr), (0, ""), "{}", made.stdout);
    let public = std::fs::read_to_string(town.place.path().join(PUBLIC)).unwrap();
    assert!(public.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{public}");
    // Said again, it makes no other key.
    assert_eq!(generate().status, 0);
    assert_eq!(std::fs::read_to_string(town.place.path().join(PUBLIC)).unwrap(), public);

    let keys = town.keys();
    let proxy = town.run("proxy", &["proxy"]).start();
    proxy.named("ready");
    let ana = town.member("ana");
    assert_eq!(keys.named("registered")["peer"], *ana.peer());
    let ben = town.member("ben");
    let eva = town.member("eva");
    whole(&[&ana, &ben, &eva]);
    ana.say("we know each other");
    hears(&eva, "we know each other");

    // Who has no key that the manager vouches for is told so, and the group is none the worse for it.
    let without = town.bare("without", &["--nick", "without"]).arg("--join").arg(ana.addr()).start();
    assert_eq!(refused(&without), "keys");
    let other = "other.pub.pem";
    let made = town.place.run("leader-chat", &["keys", "generate", "--data-dir", "b", "--output", "b"], &[]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    std::fs::rename(town.place.path().join("b").join(PUBLIC), town.place.path().join(other)).unwrap();
    let false_manager = town.bare("false", &["keys", "--data-dir", "b", "--listen", "127.0.0.1:0"]).start();
    let at = false_manager.named("ready")["addr"].as_str().unwrap().to_owned();
    let eve = ["--nick", "eve", "--join", &ana.addr()].map(ToOwned::to_owned);
    let eve = town.bare("eve", &eve.each_ref().map(String::as_str));
    let eve = eve.set(&format!("crypto.keys.manager={at}")).set(&format!("crypto.keys.public_key={other}"));
    assert_eq!(refused(&eve.start()), "bad-voucher");

    // Its death: nobody notices, and who was there comes back.
    keys.kill();
    ben.say("is anybody there?");
    hears(&ana, "is anybody there?");
    hears(&eva, "is anybody there?");
    eva.say("$exit");
    assert_eq!(eva.exit(), 0);
    let eva = town.member("eva");
    whole(&[&ana, &ben, &eva]);
    eva.say("back again");
    hears(&ben, "back again");

    // A newcomer waits for it.
    let ida = town.member("ida");
    ida.named("error");
    let keys = town.keys();
    whole(&[&ana, &ben, &eva, &ida]);
    assert_eq!(keys.named("registered")["peer"], *ida.peer());
    keys.signal(Signal::TERM);
    assert_eq!(keys.exit(), 0);
    for member in [&ana, &ben, &eva, &ida] {
        member.say("$exit");
        assert_eq!(member.exit(), 0);
    }
}

#[test]
fn the_key_manager_states_ready_and_what_is_wrong() {
    let place = Place::new();
    let says = |program: &str, args: &[&str], text: &str| {
        let output = place.run(program, args, &[]);
        assert_eq!((output.status, &*output.stdout), (2, ""), "{args:?}");
        assert!(output.stderr.contains(text), "{}", output.stderr);
    };
    let set = ["--set", "crypto.keys.public_key=nowhere.pem"];
    says("leader-chat", &["--plain", set[0], set[1]], "public_key: nowhere.pem: ");
    says("leader-chat", &["keys", "ring"], "discovery `local` has no services to run");
    says("leader-chat", &["keys", "gossip"], "this profile has no service of the kind `keys`");
    says("tertulia", &["serve", "leader", "--set", "crypto.keys.expire=1h"], "at least twice `update`");
    std::fs::write(place.path().join(PUBLIC), "another").unwrap();
    says("leader-chat", &["keys", "generate"], "nothing is overwritten");
    let at = ["--set", "crypto.keys.manager=127.0.0.1:0"];
    let plain = place.served("tertulia", &["serve", "leader", "--only", "keys-0", at[0], at[1]]);
    plain.until("Ready", |state| {
        state.lines.iter().any(|line| line.starts_with("* Ready: keys at tcp://")).then_some(())
    });
    plain.signal(Signal::TERM);
    assert_eq!(plain.exit(), 0);
}
