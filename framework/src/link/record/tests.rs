use bytes::{Bytes, BytesMut};
use tertulia_core::frame::{Frame, FrameKind, Lane};
use tertulia_core::rng::NodeRng;

use super::*;
use crate::link::{Caps, Lanes, Opener, Sealer, TxBatch};

/// A seal for tests: the record's number, xored with the length, in eight bytes.
struct Count;

fn mark(seq: u64, len: usize) -> [u8; 8] {
    (seq ^ (len as u64) << 32).to_le_bytes()
}

impl Sealer for Count {
    fn overhead(&self) -> usize {
        8
    }

    fn seal(&mut self, seq: u64, _aad: &[u8], record: &mut [u8]) -> Result<(), SealError> {
        let (plain, tag) = record.split_last_chunk_mut::<8>().ok_or(SealError)?;
        *tag = mark(seq, plain.len());
        Ok(())
    }
}

impl Opener for Count {
    fn open(&mut self, seq: u64, _aad: &[u8], record: &mut [u8]) -> Result<usize, SealError> {
        let (plain, tag) = record.split_last_chunk::<8>().ok_or(SealError)?;
        if *tag == mark(seq, plain.len()) { Ok(plain.len()) } else { Err(SealError) }
    }
}

fn frame(number: u64, len: usize) -> Frame {
    let body: Vec<u8> = (0..len as u64).map(|i| (i * 3 + number) as u8).collect();
    Frame { hops: number as u8, ..Frame::new(FrameKind::Data, Bytes::from(body)) }
}

fn caps(max_record: usize) -> Caps {
    Caps { max_record, ..Caps::STREAM }
}

/// Writes everything that is queued and returns the sealed records.
fn write(writer: &mut RecordWriter, lanes: &mut Lanes) -> Vec<BytesMut> {
    let mut batch = TxBatch::new(usize::MAX);
    writer.fill(lanes, &mut batch).unwrap();
    batch.records().map(BytesMut::from).collect()
}

fn read(reader: &mut RecordReader, records: Vec<BytesMut>) -> Result<Vec<(Lane, Frame)>, RecordError> {
    let mut frames = Vec::new();
    for record in records {
        reader.read(record, |lane, frame| frames.push((lane, frame)))?;
    }
    Ok(frames)
}

#[test]
fn frames_of_all_lengths_cross_records_of_all_lengths() {
    let mut rng = NodeRng::new(1);
    for max_record in [256, 1000, 4096, 65_536, Caps::STREAM.max_record] {
        let mut writer = RecordWriter::new(Box::new(Count), &caps(max_record)).unwrap();
        let mut reader = RecordReader::new(Box::new(Count), &Caps::STREAM);
        for _ in 0..20 {
            let mut lanes = Lanes::default();
            let mut sent: [Vec<Frame>; 3] = Default::default();
            for number in 0..rng.below(30) as u64 {
                let lane = Lanes::ALL[rng.below(3)];
                let most = [10, 300, 5000, 100_000][rng.below(4)];
                let frame = frame(number, rng.below(most));
                sent[lane as usize].push(frame.clone());
                lanes.push(lane, frame);
            }
            let records = write(&mut writer, &mut lanes);
            assert!(records.iter().all(|r| r.len() <= max_record));
            let mut got: [Vec<Frame>; 3] = Default::default();
            read(&mut reader, records).unwrap().into_iter().for_each(|(l, f)| got[l as usize].push(f));
            assert_eq!(got, sent);
            assert_eq!(reader.held(), 0);
        }
    }
}

#[test]
fn a_parcel_of_64_kib_is_not_cut_and_not_copied() {
    let mut writer = RecordWriter::new(Box::new(Count), &Caps::STREAM).unwrap();
    let mut lanes = Lanes::default();
    lanes.push(Lane::Data, frame(1, 64 * 1024 + 512));
    let records = write(&mut writer, &mut lanes);
    assert_eq!(records.len(), 1);
    let memory = records[0].as_ptr_range();
    let frames = read(&mut RecordReader::new(Box::new(Count), &Caps::STREAM), records).unwrap();
    assert!(memory.contains(&frames[0].1.body.as_ptr()));
}

