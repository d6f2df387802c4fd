//! The checks themselves.

use tertulia::link::{Locator, RxBatch, TransportCode, TransportError, TxBatch};
use tokio::task::JoinSet;

use super::Subject;
use super::io::{close, expect, fill, flush, join, link, send, text, try_flush};
use crate::conformance::report::ensure;

fn say(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn inbox(subject: &Subject) -> RxBatch {
    RxBatch::new(64, subject.transport.caps().max_record)
}

pub(super) async fn address(subject: &Subject) -> Result<(), String> {
    let scheme = subject.transport.scheme();
    let listener = subject.transport.listen(&subject.listen).await.map_err(say)?;
    let local = listener.local();
    ensure(local.scheme() == scheme, || format!("listens on {local}, not on a {scheme} address"))?;
    let rest = local.rest();
    let vague = rest.is_empty() || rest.ends_with(":0") || rest.contains("0.0.0.0") || rest.contains("[::]");
    ensure(!vague, || format!("`local()` is {local}, which nobody can dial"))?;
    let (near, far, _listener) = join(subject, listener).await?;
    ensure(near.remote == local, || format!("dialled {local} and calls it {}", near.remote))?;
    ensure(far.remote.scheme() == scheme, || format!("accepted a link from {}", far.remote))?;
    match subject.transport.listen(&local).await {
        Ok(_) => return Err(format!("two listeners on {local}")),
        Err(e) => {
            ensure(e.kind() == TransportCode::AddressInUse, || format!("a taken address reports `{e}`"))?;
        }
    }
    let foreign = Locator::new("elsewhere", rest).map_err(|e| e.to_string())?;
    let refused = |e: &TransportError| e.kind() == TransportCode::BadAddress;
    let listened = subject.transport.listen(&foreign).await.err();
    ensure(listened.as_ref().is_some_and(refused), || format!("listening on {foreign} gave {listened:?}"))?;
    let dialled = subject.transport.dial(&foreign).await.err();
    ensure(dialled.as_ref().is_some_and(refused), || format!("dialling {foreign} gave {dialled:?}"))
}

pub(super) async fn echo(subject: &Subject) -> Result<(), String> {
    let most = subject.transport.caps().max_record;
    let mut sizes = vec![0, 1, 2, 3, 4, 5, 100, 1000, 4095, 4096, 4097, 65_535, 65_536, most - 1, most];
    sizes.retain(|size| *size <= most);
    let (mut near, mut far, _listener) = link(subject).await?;
    let (mut there, mut back) = (inbox(subject), inbox(subject));
    let count = sizes.len();
    let forward = async {
        for _ in 0..count {
            fill(&mut *far.rx, &mut there).await.map_err(say)?;
            let record = there.pop().unwrap_or_default();
            send(&mut *far.tx, &record).await.map_err(say)?;
        }
        Ok::<_, String>(())
    };
    let ask = async {
        for (number, size) in sizes.into_iter().enumerate() {
            send(&mut *near.tx, &text(number, size)).await.map_err(say)?;
            expect(&mut *near.rx, &mut back, number..number + 1, |_| size).await?;
        }
        Ok::<_, String>(())
    };
    tokio::try_join!(forward, ask).map(drop)
}

pub(super) async fn batches(subject: &Subject) -> Result<(), String> {
    const RECORDS: usize = 5_000;
    let len = |number: usize| number * 37 % 700;
    let (mut near, mut far, _listener) = link(subject).await?;
    let mut inbox = inbox(subject);
    let write = async {
        let mut batch = TxBatch::new(TxBatch::USUAL);
        let mut sent = 0;
        for number in 0..RECORDS {
            batch.push(&text(number, len(number)));
            if !batch.has_room() || number % 977 == 0 {
                sent += flush(&mut *near.tx, &mut batch).await.map_err(say)?;
            }
        }
        sent += flush(&mut *near.tx, &mut batch).await.map_err(say)?;
        ensure(sent == RECORDS, || format!("{RECORDS} records were handed over and {sent} counted"))
    };
    let read = expect(&mut *far.rx, &mut inbox, 0..RECORDS, len);
    tokio::try_join!(write, read).map(drop)
}

pub(super) async fn oversize(subject: &Subject) -> Result<(), String> {
    let (mut near, mut far, _listener) = link(subject).await?;
    let mut small = RxBatch::new(4, 100);
    send(&mut *near.tx, &text(0, 100)).await.map_err(say)?;
    expect(&mut *far.rx, &mut small, 0..1, |_| 100).await?;
    send(&mut *near.tx, &text(1, 101)).await.map_err(say)?;
    match fill(&mut *far.rx, &mut small).await {
        Err(error) if error.kind() == TransportCode::Oversize => Ok(()),
        other => Err(format!("101 bytes where 100 are allowed gave {other:?}")),
    }
}

pub(super) async fn back_pressure(subject: &Subject) -> Result<(), String> {
    const MOST: usize = 64 << 20;
    let size = subject.transport.caps().max_record.min(16 * 1024);
    let (mut near, mut far, _listener) = link(subject).await?;
    let mut inbox = inbox(subject);
    let mut batch = TxBatch::new(TxBatch::USUAL);
    let mut pushed = 0;
    loop {
        while batch.has_room() {
            batch.push(&text(pushed, size));
            pushed += 1;
        }
        // Time for the system to move what it has taken: a full buffer may only just have room again.
        tokio::task::yield_now().await;
        if !try_flush(&mut *near.tx, &mut batch).await.map_err(say)? {
            break;
        }
        let held = pushed * size;
        ensure(held < MOST, || format!("{held} bytes were taken although nobody reads"))?;
    }
    let write = async {
        flush(&mut *near.tx, &mut batch).await.map_err(say)?;
        close(&mut *near.tx).await.map_err(say)
    };
    let read = async {
        expect(&mut *far.rx, &mut inbox, 0..pushed, |_| size).await?;
        ended(fill(&mut *far.rx, &mut inbox).await)
    };
    tokio::try_join!(write, read).map(drop)
}

fn ended(result: Result<(), TransportError>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() == TransportCode::Closed => Ok(()),
        other => Err(format!("expected the end of the link, got {other:?}")),
    }
}

