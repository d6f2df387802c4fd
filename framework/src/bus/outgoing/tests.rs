use tertulia_core::message::{HEADER, Messages};

use super::*;

fn outgoing(pending: usize) -> Outgoing {
    let limits = Limits { me: PeerId([1; 32]), incarnation: Incarnation(7), message: 1 << 20, pending };
    let outgoing = Outgoing::new(limits, Arc::new(Notify::new()));
    outgoing.enter(Phase::Member);
    outgoing
}

fn offer(outgoing: &Outgoing, to: Option<PeerId>, payload: &[u8]) -> Result<u64, PublishError> {
    outgoing.offer(to, &Room::default(), 1, 2, payload, |id| id.0[0] != 9).map(|id| id.seq)
}

#[test]
fn what_waits_becomes_one_body_in_order() {
    let outgoing = outgoing(1 << 20);
    for n in 1..=100u64 {
        assert_eq!(offer(&outgoing, None, &n.to_le_bytes()), Ok(n));
    }
    let body = outgoing.take_group(Wants::Any).unwrap();
    assert_eq!(body.draft.count(), 100);
    let got: Vec<_> = Messages::new(body.draft.body().to_vec().into()).map(|m| m.payload).collect();
    assert_eq!(got.len(), 100);
    assert_eq!(got[41][..], 42u64.to_le_bytes());
    assert!(outgoing.take_group(Wants::Any).is_none());
    assert_eq!(offer(&outgoing, None, b"x"), Ok(101), "numbers go on");
}

#[test]
fn bodies_stop_at_the_target_and_a_large_message_stands_alone() {
    let outgoing = outgoing(8 << 20);
    let len = 1000 + HEADER;
    for _ in 0..200 {
        offer(&outgoing, None, &[0; 1000]).unwrap();
    }
    offer(&outgoing, None, &[0; 200_000]).unwrap();
    offer(&outgoing, None, b"after").unwrap();
    let mut counts = Vec::new();
    while let Some(body) = outgoing.take_group(Wants::Any) {
        assert!(body.draft.len() <= BODY_TARGET || body.draft.count() == 1);
        counts.push(body.draft.count() as usize);
    }
    let whole = BODY_TARGET / len;
    assert_eq!(counts, [whole, whole, whole, 200 - 3 * whole, 1, 1]);
    assert!(outgoing.is_empty());
}

#[test]
fn what_is_refused_takes_no_number() {
    let outgoing = outgoing(1000);
    assert!(matches!(offer(&outgoing, None, &[0; (1 << 20) + 1]), Err(PublishError::TooLarge { .. })));
    assert_eq!(offer(&outgoing, None, &[0; 5000]), Ok(1), "one message always fits an empty queue");
    assert_eq!(offer(&outgoing, None, b"x"), Err(PublishError::Full));
    assert_eq!(offer(&outgoing, Some(PeerId([2; 32])), b"x"), Err(PublishError::Full));
    outgoing.take_group(Wants::Any).unwrap();
    assert_eq!(offer(&outgoing, Some(PeerId([9; 32])), b"x"), Err(PublishError::NoSuchMember));
    assert_eq!(offer(&outgoing, None, b"x"), Ok(2));
    outgoing.enter(Phase::Gone);
    assert_eq!(offer(&outgoing, None, b"x"), Err(PublishError::Left));
}

#[test]
fn recipients_have_streams_of_their_own_and_take_turns() {
    let outgoing = outgoing(1 << 20);
    let (a, b) = (PeerId([2; 32]), PeerId([3; 32]));
    for _ in 0..3 {
        offer(&outgoing, Some(a), &[0; 60_000]).unwrap();
    }
    assert_eq!(offer(&outgoing, Some(b), b"x"), Ok(1));
    assert_eq!(offer(&outgoing, None, b"x"), Ok(1));
    let order: Vec<_> = std::iter::from_fn(|| outgoing.take_direct(|_| true)).map(|body| body.to).collect();
    assert_eq!(order, [Some(a), Some(b), Some(a), Some(a)]);
    assert_eq!(offer(&outgoing, Some(a), b"x"), Ok(4));
}

#[test]
fn the_driver_is_woken_once_and_only_when_it_sleeps() {
    let outgoing = outgoing(1 << 20);
    assert!(outgoing.sleep(Wants::Any, |_| true));
    offer(&outgoing, None, b"x").unwrap();
    assert_eq!(outgoing.state.lock().wants, (Wants::Nothing, false));
    assert!(!outgoing.sleep(Wants::Any, |_| true));
    assert!(outgoing.sleep(Wants::Nothing, |_| true), "a full window is no work");
    offer(&outgoing, None, b"x").unwrap();
    assert_eq!(outgoing.state.lock().wants, (Wants::Nothing, true));
    offer(&outgoing, Some(PeerId([2; 32])), b"x").unwrap();
    assert_eq!(outgoing.state.lock().wants, (Wants::Nothing, false));
}

#[tokio::test]
async fn publishers_wait_for_room_and_learn_of_the_end() {
    let outgoing = Arc::new(outgoing(1000));
    let publish = |n: usize| {
        let outgoing = outgoing.clone();
        tokio::spawn(async move {
            outgoing.offer_when_room(None, &Room::default(), 1, 2, &vec![0; n], |_| true).await
        })
    };
    publish(900).await.unwrap().unwrap();
    let waiting = publish(500);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    outgoing.take_group(Wants::Any).unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().seq, 2);
    let waiting = publish(800);
    tokio::task::yield_now().await;
    outgoing.enter(Phase::Gone);
    assert_eq!(waiting.await.unwrap(), Err(PublishError::Left));
    assert_eq!(outgoing.state.lock().waiting, 0);
}

#[test]
fn a_driver_that_wants_full_bodies_sleeps_until_there_is_one() {
    let outgoing = outgoing(8 << 20);
    offer(&outgoing, None, &[0; 1000]).unwrap();
    assert!(outgoing.take_group(Wants::Full).is_none());
    assert!(outgoing.sleep(Wants::Full, |_| true));
    while outgoing.state.lock().wants.0 == Wants::Full {
        offer(&outgoing, None, &[0; 1000]).unwrap();
    }
    assert!(!outgoing.sleep(Wants::Full, |_| true));
    let body = outgoing.take_group(Wants::Full).unwrap();
    assert!(body.draft.len() > BODY_TARGET - 1000 - HEADER, "{}", body.draft.len());
    assert!(outgoing.take_group(Wants::Full).is_none(), "the rest goes on growing");
    assert!(outgoing.take_group(Wants::Any).is_some());
}