#[test]
fn control_overtakes_a_long_frame() {
    let mut writer = RecordWriter::new(Box::new(Count), &caps(4096)).unwrap();
    let mut reader = RecordReader::new(Box::new(Count), &Caps::STREAM);
    let mut lanes = Lanes::default();
    lanes.push(Lane::Data, frame(1, 1 << 20));
    let mut batch = TxBatch::new(10_000);
    assert_eq!(writer.fill(&mut lanes, &mut batch), Ok(0));
    assert!(!lanes.is_empty());
    let mut records: Vec<_> = batch.records().map(BytesMut::from).collect();
    lanes.push(Lane::Control, frame(2, 100));
    records.extend(write(&mut writer, &mut lanes));
    let order: Vec<_> = read(&mut reader, records).unwrap().into_iter().map(|(lane, _)| lane).collect();
    assert_eq!(order, [Lane::Control, Lane::Data]);
}

#[test]
fn replayed_swapped_and_missing_records_are_refused() {
    let mut writer = RecordWriter::new(Box::new(Count), &Caps::STREAM).unwrap();
    let mut one = |number| {
        let mut lanes = Lanes::default();
        lanes.push(Lane::Data, frame(number, 10));
        write(&mut writer, &mut lanes).remove(0)
    };
    let (a, b) = (one(1), one(2));
    let result =
        |records| read(&mut RecordReader::new(Box::new(Count), &Caps::STREAM), records).map(|f| f.len());
    assert_eq!(result(vec![a.clone(), b.clone()]), Ok(2));
    assert_eq!(result(vec![b.clone(), a.clone()]), Err(RecordError::Seal));
    assert_eq!(result(vec![a.clone(), a]), Err(RecordError::Seal));
    assert_eq!(result(vec![b]), Err(RecordError::Seal));
}

/// Seals bytes as the first record of a session.
fn forged(plain: &[u8]) -> BytesMut {
    let mut record = BytesMut::from(plain);
    record.extend_from_slice(&mark(1, plain.len()));
    record
}

fn item(lane: u32, flags: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32 | lane << LENGTH_BITS | flags).to_le_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

fn fragment(number: u32, offset: u32, total: u32, part: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = [number, offset, total].into_iter().flat_map(u32::to_le_bytes).collect();
    body.extend_from_slice(part);
    item(1, FRAGMENT, &body)
}

#[test]
fn malformed_records_are_refused() {
    let code = |plain: Vec<u8>| {
        let mut reader = RecordReader::new(Box::new(Count), &Caps::STREAM);
        let error = reader.read(forged(&plain), |_, _| ()).unwrap_err();
        assert!(reader.held() <= 100);
        error.code()
    };
    let malformed = [
        vec![1],
        vec![5, 0, 0, 0, 1],
        item(3, 0, &[1, 0]),
        item(0, 1 << 27, &[1, 0]),
        item(0, 0, &[1]),
        item(0, 0, &[200, 0, 1]),
        item(1, FRAGMENT, &[0; 11]),
        fragment(1, 0, 10, &[]),
        fragment(1, 1, 10, &[1]),
        fragment(1, 0, 2, &[1, 2, 3]),
        [fragment(1, 0, 4, &[1]), fragment(1, 0, 4, &[1])].concat(),
        [fragment(1, 0, 4, &[1]), fragment(2, 1, 4, &[1])].concat(),
        [fragment(1, 0, 4, &[1]), fragment(1, 1, 5, &[1])].concat(),
        [fragment(1, 0, 4, &[1]), fragment(1, 2, 4, &[1])].concat(),
        [fragment(1, 0, 4, &[1]), item(1, 0, &[1, 0])].concat(),
    ];
    for plain in malformed {
        assert_eq!(code(plain.clone()), "record-malformed", "{plain:?}");
    }
    assert_eq!(code(fragment(1, 0, MAX_FRAME as u32 + 1, &[1])), "frame-too-long");
}

#[test]
fn random_records_never_panic_nor_hoard() {
    let mut rng = NodeRng::new(2);
    for _ in 0..20_000 {
        let mut plain: Vec<u8> = (0..rng.below(200)).map(|_| rng.next_u64() as u8).collect();
        // Mostly plausible heads, so that what stands behind them is reached.
        for at in [1, 2, 3] {
            if let Some(byte) = plain.get_mut(at) {
                *byte &= [0, 0, 7][at - 1];
            }
        }
        let mut reader = RecordReader::new(Box::new(Count), &Caps::STREAM);
        let _any = reader.read(forged(&plain), |_, frame| assert!(frame.body.len() < 200));
        assert!(reader.held() < 200);
    }
}

