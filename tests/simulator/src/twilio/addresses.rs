//! Channel addresses: `whatsapp:+5511…` or `+5511…`.

/// The number without its channel.
pub fn number(address: &str) -> &str {
    address.split_once(':').map_or(address, |(_, number)| number)
}

/// The channel: `whatsapp`, `messenger`, …; `sms` for a bare number.
pub fn channel(address: &str) -> &str {
    address.split_once(':').map_or("sms", |(channel, _)| channel)
}

/// `+`, a digit other than 0, and 7 to 15 digits in all.
pub fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// A number with its last four digits hidden, as callbacks show it.
pub fn masked(number: &str) -> String {
    format!("{}XXXX", number.get(..number.len().saturating_sub(4)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_e164() {
        for good in ["+5511987654321", "+15005550006"] {
            assert!(is_e164(good), "{good}");
        }
        for bad in ["", "5511987654321", " 5511987654321", "+0511987654321", "+55 11", "+12345678901234567", "call me"]
        {
            assert!(!is_e164(bad), "{bad}");
        }
        assert_eq!(masked("+447946012345"), "+44794601XXXX");
    }
}
