//! Messages of the 2010 API (twilio.md 2): create, read, list, redact, cancel, delete.

pub mod accept;
pub mod delivery;
pub mod store;

use std::sync::Arc;

use serde_json::Value;

use crate::call::{Answer, Call, Failure};
use crate::clock::{Millis, parse_instant};
use crate::lock::lock;
use crate::twilio::paging;
use crate::world::World;

use store::{Message, Resource};

/// `POST …/Messages`.
pub fn create(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let message = Arc::new(accept::accept(world, &account, call)?);
    lock(&world.messages).insert(Arc::clone(&message), world.options.message_capacity);
    let answer = call.created(&message.sid, &message.resource(account.sid(), message.created_ms, false));
    if message.status_callback.is_some() {
        tokio::spawn(delivery::report(Arc::clone(world), Arc::clone(&message)));
    }
    Ok(answer)
}

/// `GET …/Messages/{Sid}`.
pub fn fetch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let message = find(world, call)?;
    if now - message.created_ms < call.reads.hidden_ms {
        return Err(call.not_found());
    }
    let account = world.account();
    Ok(call.ok(&message.resource(account.sid(), now, call.reads.null_date_sent)))
}

/// `GET …/Messages`, newest first.
pub fn list(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let wanted = DateFilter::of(call);
    let keep = |message: &Message| {
        now - message.created_ms >= call.reads.list_lag_ms
            && call.query("From").is_none_or(|from| message.shown_from(now) == Some(from))
            && wanted.admits(message.date_sent(now).unwrap_or(message.created_ms))
    };
    let rows = lock(&world.messages).newest_first(call.query("To"), keep);
    let account = world.account();
    paging::list(world, call, rows.len(), |index| {
        let resource: Resource = rows[index].resource(account.sid(), now, call.reads.null_date_sent);
        serde_json::to_value(resource).unwrap_or(Value::Null)
    })
}

/// `POST …/Messages/{Sid}`: an empty body redacts, `Status=canceled` cancels what is still scheduled.
pub fn update(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let message = find(world, call)?;
    let mut changed = Message::clone(&message);
    if call.param("Body").is_some() {
        changed.body = String::new();
    }
    if call.param("Status").is_some() {
        if message.status(now) != "scheduled" {
            return Err(Failure::bad(20001, "Only a scheduled message can be canceled"));
        }
        changed.canceled = true;
    }
    let changed = Arc::new(changed);
    lock(&world.messages).replace(Arc::clone(&changed));
    let account = world.account();
    Ok(call.created(&changed.sid, &changed.resource(account.sid(), now, false)))
}

/// `DELETE …/Messages/{Sid}`.
pub fn delete(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let message = find(world, call)?;
    if !message.is_settled(world.now()) {
        return Err(Failure::bad(20009, "The message is not in a final state yet"));
    }
    lock(&world.messages).remove(&message.sid);
    Ok(Answer::removed(&message.sid))
}

fn find(world: &World, call: &Call) -> Result<Arc<Message>, Failure> {
    lock(&world.messages).get(call.path_param("Sid")).ok_or_else(|| call.not_found())
}

/// The three forms of `DateSent`; the inequality is part of the name and includes the day.
struct DateFilter {
    from: Millis,
    until: Millis,
}

impl DateFilter {
    fn of(call: &Call) -> Self {
        let instant = |name: &str| call.query(name).and_then(parse_instant);
        let mut filter = Self { from: Millis::MIN, until: Millis::MAX };
        if let Some((start, length)) = instant("DateSent") {
            (filter.from, filter.until) = (start, start + length);
        }
        if let Some((start, _)) = instant("DateSent>") {
            filter.from = filter.from.max(start);
        }
        if let Some((start, length)) = instant("DateSent<") {
            filter.until = filter.until.min(start + length);
        }
        filter
    }

    fn admits(&self, sent: Millis) -> bool {
        self.from <= sent && sent < self.until
    }
}
