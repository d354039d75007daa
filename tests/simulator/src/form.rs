//! `application/x-www-form-urlencoded`, decoded exactly: `+` is a space, every `%` must be followed by two hexadecimal
//! digits, and the result must be UTF-8. What a lenient parser would pass over is an error here (twilio.md 1.3).

/// Name and value pairs in the order they were written.
pub type Pairs = Vec<(String, String)>;

/// Decodes a body or a query string; the error says what is wrong with it.
pub fn parse(encoded: &[u8]) -> Result<Pairs, String> {
    let mut pairs = Vec::new();
    for piece in encoded.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
        let cut = piece.iter().position(|byte| *byte == b'=').unwrap_or(piece.len());
        let value = piece.get(cut + 1..).unwrap_or_default();
        pairs.push((decode(&piece[..cut], true)?, decode(value, true)?));
    }
    Ok(pairs)
}

/// Decodes one path segment, where `+` is a plus.
pub fn decode_segment(segment: &str) -> Result<String, String> {
    decode(segment.as_bytes(), false)
}

fn decode(encoded: &[u8], plus_is_space: bool) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' if plus_is_space => b' ',
            b'%' => {
                let (high, low) = (rest.next().and_then(hex_digit), rest.next().and_then(hex_digit));
                match (high, low) {
                    (Some(high), Some(low)) => high << 4 | low,
                    _ => return Err("a '%' is not followed by two hexadecimal digits".to_owned()),
                }
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| "a parameter is not UTF-8 after percent-decoding".to_owned())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The first value of a name.
pub fn first<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn an_unencoded_plus_becomes_a_space() {
        assert_eq!(parse(b"To=whatsapp:+55&From=%2B1"), Ok(vec![pair("To", "whatsapp: 55"), pair("From", "+1")]));
    }

    #[test]
    fn names_are_decoded_and_may_repeat() {
        let decoded = parse("DateSent%3E=2024-01-02&T=a&T=%C3%A9&Empty=&Bare".as_bytes());
        let expected =
            vec![pair("DateSent>", "2024-01-02"), pair("T", "a"), pair("T", "é"), pair("Empty", ""), pair("Bare", "")];
        assert_eq!(decoded, Ok(expected));
    }

    #[test]
    fn broken_escapes_and_foreign_bytes_are_errors() {
        assert!(parse(b"a=%2").is_err());
        assert!(parse(b"a=%zz").is_err());
        assert!(parse(b"a=%FF").is_err());
    }

    #[test]
    fn a_plus_in_a_path_stays_a_plus() {
        assert_eq!(decode_segment("user_id:a+b%2Bc"), Ok("user_id:a+b+c".to_owned()));
    }
}
