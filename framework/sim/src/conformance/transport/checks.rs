//! The checks themselves.

use std::time::Duration;

use tertulia::link::{Locator, RxBatch, TransportCode, TransportError, TxBatch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Subject;
use super::io::{
    KEY, any_order, ask, close, expect, fill, flush, in_order, join, link, send, text, try_flush,
};
use crate::conformance::report::ensure;

fn say(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A length of about so many bytes that the transport carries.
fn about(subject: &Subject, len: usize) -> usize {
    len.min(subject.transport.caps().max_record)
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

pub(super) async fn handshake(subject: &Subject) -> Result<(), String> {
    let listener = subject.transport.listen(&subject.listen).await.map_err(say)?;
    let (mut near, mut far, _listener) = join(subject, listener).await?;
    let (mut there, mut back) = (inbox(subject), inbox(subject));
    for number in 0..3 {
        send(&mut *near.tx, &text(number, 300)).await.map_err(say)?;
        in_order(&mut *far.rx, &mut there, number..number + 1, |_| 300).await?;
        send(&mut *far.tx, &text(number, 400)).await.map_err(say)?;
        // The one that speaks last may go on at once with the link's own records.
        if number == 2 {
            far.tx.established(&KEY);
            send(&mut *far.tx, &text(7, 200)).await.map_err(say)?;
        }
        in_order(&mut *near.rx, &mut back, number..number + 1, |_| 400).await?;
    }
    near.tx.established(&KEY);
    expect(subject, &mut *near.rx, &mut back, 7..8, |_| 200).await
}

pub(super) async fn echo(subject: &Subject) -> Result<(), String> {
    let most = subject.transport.caps().max_record;
    let mut sizes = vec![0, 1, 2, 3, 4, 5, 100, 1000, 4095, 4096, 4097, 65_535, 65_536, most - 1, most];
    sizes.retain(|size| *size <= most);
    let (mut near, mut far, _listener) = link(subject).await?;
    let (mut there, mut back) = (inbox(subject), inbox(subject));
    let forward = async {
        loop {
            fill(&mut *far.rx, &mut there).await.map_err(say)?;
            let record = there.pop().unwrap_or_default();
            send(&mut *far.tx, &record).await.map_err(say)?;
        }
        #[expect(unreachable_code, reason = "names the type of the errors above")]
        Ok::<(), String>(())
    };
    let asks = async {
        for (number, size) in sizes.into_iter().enumerate() {
            ask(subject, &mut near, &mut back, number, size).await?;
        }
        Ok::<_, String>(())
    };
    tokio::select! {
        asked = asks => asked,
        Err(error) = forward => Err(error),
    }
}

pub(super) async fn batches(subject: &Subject) -> Result<(), String> {
    const RECORDS: usize = 5_000;
    let most = about(subject, 700);
    let len = |number: usize| number * 37 % most;
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
    let read = expect(subject, &mut *far.rx, &mut inbox, 0..RECORDS, len);
    tokio::try_join!(write, read).map(drop)
}

pub(super) async fn oversize(subject: &Subject) -> Result<(), String> {
    let (mut near, mut far, _listener) = link(subject).await?;
    let mut small = RxBatch::new(4, 100);
    send(&mut *near.tx, &text(0, 100)).await.map_err(say)?;
    expect(subject, &mut *far.rx, &mut small, 0..1, |_| 100).await?;
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
        let goes_on = if subject.transport.caps().is_stream() {
            try_flush(&mut *near.tx, &mut batch).await.map_err(say)?
        } else {
            // What has to wait for its pace only goes on soon.
            timeout(Duration::from_secs(2), flush(&mut *near.tx, &mut batch)).await.is_ok()
        };
        if !goes_on {
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
        if subject.transport.caps().is_stream() {
            in_order(&mut *far.rx, &mut inbox, 0..pushed, |_| size).await?;
        } else {
            let missing = any_order(&mut *far.rx, &mut inbox, 0..pushed, |_| size).await?;
            ensure(missing < pushed, || "nothing arrived when the receiver read again".into())?;
        }
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
    let len = about(subject, 1000);
    let (mut there, mut back) = (inbox(subject), inbox(subject));
    for number in 0..10 {
        send(&mut *near.tx, &text(number, len)).await.map_err(say)?;
    }
    close(&mut *near.tx).await.map_err(say)?;
    expect(subject, &mut *far.rx, &mut there, 0..10, |_| len).await?;
    ended(fill(&mut *far.rx, &mut there).await)?;
    // The other direction is still open.
    send(&mut *far.tx, &text(10, len)).await.map_err(say)?;
    expect(subject, &mut *near.rx, &mut back, 10..11, |_| len).await?;
    dropped(subject).await
}

async fn dropped(subject: &Subject) -> Result<(), String> {
    let (mut near, mut far, _listener) = link(subject).await?;
    let len = about(subject, 1000);
    let mut there = inbox(subject);
    for number in 0..10 {
        send(&mut *near.tx, &text(number, len)).await.map_err(say)?;
    }
    drop(near);
    expect(subject, &mut *far.rx, &mut there, 0..10, |_| len).await?;
    ended(fill(&mut *far.rx, &mut there).await)?;
    // A sender learns it as well, after at most what the system still takes.
    for _ in 0..10_000 {
        // One that waits for an answer that never comes has not learned it yet.
        match timeout(Duration::from_secs(5), send(&mut *far.tx, &text(0, len))).await {
            Ok(Ok(())) => tokio::task::yield_now().await,
            Ok(Err(error)) => return ended(Err(error)),
            Err(_) => break,
        }
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
    expect(subject, &mut *far.rx, &mut inbox(subject), 0..1, |_| 100).await?;
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
    let (most, len) = (subject.transport.caps().max_record, about(subject, 500) - 20);
    let mut tasks = JoinSet::new();
    for number in 0..LINKS {
        let (subject, local) = (subject.clone(), local.clone());
        tasks.spawn(async move {
            let mut link = subject.transport.dial(&local).await.map_err(say)?;
            link.tx.established(&KEY);
            let mut inbox = RxBatch::new(8, most);
            for round in 0..20 {
                ask(&subject, &mut link, &mut inbox, number, len + round).await?;
            }
            Ok::<_, String>(())
        });
    }
    for _ in 0..LINKS {
        let mut link = listener.accept().await.map_err(say)?;
        link.tx.established(&KEY);
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
