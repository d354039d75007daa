//! Any bytes as what Twilio says of a message, line after line: the first is where it was called back, each other one the form
//! of a callback or the receipts that a look has found. All of it is read or passed over, only what was signed over one of the
//! two forms of the address is proven, and a message never goes back, nor is one of its statuses told twice.

#![no_main]

use std::{collections::BTreeSet, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use engage_operator::{
    delivery::receipts::{
        look::said,
        progress::{Progress, Receipt, Status},
    },
    twilio::{CallbackUrls, StatusCallback, conversations::DeliveryReceipt, sid::ConversationSid, signature::verify},
};
use hmac::{Hmac, Mac};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use sha1::Sha1;
use url::form_urlencoded;

const TOKEN: &str = "t0ken";

static BARE: LazyLock<CallbackUrls> = LazyLock::new(|| at("https://engage.example.com"));
static WITH_PORT: LazyLock<CallbackUrls> = LazyLock::new(|| at("http://engage.example.com:8080/base/"));
static CONVERSATION: LazyLock<ConversationSid> =
    LazyLock::new(|| format!("CH{:032}", 1).parse().expect("it is a SID"));

fn at(url: &str) -> CallbackUrls {
    CallbackUrls::at(&url.parse().expect("it is a URL")).expect("Twilio calls it")
}

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let place = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let mut progress = Progress::default();
    let mut told = BTreeSet::new();
    for line in lines.take(64) {
        let parameters: Vec<(String, String)> = form_urlencoded::parse(line).into_owned().collect();
        proofs(&place, &parameters, line);
        let receipts = match StatusCallback::read(&parameters) {
            Some(callback) => of_callback(callback),
            None => serde_json::from_slice::<Vec<DeliveryReceipt>>(line)
                .map(|receipts| said("IM1", &CONVERSATION, &receipts))
                .unwrap_or_default(),
        };
        for receipt in receipts {
            let before = progress.furthest();
            let Some(advance) = progress.advance(&receipt) else { continue };
            assert!(advance.progress.furthest() >= before);
            assert!(advance.told.is_none_or(|status| told.insert(status)), "told twice");
            progress = advance.progress;
            assert_eq!(progress.advance(&receipt), None, "it is new once");
            let kept = serde_json::to_vec(&progress).expect("it can be kept");
            assert_eq!(serde_json::from_slice::<Progress>(&kept).expect("and read again"), progress);
        }
    }
    assert!(progress.furthest().is_none_or(|furthest| told.contains(&furthest)));
});

fn of_callback(callback: StatusCallback) -> Vec<Receipt> {
    let StatusCallback { message, status, error_code } = callback;
    let status = Status::of_word(&status);
    status.map(|status| Receipt { message, status, error_code, seen: None }).into_iter().collect()
}

/// Only a signature by the token, over the address with or without its port, proves a form.
fn proofs(place: &str, parameters: &[(String, String)], guessed: &[u8]) {
    let token = SecretString::from(TOKEN);
    for urls in [&*BARE, &*WITH_PORT] {
        let urls = urls.signed(place);
        // A fuzzer does not find twenty bytes of SHA-1 by chance.
        assert!(!verify(&token, &urls, parameters, guessed));
        for url in &urls {
            assert!(verify(&token, &urls, parameters, sign(url, parameters).as_bytes()));
        }
        let elsewhere = sign(&format!("{}x", urls[0]), &[]);
        assert!(!parameters.is_empty() || !verify(&token, &urls, parameters, elsewhere.as_bytes()));
    }
}

/// As Twilio describes it: over the address and the parameters in the order of their names, each once.
fn sign(url: &str, parameters: &[(String, String)]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).expect("HMAC takes any key");
    mac.update(url.as_bytes());
    for (name, value) in parameters.iter().collect::<BTreeSet<_>>() {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}
