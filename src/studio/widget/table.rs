//! The types of widget, from the schemas, the catalogue and real flows. Twilio publishes no list of the properties of every
//! type: where a list is here it is long rather than exact.

use super::{
    Event, Family,
    Family::{Code, Flex, FlowControl, Messaging, Voice},
    Meaning, Shape,
    Shape::{Flag, Sid, SidOrLiquid, Text},
    Widget,
};

const fn ordinary(name: &'static str) -> Event {
    Event { name, meaning: Meaning::Ordinary }
}

const fn failure(name: &'static str) -> Event {
    Event { name, meaning: Meaning::Failure }
}

const fn timeout(name: &'static str) -> Event {
    Event { name, meaning: Meaning::Timeout }
}

const fn widget(kind: &'static str, family: Family, events: &'static [Event]) -> Widget {
    Widget { kind, family, required: &[], optional: &[], shapes: &[], events, waits: false, retired: false }
}

impl Widget {
    const fn with(self, required: &'static [&'static str], optional: &'static [&'static str]) -> Self {
        Self { required, optional, ..self }
    }

    const fn shaped(self, shapes: &'static [(&'static str, Shape)]) -> Self {
        Self { shapes, ..self }
    }

    const fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }

    const fn retired(self) -> Self {
        Self { retired: true, ..self }
    }
}

