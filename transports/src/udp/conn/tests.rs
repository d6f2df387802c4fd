//! Two ends of a link and a network between them, in virtual time.

use std::collections::BTreeMap;

use tertulia_core::rng::NodeRng;

use super::super::wire::Datagram;
use super::*;

const KEY: Key = [3; 32];
const MS: Duration = Duration::from_millis(1);

/// Both ends, and what is on its way to each.
struct Net {
    now: Instant,
    ends: [Conn; 2],
    way: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    count: u64,
    rng: NodeRng,
    loss: f64,
    /// Datagrams and bytes that either end sent.
    sent: [usize; 2],
    read: [Vec<Vec<u8>>; 2],
    to_send: [TxBatch; 2],
}

impl Net {
    fn new(loss: f64) -> Net {
        let now = Instant::now();
        Net {
            now,
            ends: [Conn::new(2, true, 5, now), Conn::new(1, false, 5, now)],
            way: BTreeMap::new(),
            count: 0,
            rng: NodeRng::new(11),
            loss,
            sent: [0; 2],
            read: Default::default(),
            to_send: [TxBatch::new(1 << 20), TxBatch::new(1 << 20)],
        }
    }

    fn linked(loss: f64) -> Net {
        let mut net = Net::new(loss);
        (0..2).for_each(|end| net.tell(end, |conn, now, out| conn.established(&KEY, now, out)));
        net
    }

    fn tell(&mut self, end: usize, f: impl FnOnce(&mut Conn, Instant, &mut Out)) {
        let mut out = Out::default();
        f(&mut self.ends[end], self.now, &mut out);
        out.drain(|datagram| self.put(end, datagram.to_vec()));
    }

    fn put(&mut self, from: usize, datagram: Vec<u8>) {
        self.sent[from] += 1;
        if !self.rng.chance(self.loss) {
            let delay = Duration::from_micros(5_000 + self.rng.below(1_000) as u64);
            self.count += 1;
            self.way.insert((self.now + delay, self.count), (1 - from, datagram));
        }
    }

    /// Sends what may leave.
    fn pump(&mut self, end: usize) {
        let mut burst = Burst::new();
        loop {
            self.ends[end].fill(self.now, &self.to_send[end], 16, &mut burst);
            if burst.count == 0 {
                return;
            }
            let datagrams: Vec<_> = burst.bytes.chunks(burst.segment).map(<[u8]>::to_vec).collect();
            assert_eq!(datagrams.len(), burst.count);
            let fresh = self.ends[end].commit(self.now, &self.to_send[end], &burst);
            self.to_send[end].sent(fresh);
            datagrams.into_iter().for_each(|datagram| self.put(end, datagram));
        }
    }

    fn arrive(&mut self, to: usize, datagram: &[u8]) {
        self.tell(to, |conn, now, out| match Datagram::parse(datagram) {
            Some(Datagram::Hand { number, message, .. }) => conn.on_hand(now, number, Some(message), out),
            Some(Datagram::End { number, .. }) => conn.on_hand(now, number, None, out),
            Some(Datagram::Heard { number, .. }) => conn.on_heard(number),
            Some(Datagram::Session { .. }) => {
                conn.on_session(now, datagram, out);
                conn.settle_up(now, out);
            }
            other => panic!("{other:?}"),
        });
    }

    /// Lets time pass; what arrives is read when `reads`.
    fn run(&mut self, time: Duration, reads: bool) {
        let until = self.now + time;
        while self.now < until {
            self.now += MS / 2;
            while let Some(first) = self.way.first_entry().filter(|first| first.key().0 <= self.now) {
                let (to, datagram) = first.remove();
                self.arrive(to, &datagram);
            }
            for end in 0..2 {
                let waits = !self.to_send[end].is_empty();
                if self.ends[end].deadline(self.now, waits).is_some_and(|at| at <= self.now) {
                    self.tell(end, Conn::on_deadline);
                }
                self.pump(end);
                let mut got = Vec::new();
                while reads && let Some(record) = self.ends[end].pop_record() {
                    got.push(record.to_vec());
                }
                if !got.is_empty() {
                    self.tell(end, Conn::made_room);
                    self.read[end].append(&mut got);
                }
            }
        }
    }
}

#[test]
fn messages_of_a_handshake_arrive_once_and_in_order_whatever_is_lost() {
    let mut net = Net::new(0.4);
    for round in 0..3u8 {
        for end in 0..2 {
            let message = [round; 50];
            net.tell(end, |conn, now, out| assert!(conn.send_hand(now, &message, out)));
            net.run(MS * 3_000, true);
            assert_eq!(net.ends[1 - end].pop_hand().as_deref(), Some(&message[..]));
            assert_eq!(net.ends[1 - end].pop_hand(), None);
        }
    }
}

