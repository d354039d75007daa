//! The simulated time: the machine's clock plus an offset that a test can move forward (conversation timers take ten
//! minutes at least), and the two date formats of twilio.md 1.4.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// The clock of one simulator.
#[derive(Debug, Default)]
pub struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    /// The simulated now.
    pub fn now(&self) -> Millis {
        Timestamp::now().as_millisecond() + self.offset_ms.load(Ordering::Relaxed)
    }

    /// Moves time forward.
    pub fn advance(&self, by_ms: Millis) {
        self.offset_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// Back to the machine's time.
    pub fn restart(&self) {
        self.offset_ms.store(0, Ordering::Relaxed);
    }
}

fn timestamp(ms: Millis) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// RFC 2822 with `+0000`, as the 2010 API writes dates.
pub fn rfc2822(ms: Millis) -> String {
    timestamp(ms).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// ISO 8601 in whole seconds, as every other product writes dates.
pub fn iso8601(ms: Millis) -> String {
    timestamp(ms).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The length of an ISO 8601 duration such as `PT10M`; `None` when it is not one.
pub fn duration_ms(text: &str) -> Option<Millis> {
    let rest = text.strip_prefix('P')?;
    let (days, clock) = rest.split_once('T').unwrap_or((rest, ""));
    if rest.is_empty() || rest.ends_with('T') {
        return None;
    }
    let seconds = units(days, &[('W', 604_800), ('D', 86_400)])? + units(clock, &[('H', 3_600), ('M', 60), ('S', 1)])?;
    seconds.checked_mul(1000)
}

fn units(mut text: &str, scale: &[(char, i64)]) -> Option<i64> {
    let mut total = 0_i64;
    for (unit, seconds) in scale {
        let Some(end) = text.find(*unit) else { continue };
        let count: i64 = text[..end].parse().ok().filter(|count| *count >= 0)?;
        total = total.checked_add(count.checked_mul(*seconds)?)?;
        text = &text[end + 1..];
    }
    text.is_empty().then_some(total)
}

/// An instant written as a date (its first moment, GMT) or as an ISO 8601 date-time; with the length of what was
/// named, so that a date stands for its whole day.
pub fn parse_instant(text: &str) -> Option<(Millis, Millis)> {
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() == 10
    {
        let start = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
        return Some((start, 86_400_000));
    }
    text.parse::<Timestamp>().ok().map(|instant| (instant.as_millisecond(), 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_twilio_writes_them() {
        let ms = 1_692_853_305_000;
        assert_eq!(rfc2822(ms), "Thu, 24 Aug 2023 05:01:45 +0000");
        assert_eq!(iso8601(ms), "2023-08-24T05:01:45Z");
    }

    #[test]
    fn durations_are_iso_8601() {
        assert_eq!(duration_ms("PT1M"), Some(60_000));
        assert_eq!(duration_ms("P1DT1H30S"), Some(90_030_000));
        for bad in ["", "P", "PT", "10M", "PT10", "PT-1M", "PTM", "PT1MX"] {
            assert_eq!(duration_ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_instant_is_a_day_or_a_moment() {
        assert_eq!(parse_instant("2023-08-24"), Some((1_692_835_200_000, 86_400_000)));
        assert_eq!(parse_instant("2023-08-24T05:01:45Z"), Some((1_692_853_305_000, 1000)));
        assert_eq!(parse_instant("yesterday"), None);
    }
}
