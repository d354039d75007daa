//! Sends events and tries again. Events of a failed batch are batched anew, in another order, as Segment's next attempt
//! may be; a batch has one status, and the answer's body is only shown to people.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::rng::Rng;
use crate::segment::events::per_identifier;

use super::body::outgoing;
use super::report::{Attempt, Delivery};
use super::{Mode, Sender};

/// Segment's own client stalls on an answer of this size (segment.md 1.10).
const STALLING_BYTES: usize = 64 * 1024;

impl Sender {
    /// Sends all events and waits for the end of each. The report is in the order the events were given, each
    /// duplicate after its original.
    pub async fn send(&self, events: &[Value]) -> reqwest::Result<Vec<Delivery>> {
        // Redirects are followed as Segment's client does: up to 20.
        let redirects = reqwest::redirect::Policy::limited(20);
        let http = reqwest::Client::builder().no_proxy().redirect(redirects).timeout(self.timeout).build()?;
        let mut rng = Rng::new(self.rng_seed);
        let mut pending: Vec<Arc<Value>> = Vec::new();
        for event in events {
            let expanded = if self.one_event_per_identifier { per_identifier(event) } else { vec![event.clone()] };
            for event in expanded.into_iter().map(Arc::new) {
                if rng.next_unit() < self.duplicates {
                    pending.push(Arc::clone(&event));
                }
                pending.push(event);
            }
        }
        let order: Vec<usize> = (0..pending.len()).collect();
        let mut queue: Vec<(usize, Arc<Value>)> = order.into_iter().zip(pending.iter().cloned()).collect();
        if self.reorder {
            shuffle(&mut queue, &mut rng);
        }
        let mut attempts = match self.mode {
            Mode::Single | Mode::Classic => self.one_by_one(&http, queue, &mut rng).await,
            Mode::Batched { size } | Mode::Wrapped { size } => self.in_rounds(&http, queue, size, &mut rng).await,
        };
        let id = |event: &Value| event.get("messageId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let reports = pending.iter().enumerate();
        Ok(reports.map(|(index, event)| Delivery::of(id(event), attempts.remove(&index).unwrap_or_default())).collect())
    }

    async fn one_by_one(
        &self,
        http: &reqwest::Client,
        queue: Vec<(usize, Arc<Value>)>,
        rng: &mut Rng,
    ) -> HashMap<usize, Vec<Attempt>> {
        let permits = Arc::new(Semaphore::new(self.concurrency.max(1)));
        let mut tasks = JoinSet::new();
        for (index, event) in queue {
            let (sender, http, permits) = (self.clone(), http.clone(), Arc::clone(&permits));
            let mut rng = Rng::new(self.rng_seed ^ u64::try_from(rng.below(usize::MAX)).unwrap_or(index as u64));
            tasks.spawn(async move {
                let begun = Instant::now();
                let mut attempts: Vec<Attempt> = Vec::new();
                loop {
                    let number = next_number(&attempts);
                    let attempt = {
                        // The semaphore is never closed.
                        let _permit = permits.acquire().await;
                        sender.attempt(&http, &[&event], number).await
                    };
                    let ends = !attempt.is_retried();
                    attempts.push(attempt);
                    let wait = sender.retry.wait(number + 1, rng.next_unit());
                    if ends || sender.is_over(begun, wait) {
                        return (index, attempts);
                    }
                    tokio::time::sleep(wait).await;
                }
            });
        }
        let mut all = HashMap::new();
        while let Some(done) = tasks.join_next().await {
            if let Ok((index, attempts)) = done {
                all.insert(index, attempts);
            }
        }
        all
    }

    async fn in_rounds(
        &self,
        http: &reqwest::Client,
        mut queue: Vec<(usize, Arc<Value>)>,
        size: usize,
        rng: &mut Rng,
    ) -> HashMap<usize, Vec<Attempt>> {
        let begun = Instant::now();
        let mut all: HashMap<usize, Vec<Attempt>> = HashMap::new();
        let mut number = 1;
        loop {
            let permits = Arc::new(Semaphore::new(self.concurrency.max(1)));
            let mut tasks = JoinSet::new();
            for batch in queue.chunks(size.max(1)) {
                let (sender, http, permits, batch) = (self.clone(), http.clone(), Arc::clone(&permits), batch.to_vec());
                tasks.spawn(async move {
                    // The semaphore is never closed.
                    let _permit = permits.acquire().await;
                    let events: Vec<&Value> = batch.iter().map(|(_, event)| event.as_ref()).collect();
                    let attempt = sender.attempt(&http, &events, number).await;
                    (batch, attempt)
                });
            }
            queue = Vec::new();
            while let Some(done) = tasks.join_next().await {
                let Ok((batch, attempt)) = done else { continue };
                for (index, event) in batch {
                    all.entry(index).or_default().push(attempt.clone());
                    if attempt.is_retried() {
                        queue.push((index, event));
                    }
                }
            }
            number += 1;
            let wait = self.retry.wait(number, rng.next_unit());
            if queue.is_empty() || self.is_over(begun, wait) {
                return all;
            }
            tokio::time::sleep(wait).await;
            shuffle(&mut queue, rng);
        }
    }

    fn is_over(&self, begun: Instant, wait: Duration) -> bool {
        begun.elapsed() + wait > self.retry.give_up.mul_f64(self.retry.time_scale)
    }

    /// One request.
    async fn attempt(&self, http: &reqwest::Client, events: &[&Value], number: u32) -> Attempt {
        let outgoing = outgoing(self, events);
        let mut request = http.post(&self.url);
        for (name, value) in &outgoing.headers {
            request = request.header(name, value);
        }
        let begun = Instant::now();
        let answered = async {
            let answer = request.body(outgoing.body).send().await?;
            let status = answer.status().as_u16();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        };
        let (status, body, error) = match answered.await {
            Ok((_, body)) if body.len() >= STALLING_BYTES => {
                (None, String::new(), Some(format!("the answer of {} bytes stalls Segment's client", body.len())))
            }
            Ok((status, body)) => (Some(status), String::from_utf8_lossy(&body).into_owned(), None),
            Err(error) if error.is_timeout() => {
                (None, String::new(), Some(format!("Request timed out after {}ms", self.timeout.as_millis())))
            }
            Err(error) => (None, String::new(), Some(error.to_string())),
        };
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Attempt { number, status, body, error, elapsed_ms }
    }
}

fn next_number(attempts: &[Attempt]) -> u32 {
    u32::try_from(attempts.len()).unwrap_or(u32::MAX).saturating_add(1)
}

fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.below(last + 1));
    }
}