pub(super) async fn closed(subject: &Subject) -> Result<(), String> {
    let (mut near, mut far, _listener) = link(subject).await?;
    let (mut there, mut back) = (inbox(subject), inbox(subject));
    for number in 0..10 {
        send(&mut *near.tx, &text(number, 1000)).await.map_err(say)?;
    }
    close(&mut *near.tx).await.map_err(say)?;
    expect(&mut *far.rx, &mut there, 0..10, |_| 1000).await?;
    ended(fill(&mut *far.rx, &mut there).await)?;
    // The other direction is still open.
    send(&mut *far.tx, &text(10, 1000)).await.map_err(say)?;
    expect(&mut *near.rx, &mut back, 10..11, |_| 1000).await?;
    dropped(subject).await
}

async fn dropped(subject: &Subject) -> Result<(), String> {
    let (mut near, mut far, _listener) = link(subject).await?;
    let mut there = inbox(subject);
    for number in 0..10 {
        send(&mut *near.tx, &text(number, 1000)).await.map_err(say)?;
    }
    drop(near);
    expect(&mut *far.rx, &mut there, 0..10, |_| 1000).await?;
    ended(fill(&mut *far.rx, &mut there).await)?;
    // A sender learns it as well, after at most what the system still takes.
    for _ in 0..10_000 {
        if let Err(error) = send(&mut *far.tx, &text(0, 1000)).await {
            return ended(Err(error));
        }
        tokio::task::yield_now().await;
    }
    Err("a sender never learned that the other side is gone".into())
}

pub(super) async fn nobody(subject: &Subject) -> Result<(), String> {
    match subject.transport.dial(&subject.nobody).await {
        Ok(_) => Err(format!("dialling {} where nobody listens succeeded", subject.nobody)),
        Err(error) => ensure(error.kind() == TransportCode::Unreachable, || {
            format!("dialling where nobody listens reports `{}`: {error}", error.code())
        }),
    }
}

pub(super) async fn listener_gone(subject: &Subject) -> Result<(), String> {
    let (mut near, mut far, listener) = link(subject).await?;
    let local = listener.local();
    drop(listener);
    ensure(subject.transport.dial(&local).await.is_err(), || format!("{local} still answers"))?;
    send(&mut *near.tx, &text(0, 100)).await.map_err(say)?;
    expect(&mut *far.rx, &mut inbox(subject), 0..1, |_| 100).await?;
    subject
        .transport
        .listen(&local)
        .await
        .map(drop)
        .map_err(|e| format!("the address is not free again: {e}"))
}

pub(super) async fn many(subject: &Subject) -> Result<(), String> {
    const LINKS: usize = 48;
    let mut listener = subject.transport.listen(&subject.listen).await.map_err(say)?;
    let local = listener.local();
    let most = subject.transport.caps().max_record;
    let mut tasks = JoinSet::new();
    for number in 0..LINKS {
        let (transport, local) = (subject.transport.clone(), local.clone());
        tasks.spawn(async move {
            let mut link = transport.dial(&local).await.map_err(say)?;
            let mut inbox = RxBatch::new(8, most);
            for round in 0..20 {
                send(&mut *link.tx, &text(number, 500 + round)).await.map_err(say)?;
                expect(&mut *link.rx, &mut inbox, number..number + 1, |_| 500 + round).await?;
            }
            Ok::<_, String>(())
        });
    }
    for _ in 0..LINKS {
        let mut link = listener.accept().await.map_err(say)?;
        tasks.spawn(async move {
            let mut inbox = RxBatch::new(8, most);
            // The dialling side judges; here the end is as good as an error.
            while fill(&mut *link.rx, &mut inbox).await.is_ok() {
                let record = inbox.pop().unwrap_or_default();
                send(&mut *link.tx, &record).await.map_err(say)?;
            }
            Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|e| format!("a link's task failed: {e}"))??;
    }
    Ok(())
}
