//! Answers of a key manager, and of whoever stands in its place.

use super::*;
use crate::crypto::rsa::RsaPair;

const GROUP: GroupId = GroupId([1; 32]);
const ME: PeerId = PeerId([2; 32]);

#[test]
fn what_the_manager_said_at_another_time_does_not_count() {
    let (manager, member) = (RsaPair::generate().unwrap(), RsaPair::generate().unwrap());
    let config = KeysConfig { manager: "h:1".into(), ..KeysConfig::default() };
    let keys = Keys::build(&config, "tcp", manager.public()).unwrap();
    let request = |nonce| Request::Register([nonce; 16], member.public(), [0; 256]).encode();
    let asked = request(1);
    let code = |bytes: &[u8]| keys.judge(&GROUP, &asked, bytes).map_err(|error| error.code());
    let vouched = |signer: &RsaPair, until_ms| {
        Answer::Vouched(Voucher::sign(signer, &GROUP, (ME, member.public()), until_ms).unwrap()).encode()
    };

    let later = unix_ms() + 60_000;
    assert_eq!(code(&vouched(&manager, later)).map(|v| v.until_ms), Ok(later));
    assert_eq!(code(&vouched(&manager, unix_ms())), Err("voucher-expired"), "it was played again");
    assert_eq!(code(&vouched(&member, later)), Err("bad-signature"), "signed by itself");
    // A refusal holds for one question.
    let no = |asked: &[u8]| Answer::no(Problem::Full, asked, &GROUP, &manager).unwrap().encode();
    assert_eq!(code(&no(&asked)), Err("full"));
    assert_eq!(code(&no(&request(2))), Err("bad-signature"));
    assert_eq!(code(&[1, 1, 0]), Err("keys"));
}
