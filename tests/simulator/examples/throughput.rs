//! How many requests a second the simulator answers on its hot paths, client and server on the same machine:
//! `cargo run --release -p engage-simulator --example throughput`.
//!
//! The client writes the same bytes again and again, so that what is measured is mostly the simulator.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use engage_simulator::{Options, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 32;
const LENGTH: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let sim = Simulator::start(Options::default()).await?;
    let form = "To=whatsapp%3A%2B5511987654321&MessagingServiceSid=MG00000000000000000000000000000001\
                &ContentSid=HX00000000000000000000000000000001&ContentVariables=%7B%221%22%3A%22Ana%22%2C%222%22%3A%22pro%22%7D";
    let message = format!(
        "POST /twilio/api/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json HTTP/1.1\r\nHost: x\r\n\
         Authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTpkZW1vLWF1dGgtdG9rZW4=\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let traits = "GET /segment/profiles/v1/spaces/spa_demo/collections/users/profiles/user_id:lead-1/traits?include=phone,first_name,plan \
                  HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ZGVtby1wcm9maWxlcy10b2tlbjo=\r\n\r\n";
    for (name, request) in [("Profile API traits", traits.to_owned()), ("Messages create", message)] {
        let answered = run(sim.addr(), &request).await?;
        println!("{name}: {} requests/s", answered / LENGTH.as_secs());
    }
    Ok(())
}

async fn run(address: SocketAddr, request: &str) -> std::io::Result<u64> {
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let request = request.as_bytes().to_vec();
        clients.spawn(async move { client(address, &request).await });
    }
    let mut answered = 0;
    while let Some(done) = clients.join_next().await {
        answered += done.map_err(std::io::Error::other)??;
    }
    Ok(answered)
}

async fn client(address: SocketAddr, request: &[u8]) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let begun = Instant::now();
    let (mut buffer, mut answered) = (Vec::new(), 0);
    while begun.elapsed() < LENGTH {
        stream.write_all(request).await?;
        buffer.clear();
        while !is_whole(&buffer) {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(std::io::Error::other("the simulator hung up"));
            }
        }
        if !buffer.starts_with(b"HTTP/1.1 20") {
            return Err(std::io::Error::other(String::from_utf8_lossy(&buffer).into_owned()));
        }
        answered += 1;
    }
    Ok(answered)
}

fn is_whole(buffer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(buffer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}
