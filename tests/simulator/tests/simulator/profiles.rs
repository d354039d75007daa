//! The Profile API and the Tracking API (segment.md 4, 6).

use engage_simulator::{Options, Profile};
use serde_json::{Value, json};

use crate::client::{Client, start, start_with};

async fn get(client: &Client, path: &str, token: &str) -> (u16, Value) {
    let url = format!("{}/v1/spaces/spa_demo/collections/users/profiles/{path}", client.sim.profiles_base_url());
    let answer = client.http.get(url).basic_auth(token, Some("")).send().await.unwrap();
    assert!(answer.headers().contains_key("request-id"));
    (answer.status().as_u16(), answer.json().await.unwrap())
}

const TOKEN: &str = "demo-profiles-token";

#[tokio::test]
async fn traits_are_returned_by_name_and_ten_at_a_time() {
    let client = start().await;
    let (status, body) = get(&client, "user_id:lead-1/traits?include=phone,plan", TOKEN).await;
    assert_eq!((status, &body["traits"]), (200, &json!({"phone": "+5511987654321", "plan": "pro"})));
    assert_eq!(body["cursor"]["has_more"], false);
    let many: serde_json::Map<String, Value> = (0..12).map(|n| (format!("t{n}"), json!(n))).collect();
    client.sim.put_profile("spa_demo", "user_id:many", Profile { traits: many, ..Profile::default() });
    let (_, first) = get(&client, "user_id:many/traits", TOKEN).await;
    assert_eq!((first["traits"].as_object().unwrap().len(), &first["cursor"]["has_more"]), (10, &json!(true)));
    let next = first["cursor"]["next"].as_str().unwrap();
    let (_, rest) = get(&client, &format!("user_id:many/traits?next={next}"), TOKEN).await;
    assert_eq!((rest["traits"].as_object().unwrap().len(), &rest["cursor"]["next"]), (2, &json!("")));
    let (_, verbose) = get(&client, "user_id:lead-1/traits?include=plan&verbose=true", TOKEN).await;
    assert_eq!(verbose["traits"]["plan"]["value"], "pro");
    let (_, audiences) = get(&client, "user_id:lead-1/traits?class=audience", TOKEN).await;
    assert_eq!(audiences["traits"], json!({"vip_lapsed": true}));
}

#[tokio::test]
async fn profiles_are_found_by_exact_encoded_identifiers() {
    let client = start().await;
    assert_eq!(get(&client, "phone:%2B5511987654321/traits?include=name", TOKEN).await.0, 200);
    assert_eq!(get(&client, "phone:+5511987654321/traits", TOKEN).await.0, 500);
    assert_eq!(get(&client, "user_id:Lead-1/traits", TOKEN).await.0, 404);
    let (status, body) = get(&client, "user_id:nobody/traits", TOKEN).await;
    let error = json!({"error": {"code": "not_found", "message": "Profile was not found."}});
    assert_eq!((status, body), (404, error));
    let (_, ids) = get(&client, "user_id:lead-1/external_ids?include=phone", TOKEN).await;
    assert_eq!((ids["data"].as_array().unwrap().len(), &ids["data"][0]["id"]), (1, &json!("+5511987654321")));
}

#[tokio::test]
async fn what_is_wrong_is_refused_in_segments_words() {
    let client = start().await;
    let code = |body: &Value| body["error"]["code"].as_str().unwrap().to_owned();
    let (status, body) = get(&client, "user_id:lead-1/traits", "other").await;
    assert_eq!((status, code(&body)), (401, "authentication_error".to_owned()));
    for path in [
        "user_id:lead-1/traits?limit=201",
        "user_id:lead-1/traits?colour=blue",
        "user_id:lead-1/external_ids?limit=101",
    ] {
        let (status, body) = get(&client, path, TOKEN).await;
        assert_eq!((status, code(&body)), (400, "validation_error".to_owned()), "{path}");
    }
    let limited = start_with(Options { profile_limit: Some(1), ..Options::default() }).await;
    assert_eq!(get(&limited, "user_id:lead-1/traits", TOKEN).await.0, 200);
    let (status, body) = get(&limited, "user_id:lead-1/traits", TOKEN).await;
    assert_eq!((status, code(&body)), (429, "rate_limit_error".to_owned()));
}

#[tokio::test]
async fn tracked_events_are_kept_with_the_reason_to_drop_them() {
    let client = start().await;
    let url = format!("{}/v1/batch", client.sim.tracking_base_url());
    let track = |id: &str| json!({"type": "track", "userId": "u", "event": "WhatsApp Delivered", "messageId": id});
    let batch =
        json!({"writeKey": "demo-write-key", "batch": [track("a"), track("a"), {"type": "track", "event": "x"}]});
    let answer = client.http.post(&url).json(&batch).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"success": true}));
    let track_url = format!("{}/v1/track", client.sim.tracking_base_url());
    let single = client.http.post(&track_url).basic_auth("wrong-key", Some("")).json(&track("b")).send().await.unwrap();
    assert_eq!(single.status(), 200);
    let discarded: Vec<_> = client.sim.state().tracked.into_iter().map(|one| one.discarded).collect();
    assert_eq!(discarded, [None, Some("duplicate"), Some("no_user_anon_id"), Some("unknown_source")]);
    let malformed = client.http.post(&url).header("content-type", "application/json").body("{").send().await.unwrap();
    assert_eq!(malformed.status(), 400);
    assert_eq!(client.http.post(&url).body("{}").send().await.unwrap().status(), 415);
}
