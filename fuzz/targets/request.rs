//! Any bytes as the body of a request, with any bytes as its signature: it is read or refused, what it is made of lies in it
//! as it came, and nothing but a signature by the secret proves it.

#![no_main]

use engage_operator::segment::{body::Body, signature::verify};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;

fuzz_target!(|data: &[u8]| {
    let (signature, body) = data.split_at(data.len().min(40));
    let secrets = [SecretString::from("s3cret"), SecretString::from("older")];
    let first = Body::parse(body).ok().and_then(|parsed| {
        let range = body.as_ptr_range();
        for event in parsed.events() {
            let bytes = event.get().as_bytes();
            assert!(range.contains(&bytes.as_ptr()) && bytes.len() <= body.len());
            assert_eq!(bytes.first(), Some(&b'{'));
        }
        parsed.first_of_batch().map(<[u8]>::to_vec)
    });
    // A fuzzer does not find forty digits of SHA-1 by chance.
    assert_eq!(verify(&secrets, signature, body, first.as_deref()), None);
});
