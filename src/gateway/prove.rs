//! Who asks: a request is looked at only when it is proven to be Segment's.

use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};

use crate::{
    api::reasons::{event as event_reason, request as request_reason},
    delivery::engine::Route,
    gateway::destinations::{Gateway, Refusal},
    segment::{
        SegmentCredentials,
        body::Body,
        proof::{self, Presented, Proof},
        signature,
    },
};

impl Gateway {
    /// Checks signature and token; where they fall short, once more with the Secret read anew, which may have been rotated.
    pub(super) async fn prove(
        &self,
        route: &Route,
        headers: &HeaderMap,
        bytes: &[u8],
        body: &Body<'_>,
    ) -> Result<Proof, Refusal> {
        let presented = Presented {
            signature: headers.get(signature::HEADER).map(AsRef::as_ref),
            authorization: headers.get(AUTHORIZATION).map(AsRef::as_ref),
        };
        if presented.signature.is_none() && presented.authorization.is_none() {
            return Err(unauthorized("the request has no X-Signature; set the destination's shared secret in Segment"));
        }
        let credentials = self.segment_credentials(route, Reading::Kept).await?;
        let first = body.first_of_batch();
        let mut proof = proof::prove(&credentials, presented, bytes, first);
        if falls_short(proof, &credentials, presented, body) {
            let credentials = self.segment_credentials(route, Reading::Anew).await?;
            proof = proof::prove(&credentials, presented, bytes, first);
        }
        let proof = proof.ok_or_else(|| {
            unauthorized("neither X-Signature nor Authorization matches what the Secret of this destination holds")
        })?;
        self.metrics.proof(proof);
        Ok(proof)
    }

    async fn segment_credentials(&self, route: &Route, reading: Reading) -> Result<SegmentCredentials, Refusal> {
        let reference = &route.destination.segment;
        let key = route.key.sibling(&reference.name);
        let secret = match reading {
            Reading::Kept => self.secrets.get(&key).await,
            Reading::Anew => self.secrets.refresh(&key).await,
        };
        let unreadable =
            |detail| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, event_reason::CREDENTIALS_UNREADABLE, detail);
        let secret = secret.map_err(|error| unreadable(error.to_string()))?;
        SegmentCredentials::read(reference, &secret).map_err(|error| unreadable(error.to_string()))
    }
}

/// Where a Secret is taken from.
#[derive(Debug, Clone, Copy)]
enum Reading {
    Kept,
    Anew,
}

/// Whether a Secret that was changed a moment ago might prove more: nothing is proven, or only the first of several events
/// although a token was sent.
fn falls_short(
    proof: Option<Proof>,
    credentials: &SegmentCredentials,
    presented: Presented<'_>,
    body: &Body<'_>,
) -> bool {
    match proof {
        None => true,
        Some(Proof::FirstEvent) => {
            body.events().len() > 1 && presented.authorization.is_some() && !credentials.webhook_tokens.is_empty()
        }
        Some(Proof::WholeBody | Proof::Bearer) => false,
    }
}

fn unauthorized(detail: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, request_reason::BAD_SIGNATURE, detail)
}
