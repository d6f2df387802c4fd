//! Requests and replies.

use std::time::Duration;

use tertulia::bus::RequestError;
use tertulia_core::engine::api::Event;

use crate::common::{Group, event, soon, start};

#[tokio::test]
async fn questions_are_answered_or_it_is_told_why_not() {
    let group = Group::memory();
    let (ana, mut events) = start(group.member("ana").found()).await;
    let eva = group.joiner("eva", &ana).await;
    event(&mut events, "eva", |e| matches!(e, Event::Joined(_)).then_some(())).await;
    let limit = Duration::from_secs(30);
    let none = soon("an answer", ana.request(eva.id(), b"anybody?", limit)).await;
    assert_eq!(none, Err(RequestError::Unanswered));

    let mut requests = eva.requests();
    let late = ana.request(eva.id(), b"slow", Duration::from_millis(50)).await;
    assert_eq!(late, Err(RequestError::Timeout(Duration::from_millis(50))));
    assert_eq!(soon("a request", requests.next()).await.unwrap().payload[..], b"slow"[..]);

    let answering = tokio::spawn({
        let eva = eva.clone();
        async move {
            for _ in 0..100 {
                let request = requests.next().await.unwrap();
                let doubled = [&request.payload[..], &request.payload[..]].concat();
                eva.reply(&request, &doubled).await.unwrap();
            }
        }
    });
    let asking = (0..100u8).map(|n| {
        let ana = ana.clone();
        let to = eva.id();
        tokio::spawn(async move { (n, ana.request(to, &[n], limit).await) })
    });
    for asked in asking.collect::<Vec<_>>() {
        let (n, answer) = soon("an answer", asked).await.unwrap();
        assert_eq!(answer.unwrap()[..], [n, n]);
    }
    soon("the end", answering).await.unwrap();
}