/// All types that are known, at least by name.
pub const WIDGETS: &[Widget] = &[
    widget(
        "trigger",
        FlowControl,
        &[
            ordinary("incomingMessage"),
            ordinary("incomingCall"),
            ordinary("incomingConversationMessage"),
            ordinary("incomingRequest"),
            ordinary("incomingParent"),
        ],
    ),
    widget("split-based-on", FlowControl, &[ordinary("match"), ordinary("noMatch")]).with(&["input"], &[]),
    widget("set-variables", FlowControl, &[ordinary("next")]).with(&[], &["variables"]),
    widget("run-subflow", FlowControl, &[ordinary("completed"), failure("failed")])
        .with(&["flow_sid"], &["flow_revision", "parameters"])
        .shaped(&[("flow_sid", Sid("FW"))])
        .waiting(),
    widget("send-message", Messaging, &[ordinary("sent"), failure("failed")])
        .with(&["from"], MESSAGE)
        .shaped(&[("content_sid", SidOrLiquid("HX"))]),
    widget(
        "send-and-wait-for-reply",
        Messaging,
        &[ordinary("incomingMessage"), timeout("timeout"), failure("deliveryFailure")],
    )
    .with(&["from"], MESSAGE)
    .shaped(&[("timeout", Text), ("content_sid", SidOrLiquid("HX"))])
    .waiting(),
    widget("start-conversation", Messaging, &[ordinary("created"), failure("failed")])
        .with(
            &["conversation_service_sid", "participants"],
            &[
                "friendly_name",
                "attributes",
                "messaging_service_sid",
                "timers_inactive",
                "timers_closed",
                "close_conversation_on_execution_end",
            ],
        )
        .shaped(&[("conversation_service_sid", SidOrLiquid("IS")), ("messaging_service_sid", SidOrLiquid("MG"))]),
    widget("resume-conversation", Messaging, &[ordinary("resumed"), failure("failed")])
        .with(&["conversation_service_sid"], &["conversation_sid", "webhook_filters", "attributes"])
        .shaped(&[("conversation_service_sid", SidOrLiquid("IS"))]),
    widget(
        "send-to-flex",
        Flex,
        &[ordinary("callComplete"), failure("failedToEnqueue"), failure("callFailure"), ordinary("composerStarted")],
    )
    .with(&["workflow", "channel"], &["attributes", "priority", "timeout", "waitUrl", "waitUrlMethod"])
    .shaped(&[("priority", Text), ("workflow", SidOrLiquid("WW")), ("channel", SidOrLiquid("TC"))])
    .waiting(),
    widget("run-function", Code, &[ordinary("success"), failure("fail")])
        .with(&["url"], &["service_sid", "environment_sid", "function_sid", "parameters", "timeout"]),
    widget("make-http-request", Code, &[ordinary("success"), failure("failed")]).with(
        &["url"],
        &[
            "method",
            "content_type",
            "body",
            "parameters",
            "headers",
            "timeout",
            "add_twilio_auth",
            "send_twilio_credentials",
        ],
    ),
    widget("say-play", Voice, &[ordinary("audioComplete")])
        .with(&[], &["say", "play", "digits", "voice", "language", "loop"]),
    widget("gather-input-on-call", Voice, &[ordinary("keypress"), ordinary("speech"), timeout("timeout")])
        .with(
            &[],
            &[
                "say",
                "play",
                "voice",
                "language",
                "loop",
                "timeout",
                "finish_on_key",
                "stop_gather",
                "number_of_digits",
                "speech_timeout",
                "speech_model",
                "gather_language",
                "hints",
                "profanity_filter",
                "save_response_as",
            ],
        )
        .shaped(&[("profanity_filter", Text)])
        .waiting(),
    widget("connect-call-to", Voice, &[ordinary("callCompleted"), ordinary("hangup")])
        .with(
            &["noun"],
            &[
                "to",
                "caller_id",
                "sip_endpoint",
                "sip_username",
                "sip_password",
                "record",
                "timeout",
                "time_limit",
                "conference",
            ],
        )
        .shaped(&[("time_limit", Text)])
        .waiting(),
    widget(
        "make-outgoing-call-v1",
        Voice,
        &[
            ordinary("answered"),
            ordinary("answeredByMachine"),
            ordinary("hangup"),
            failure("busy"),
            failure("noAnswer"),
            failure("failed"),
        ],
    )
    .with(&["from", "to"], OUTGOING_CALL)
    .waiting(),
    widget(
        "make-outgoing-call-v2",
        Voice,
        &[ordinary("answered"), failure("busy"), failure("noAnswer"), failure("failed")],
    )
    .with(&["from", "to"], OUTGOING_CALL)
    .shaped(&[("trim", Text), ("machine_detection_timeout", Text)])
    .waiting(),
    widget("record-voicemail", Voice, &[ordinary("recordingComplete"), timeout("noAudio"), ordinary("hangup")])
        .with(
            &[],
            &[
                "timeout",
                "max_length",
                "finish_on_key",
                "transcribe",
                "transcription_callback_url",
                "play_beep",
                "trim",
                "recording_status_callback_url",
            ],
        )
        .shaped(&[("play_beep", Text), ("trim", Text)])
        .waiting(),
    widget("record-call", Voice, &[ordinary("success"), failure("failed")])
        .with(
            &["record_call"],
            &[
                "recording_channels",
                "trim",
                "recording_status_callback",
                "recording_status_callback_method",
                "recording_status_callback_events",
            ],
        )
        .shaped(&[("record_call", Flag)]),
    widget("enqueue-call", Voice, &[ordinary("callComplete"), failure("failedToEnqueue"), failure("callFailure")])
        .with(
            &[],
            &["workflow_sid", "queue_name", "priority", "timeout", "task_attributes", "wait_url", "wait_url_method"],
        )
        .shaped(&[("workflow_sid", SidOrLiquid("WW"))])
        .waiting(),
    widget(
        "capture-payments",
        Voice,
        &[
            ordinary("success"),
            failure("maxFailedAttempts"),
            failure("providerError"),
            failure("payInterrupted"),
            ordinary("hangup"),
            failure("validationError"),
        ],
    )
    .with(
        &[],
        &[
            "payment_connector",
            "timeout",
            "max_attempts",
            "security_code",
            "postal_code",
            "min_postal_code_length",
            "payment_token_type",
            "payment_amount",
            "currency",
            "payment_method",
            "valid_card_types",
            "description",
            "language",
            "parameters",
        ],
    )
    .shaped(&[("security_code", Flag), ("postal_code", Text)])
    .waiting(),
    widget("fork-stream", Voice, &[ordinary("next")]).with(
        &["stream_action"],
        &[
            "stream_name",
            "stream_transport_type",
            "stream_url",
            "stream_track",
            "stream_connector",
            "stream_parameters",
        ],
    ),
    widget(
        "connect-virtual-agent-v2",
        Voice,
        &[
            ordinary("completed"),
            ordinary("live-agent-handoff"),
            ordinary("hangup"),
            failure("failed"),
            ordinary("paused"),
            timeout("timeout"),
        ],
    )
    .waiting(),
    widget("connect-virtual-agent", Voice, &[ordinary("return"), ordinary("hangup")])
        .with(&["connector"], &["language", "sentiment_analysis", "status_callback"])
        .waiting(),
    widget("run-conversation-relay", Voice, &[ordinary("success"), failure("failed")])
        .with(
            &[],
            &[
                "url",
                "welcome_greeting",
                "tts_provider",
                "voice",
                "language",
                "transcription_provider",
                "speech_model",
                "dtmf_detection",
                "interruptible",
                "parameters",
            ],
        )
        .shaped(&[("interruptible", Text)])
        .waiting(),
    widget("add-twiml-redirect", Voice, &[ordinary("return"), timeout("timeout"), failure("fail")])
        .with(&["url"], &["method", "timeout"])
        .shaped(&[("timeout", Text)])
        .waiting(),
    widget("send-to-auto-pilot", Messaging, &[ordinary("sessionEnded"), failure("failure"), timeout("timeout")])
        .waiting()
        .retired(),
    widget("understand", Code, &[]).waiting().retired(),
    // Known by name alone.
    widget("run-function-v2", Code, &[]),
    widget("run-model-inference", Code, &[]),
    widget("update-sync-object", Code, &[]),
    widget("create-task", Flex, &[]).waiting(),
    widget("create-chat-channel", Messaging, &[]),
    widget("add-member-to-chat-channel", Messaging, &[]),
];

/// Of both widgets that send: what only one of them reads does no harm in the other.
const MESSAGE: &[&str] = &[
    "to",
    "body",
    "timeout",
    "service",
    "channel",
    "attributes",
    "media_url",
    "message_type",
    "content_sid",
    "content_variables",
    "content_template_sid",
    "shorten_urls",
    "messaging_service_sid",
    "save_response_as",
];

const OUTGOING_CALL: &[&str] = &[
    "record",
    "recording_channels",
    "recording_status_callback",
    "trim",
    "timeout",
    "detect_answering_machine",
    "machine_detection",
    "machine_detection_timeout",
    "machine_detection_silence_timeout",
    "machine_detection_speech_threshold",
    "machine_detection_speech_end_threshold",
    "send_digits",
    "sip_auth_username",
    "sip_auth_password",
];