#[test]
fn records_get_through_a_bad_way_and_each_way_ends() {
    for loss in [0.0, 0.05, 0.2] {
        let mut net = Net::linked(loss);
        let records: Vec<Vec<u8>> = (0..2_000u32).map(|n| n.to_le_bytes().repeat(200)).collect();
        records.iter().for_each(|record| net.to_send[0].push(record));
        net.run(MS * 8_000, true);
        let mut got = net.read[1].clone();
        got.sort();
        got.dedup();
        assert!(got.len() >= 1_995, "{} of 2000 at {loss}", got.len());
        assert!(got.iter().all(|record| records.contains(record)));
        net.tell(0, |conn, now, out| conn.close(now, false, out));
        net.run(MS * 1_500, true);
        assert!(net.ends[0].is_closed() && net.ends[1].is_read_out() && !net.ends[0].is_read_out());
        // The other way is open still.
        net.to_send[1].push(b"back");
        net.run(MS * 500, true);
        assert_eq!(net.read[0], [b"back"]);
        net.tell(1, |conn, now, out| conn.close(now, true, out));
        net.tell(0, |conn, now, out| conn.close(now, true, out));
        net.run(MS * 2_000, true);
        assert!((0..2).all(|end| net.ends[end].is_over(net.now)), "at {loss}");
    }
}

#[test]
fn who_does_not_read_is_sent_no_more_and_loses_nothing() {
    let mut net = Net::linked(0.0);
    (0..3_000u32).for_each(|n| net.to_send[0].push(&n.to_le_bytes()));
    net.run(MS * 3_000, false);
    assert!(net.to_send[0].len() >= 3_000 - INBOX_MOST, "{} wait", net.to_send[0].len());
    let before = net.sent[0];
    net.run(MS * 5_000, false);
    assert!(net.sent[0] - before < 60, "{} more into a full inbox", net.sent[0] - before);
    net.run(MS * 3_000, true);
    let expected: Vec<Vec<u8>> = (0..3_000u32).map(|n| n.to_le_bytes().to_vec()).collect();
    net.read[1].sort_by_key(|r| u32::from_le_bytes(r[..].try_into().unwrap()));
    assert_eq!(net.read[1], expected);
}

#[test]
fn a_quiet_link_lives_and_a_dead_one_is_over() {
    let mut net = Net::linked(0.0);
    net.run(MS * 60_000, true);
    assert!((0..2).all(|end| !net.ends[end].is_read_out() && !net.ends[end].is_deaf()));
    assert!(net.sent[0] < 60, "{} datagrams in a quiet minute", net.sent[0]);
    net.loss = 1.0;
    net.run(DEAD - MS * 3_500, true);
    assert!(!net.ends[0].is_deaf());
    net.run(MS * 5_000, true);
    assert!((0..2).all(|end| net.ends[end].is_deaf() && net.ends[end].is_read_out()));
}

#[test]
fn nobody_without_the_key_can_end_or_feed_a_link() {
    let mut net = Net::linked(0.0);
    let mut rng = NodeRng::new(5);
    for number in 0..2_000u64 {
        let session = [Session::Ping, Session::Fin { gone: true }, Session::Record(b"false")][rng.below(3)];
        let mut forged = Vec::new();
        session.write(&[4; 32], 1, number, &mut forged);
        net.arrive(rng.below(2), &forged);
    }
    // An end of a handshake, which has no tag, says nothing to a link that is up.
    net.arrive(0, &wire::hand(1, 0, None));
    net.to_send[0].push(b"true");
    net.run(MS * 100, true);
    assert_eq!(net.read[1], [b"true"]);
    assert!(net.read[0].is_empty() && !net.ends[0].is_deaf());
}

#[test]
fn a_stranger_that_was_refused_costs_nothing_more_and_is_soon_forgotten() {
    let mut net = Net::new(0.0);
    let long = |number: u64| {
        let mut out = Vec::new();
        Session::Record(&[7; 9_000]).write(&KEY, 1, number, &mut out);
        out
    };
    let held = |net: &Net| net.ends[1].early.iter().map(Vec::len).sum::<usize>();
    (0..200).for_each(|number| net.arrive(1, &long(number)));
    assert!((1..=EARLY.1).contains(&held(&net)), "{} bytes", held(&net));
    net.loss = 1.0;
    net.tell(1, |conn, now, out| conn.close(now, true, out));
    (0..200).for_each(|number| net.arrive(1, &long(number)));
    net.arrive(1, &wire::hand(2, 0, Some(&[1; 500])));
    assert!(held(&net) == 0 && !net.ends[1].hand.has_arrived());
    net.run(REFUSED + MS * 100, false);
    assert!(net.ends[1].is_over(net.now), "it does not say that it heard of its refusal");
}