#[test]
fn frames_and_transports_have_limits() {
    let mut writer = RecordWriter::new(Box::new(Count), &Caps::STREAM).unwrap();
    let mut lanes = Lanes::default();
    lanes.push(Lane::Data, frame(1, MAX_FRAME));
    let result = writer.fill(&mut lanes, &mut TxBatch::new(1));
    assert_eq!(result, Err(RecordError::TooLong(MAX_FRAME + Frame::HEADER)));
    for caps in [caps(100), Caps::datagram(255)] {
        assert_eq!(RecordWriter::new(Box::new(Count), &caps).err(), Some(RecordError::Unsuitable));
    }
}

/// Records of a link over datagrams, with frames of all lengths in them.
fn datagrams(rng: &mut NodeRng, max_record: usize) -> (Vec<(Lane, Frame)>, Vec<BytesMut>) {
    let mut writer = RecordWriter::new(Box::new(Count), &Caps::datagram(max_record)).unwrap();
    let (mut frames, mut records) = (Vec::new(), Vec::new());
    for number in 0..40 {
        let mut lanes = Lanes::default();
        let lane = Lanes::ALL[rng.below(3)];
        let most = [10, 300, 5000, 70_000][rng.below(4)];
        let frame = frame(number, rng.below(most));
        frames.push((lane, frame.clone()));
        lanes.push(lane, frame);
        records.extend(write(&mut writer, &mut lanes));
    }
    assert!(records.iter().all(|r| r.len() <= max_record));
    (frames, records)
}

#[test]
fn datagrams_may_come_in_any_order_and_twice() {
    let mut rng = NodeRng::new(4);
    for max_record in [256, 1187, 9000] {
        let (mut frames, mut records) = datagrams(&mut rng, max_record);
        let twice: Vec<_> = records.iter().filter(|_| rng.below(3) == 0).cloned().collect();
        records.extend(twice);
        rng.shuffle(&mut records);
        let mut reader = RecordReader::new(Box::new(Count), &Caps::datagram(max_record));
        let mut got = read(&mut reader, records).unwrap();
        got.sort_by_key(|(_, f)| f.hops);
        frames.sort_by_key(|(_, f)| f.hops);
        assert_eq!(got, frames);
        assert_eq!(reader.held(), 0);
    }
}

#[test]
fn lost_and_altered_datagrams_cost_their_own_frames() {
    let mut rng = NodeRng::new(5);
    let (frames, mut records) = datagrams(&mut rng, 1187);
    let mut reader = RecordReader::new(Box::new(Count), &Caps::datagram(1187));
    records.retain(|_| rng.below(20) > 0);
    for record in &mut records {
        if rng.below(20) == 0 {
            let at = record.len() - 1 - rng.below(7);
            record[at] ^= 1;
        }
    }
    let got = read(&mut reader, records).unwrap();
    assert!(got.len() > 5 && got.len() < frames.len());
    assert!(got.iter().all(|one| frames.contains(one)));
    assert!(reader.held() > 0, "something waits for its rest");
    reader.tidy(std::time::Instant::now() + std::time::Duration::from_secs(60));
    assert_eq!(reader.held(), 0);
}

#[test]
fn fragments_of_frames_without_end_are_bounded() {
    let mut reader = RecordReader::new(Box::new(Count), &Caps::datagram(1187));
    for number in 0..10_000u64 {
        // The last byte of a frame of the greatest length: nothing costs a receiver more.
        let plain = fragment(number as u32, MAX_FRAME as u32 - 1, MAX_FRAME as u32, &[1]);
        let mut record = BytesMut::from(&(number + 1).to_le_bytes()[..]);
        record.extend_from_slice(&plain);
        record.extend_from_slice(&mark(number + 1, plain.len()));
        reader.read(record, |_, _| ()).unwrap();
        assert!(reader.held() <= 4 << 20);
    }
    assert!(reader.held() > 0);
}

#[test]
fn random_datagrams_never_panic_nor_hoard() {
    let mut rng = NodeRng::new(6);
    let mut reader = RecordReader::new(Box::new(Count), &Caps::datagram(1187));
    for number in 1..50_000u64 {
        let mut plain: Vec<u8> = (0..rng.below(200)).map(|_| rng.next_u64() as u8).collect();
        for at in [1, 2, 3] {
            if let Some(byte) = plain.get_mut(at) {
                *byte &= [0, 0, 7][at - 1];
            }
        }
        let mut record = BytesMut::from(&number.to_le_bytes()[..]);
        record.extend_from_slice(&plain);
        if rng.below(4) > 0 {
            record.extend_from_slice(&mark(number, plain.len()));
        }
        let _any = reader.read(record, |_, frame| assert!(frame.body.len() < 200));
        assert!(reader.held() <= 4 << 20);
    }
}
