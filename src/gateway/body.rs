//! Reading a request's body: bounded in bytes and in time, and read to its end even when it is refused, since a sender that is
//! cut off sees a reset, not an answer, and comes again for hours.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Largest body that is taken: twice the largest batch of Segment.
pub const MAX_BODY: usize = 8 * 1024 * 1024;
/// Time for a whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes that are read and thrown away to be able to answer.
const MAX_DRAINED: usize = 64 * 1024 * 1024;
/// Bytes of bodies held at once by all requests.
const MAX_HELD: usize = 128 * 1024 * 1024;
const UNIT: usize = 1024;

/// A body, and its share of the memory that all bodies may take.
pub struct Held {
    pub bytes: Bytes,
    _share: OwnedSemaphorePermit,
}

/// Why a body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    TooLarge,
    TooSlow,
    /// Too many bodies are being held.
    Busy,
    /// The client went away.
    Gone,
}

/// The memory that bodies may take.
#[derive(Debug, Clone)]
pub struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_HELD / UNIT)))
    }
}

impl BodyBudget {
    /// Reads a body to its end.
    pub async fn read(&self, headers: &HeaderMap, mut body: Body) -> Result<Held, Refused> {
        let deadline = Instant::now() + BODY_TIMEOUT;
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse::<usize>().ok());
        if announced.is_some_and(|length| length > MAX_BODY) {
            return Err(drain(body, 0, deadline, Refused::TooLarge).await);
        }
        // A body of unknown length may become as large as any.
        let share = u32::try_from(announced.unwrap_or(MAX_BODY).div_ceil(UNIT)).unwrap_or(u32::MAX);
        let Ok(share) = Arc::clone(&self.0).try_acquire_many_owned(share) else {
            return Err(drain(body, 0, deadline, Refused::Busy).await);
        };
        let mut bytes = BytesMut::with_capacity(announced.unwrap_or(4_096));
        loop {
            match tokio::time::timeout_at(deadline, body.frame()).await {
                Err(_) => return Err(Refused::TooSlow),
                Ok(None) => return Ok(Held { bytes: bytes.freeze(), _share: share }),
                Ok(Some(Err(_))) => return Err(Refused::Gone),
                Ok(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if bytes.len() + data.len() > MAX_BODY {
                        let read = bytes.len() + data.len();
                        drop(bytes);
                        return Err(drain(body, read, deadline, Refused::TooLarge).await);
                    }
                    bytes.extend_from_slice(&data);
                }
            }
        }
    }
}

/// Reads what is left and throws it away.
async fn drain(mut body: Body, mut read: usize, deadline: Instant, refused: Refused) -> Refused {
    while read < MAX_DRAINED {
        match tokio::time::timeout_at(deadline, body.frame()).await {
            Err(_) => return Refused::TooSlow,
            Ok(None) => return refused,
            Ok(Some(Err(_))) => return Refused::Gone,
            Ok(Some(Ok(frame))) => read += frame.data_ref().map_or(0, Bytes::len),
        }
    }
    refused
}
