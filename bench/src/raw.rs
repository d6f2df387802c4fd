//! The baseline: TCP connections between all nodes, length-prefixed frames, buffered, nothing else.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use crate::board::Board;
use crate::workload::{Failure, System};

/// Bytes of a connection's buffers.
const BUFFER: usize = 256 << 10;

/// All nodes and their connections.
pub struct Raw {
    /// By node: a buffered writer to every other node.
    writers: Vec<Mutex<Vec<BufWriter<OwnedWriteHalf>>>>,
}

impl Raw {
    /// Connects `n` nodes on loopback, everybody with everybody.
    pub async fn start(n: usize, board: &Arc<Board>) -> Result<Raw, Failure> {
        let mut writers: Vec<Vec<_>> = (0..n).map(|_| Vec::new()).collect();
        for a in 0..n {
            for b in a + 1..n {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let addr = listener.local_addr()?;
                let (near, far) = tokio::try_join!(TcpStream::connect(addr), listener.accept())?;
                for (node, stream) in [(a, near), (b, far.0)] {
                    stream.set_nodelay(true)?;
                    let (read, write) = stream.into_split();
                    writers[node].push(BufWriter::with_capacity(BUFFER, write));
                    tokio::spawn(read_all(read, node, board.clone()));
                }
            }
        }
        Ok(Raw { writers: writers.into_iter().map(Mutex::new).collect() })
    }
}

async fn read_all(mut read: tokio::net::tcp::OwnedReadHalf, node: usize, board: Arc<Board>) {
    let mut buffer = BytesMut::with_capacity(BUFFER);
    loop {
        buffer.reserve(BUFFER / 2);
        if !matches!(read.read_buf(&mut buffer).await, Ok(n) if n > 0) {
            return;
        }
        while let Some(head) = buffer.first_chunk::<4>() {
            let len = u32::from_le_bytes(*head) as usize;
            if buffer.len() < 4 + len {
                break;
            }
            board.deliver(node, &buffer[4..4 + len]);
            buffer.advance(4 + len);
        }
    }
}

impl System for Raw {
    const NAME: &'static str = "raw";
    const ABOUT: &'static str = "tokio TCP, u32 length prefix, buffered writes, plaintext, no protocol";

    async fn publish(&self, node: usize, payload: &[u8]) -> Result<(), Failure> {
        for writer in self.writers[node].lock().await.iter_mut() {
            writer.write_u32_le(payload.len() as u32).await?;
            writer.write_all(payload).await?;
        }
        Ok(())
    }

    async fn flush(&self, node: usize) -> Result<(), Failure> {
        for writer in self.writers[node].lock().await.iter_mut() {
            writer.flush().await?;
        }
        Ok(())
    }
}
