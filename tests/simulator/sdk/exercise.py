"""Twilio's official SDK against the simulator.

The SDK is unchanged; only its HTTP client puts every request on the simulator's address. What the SDK cannot parse, or
answers differently from what Twilio's reference says, fails here.
"""

import http.server
import json
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "demo-auth-token"
SERVICE = "MG00000000000000000000000000000001"
CONTENT = "HX00000000000000000000000000000001"
WORKFLOW = "WW00000000000000000000000000000001"
CHANNEL = "TC00000000000000000000000000000001"
CUSTOMER = "whatsapp:+5511987654321"
SENDER = "whatsapp:+5511900000001"


class LoopbackClient(TwilioHttpClient):
    """Sends https://{product}.twilio.com/... to {base}/twilio/{product}/..."""

    def __init__(self, base):
        super().__init__()
        self.base = base

    def request(self, method, url, **rest):
        product, path = re.fullmatch(r"https://([a-z-]+)\.twilio\.com(/.*)", url).groups()
        return super().request(method, f"{self.base}/twilio/{product}{path}", **rest)


class Callbacks(http.server.BaseHTTPRequestHandler):
    """Keeps the status callbacks and checks their signature with the SDK's validator."""

    received = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fields = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        url = f"http://127.0.0.1:{self.server.server_port}{self.path}"
        valid = RequestValidator(TOKEN).validate(url, fields, self.headers["X-Twilio-Signature"])
        Callbacks.received.append((fields["MessageSid"], fields["MessageStatus"], valid))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"expected {wanted!r}, got {got!r}")


def expect_error(call, status, code):
    try:
        call()
    except TwilioRestException as error:
        expect((error.status, error.code), (status, code))
        return error
    raise AssertionError(f"expected HTTP {status} with code {code}, but there was no error")


def until(condition, what):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited in vain until {what}")


def definition(text):
    ends = [{"event": event} for event in ("callComplete", "failedToEnqueue", "callFailure")]
    agent = {"workflow": WORKFLOW, "channel": CHANNEL, "attributes": '{"from":"{{contact.channel.address}}"}'}
    message = {"from": "{{flow.channel.address}}", "to": "{{contact.channel.address}}", "body": text}
    return {
        "initial_state": "Trigger",
        "flags": {"allow_concurrent_calls": True},
        "states": [
            {"name": "Trigger", "type": "trigger", "properties": {},
             "transitions": [{"event": "incomingConversationMessage", "next": "hello"}, {"event": "incomingMessage"}]},
            {"name": "hello", "type": "send-message", "properties": message,
             "transitions": [{"event": "sent", "next": "agent"}, {"event": "failed", "next": "agent"}]},
            {"name": "agent", "type": "send-to-flex", "properties": agent, "transitions": ends},
        ],
    }


def messages(client, _):
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Callbacks)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    callback = f"http://127.0.0.1:{receiver.server_port}/cb?event=m-1"
    made = client.messages.create(
        to=CUSTOMER, messaging_service_sid=SERVICE, content_sid=CONTENT,
        content_variables=json.dumps({"1": "Ana", "2": "pro"}), status_callback=callback)
    expect((made.status, made.from_, made.direction, made.error_code), ("accepted", None, "outbound-api", None))
    until(lambda: client.messages(made.sid).fetch().status == "delivered", "the message was delivered")
    fetched = client.messages(made.sid).fetch()
    expect((fetched.from_, fetched.to), (SENDER, CUSTOMER))
    assert fetched.date_sent.tzinfo is not None and fetched.body.startswith("Hi Ana, ")
    until(lambda: len(Callbacks.received) == 2, "both callbacks came")
    expect(Callbacks.received, [(made.sid, "sent", True), (made.sid, "delivered", True)])
    receiver.shutdown()

    for _ in range(4):
        client.messages.create(to=CUSTOMER, from_=SENDER, content_sid=CONTENT)
    listed = client.messages.list(to=CUSTOMER, date_sent_after=made.date_created.replace(hour=0), page_size=2)
    expect((len(listed), listed[-1].sid), (5, made.sid))
    expect(len(client.messages.list(from_="whatsapp:+5511900000002")), 0)
    expect_error(lambda: client.messages.create(to="nobody", messaging_service_sid=SERVICE, content_sid=CONTENT), 400, 21211)
    expect_error(lambda: client.messages.create(to=CUSTOMER, from_="whatsapp:+15005550006", body="x"), 400, 63007)
    expect_error(lambda: client.messages("SM" + "f" * 32).fetch(), 404, 20404)


def conversations(client, control):
    api = client.conversations.v1
    made = api.conversations.create(
        unique_name="lead-1", friendly_name="Lead", attributes=json.dumps({"event": "m-1"}), state="active",
        timers_closed="PT1H")
    expect((made.state, made.chat_service_sid[:2]), ("active", "IS"))
    expect(api.conversations("lead-1").fetch().sid, made.sid)
    expect_error(lambda: api.conversations.create(unique_name="lead-1"), 409, 50353)
    expect_error(lambda: api.conversations.create(timers_closed="PT1H"), 400, 50382)

    flow = client.studio.v2.flows.create(
        friendly_name="Connect", status="published", definition=definition("One moment"))
    webhook = made.webhooks.create(target="studio", configuration_flow_sid=flow.sid)
    expect((webhook.target, webhook.configuration), ("studio", {"flow_sid": flow.sid}))
    expect([row.sid for row in made.webhooks.list()], [webhook.sid])

    participant = made.participants.create(
        messaging_binding_address=CUSTOMER, messaging_binding_proxy_address=SENDER)
    expect(participant.messaging_binding, {"type": "whatsapp", "address": CUSTOMER, "proxy_address": SENDER})
    other = api.conversations.create()
    clash = expect_error(lambda: other.participants.create(
        messaging_binding_address=CUSTOMER, messaging_binding_proxy_address=SENDER), 409, 50416)
    assert made.sid in clash.msg, clash.msg
    expect([row.sid for row in made.participants.list()], [participant.sid])

    template = made.messages.create(content_sid=CONTENT, content_variables='{"1":"Ana"}', attributes='{"event":"m-1"}')
    expect((template.author, template.content_sid, template.index), ("system", CONTENT, 0))
    control("POST", "reply", {"from": "+5511987654321", "to": "+5511900000001", "body": "hi"})
    bodies = [message.body for message in made.messages.list(order="desc", page_size=1)]
    expect(bodies[:2], ["One moment", "hi"])
    expect(len(bodies), 3)
    state = control("GET", "state")
    expect([task["workflow_sid"] for task in state["tasks"]], [WORKFLOW])

    found = api.participant_conversations.list(address=CUSTOMER)
    expect([(row.conversation_sid, row.conversation_state) for row in found], [(made.sid, "active")])
    expect(made.update(state="closed").state, "closed")
    expect_error(lambda: made.update(friendly_name="late"), 400, 50377)
    assert other.delete()
    expect_error(lambda: other.fetch(), 404, 20404)


def studio(client, _):
    flows = client.studio.v2.flows
    made = flows.create(friendly_name="Flow", status="draft", definition=definition("a"), commit_message="first")
    expect((made.revision, made.status, made.valid, made.definition), (1, "draft", True, definition("a")))
    sid = made.sid
    expect_error(lambda: flows(sid).revisions("LatestPublished").fetch(), 404, 20404)
    published = flows(sid).update(status="published", definition=definition("b"), commit_message="second")
    expect((published.revision, published.definition), (2, definition("b")))
    expect(flows(sid).update(status="draft").revision, 3)
    live = flows(sid).revisions("LatestPublished").fetch()
    expect((live.revision, live.definition, live.commit_message), (2, definition("b"), "second"))
    expect([row.revision for row in flows(sid).revisions.list()], [3, 2, 1])
    row = next(row for row in flows.list() if row.sid == sid)
    expect((row.definition, row.commit_message, row.valid), (None, None, None))

    expect(client.studio.v2.flow_validate.update("x", "draft", definition("a")).valid, True)
    broken = definition("a")
    del broken["states"][2]["properties"]["workflow"]
    error = expect_error(lambda: client.studio.v2.flow_validate.update("x", "draft", broken), 400, 81022)
    wanted = {"message": "is missing but it is required", "property_path": "#/states/2/properties/workflow"}
    expect(error.details, {"errors": [wanted]})
    assert flows(sid).delete()
    expect_error(lambda: flows(sid).fetch(), 404, 20404)


def content(client, _):
    fetched = client.content.v1.contents(CONTENT).fetch()
    expect((fetched.friendly_name, fetched.variables["1"]), ("lead_welcome", "there"))
    expect(client.content.v1.contents(CONTENT).approval_fetch().fetch().whatsapp["status"], "approved")
    expect(client.content.v1.contents("HX" + "0" * 31 + "4").approval_fetch().fetch().whatsapp, None)
    expect(len(client.content.v1.content_and_approvals.list(page_size=3)), 4)
    expect(len(client.content.v1.contents.list()), 4)
    [found] = client.content.v2.content_and_approvals.list(content_name="^lead_offer$")
    expect(found.approval_requests["rejection_reason"], "The body reads like a promotion.")
    expect(len(client.content.v2.contents.list(content_name="LEAD")), 4)


def messaging(client, _):
    service = client.messaging.v1.services(SERVICE).fetch()
    expect(service.friendly_name, "Engage")
    senders = client.messaging.v1.services(SERVICE).channel_senders.list()
    expect([row.sender for row in senders], [SENDER, "rcs:engage_demo_agent"])
    expect(len(client.messaging.v1.services.list(page_size=1)), 3)
    online = [row for row in client.messaging.v2.channels_senders.list(channel="whatsapp") if row.status == "ONLINE"]
    expect([row.sender_id for row in online], [SENDER, "whatsapp:+5511900000002"])
    expect_error(lambda: client.messaging.v1.services("MG" + "f" * 32).fetch(), 404, 20404)


def taskrouter_and_flex(client, _):
    flex = client.flex_api.v1.configuration().fetch()
    expect(flex.status, "ok")
    workspace = client.taskrouter.v1.workspaces(flex.taskrouter_workspace_sid)
    expect(workspace.fetch().friendly_name, "Flex Task Assignment")
    expect([row.sid for row in workspace.workflows.list(friendly_name="Assign to Anyone")], [WORKFLOW])
    expect([row.unique_name for row in workspace.task_channels.list()], ["chat", "voice", "default"])
    expect(workspace.task_channels("chat").fetch().sid, CHANNEL)
    expect(len(workspace.task_queues.list()), 1)

    conversation = client.conversations.v1.conversations.create()
    conversation.participants.create(
        messaging_binding_address="whatsapp:+5511987650001", messaging_binding_proxy_address=SENDER)
    properties = {"workspace_sid": flex.taskrouter_workspace_sid, "workflow_sid": WORKFLOW,
                  "task_channel_unique_name": "chat", "attributes": {"from": "x"}}
    channel = {"type": "whatsapp", "initiated_by": "customer", "properties": {"media_channel_sid": conversation.sid}}
    made = client.flex_api.v1.interaction.create(channel=channel, routing={"properties": properties})
    channels = client.flex_api.v1.interaction(made.sid).channels
    until(lambda: channels.list()[0].status == "active", "the interaction channel was active")
    listed = workspace.tasks.list(evaluate_task_attributes='from == "x"')
    expect([task.attributes for task in listed], [None])
    task = workspace.tasks(listed[0].sid).fetch()
    expect(json.loads(task.attributes)["flexInteractionSid"], made.sid)


def authentication(base):
    client = Client(ACCOUNT, "wrong", http_client=LoopbackClient(base))
    expect_error(lambda: client.messaging.v1.services(SERVICE).fetch(), 401, 20003)
    standard = Client("SK" + "0" * 31 + "1", "demo-standard-secret", ACCOUNT, http_client=LoopbackClient(base))
    expect(len(standard.messaging.v1.services.list()), 3)
    expect_error(lambda: standard.api.v2010.accounts(ACCOUNT).fetch(), 401, 20003)


def main(program):
    simulator = subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        ready = simulator.stdout.readline().split()
        if not ready:
            raise SystemExit("the simulator did not start")
        base = next(word for word in ready if word.startswith("control=")).removeprefix("control=").removesuffix("/_sim")

        def control(method, action, body=None):
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(f"{base}/_sim/{action}", data=data, method=method)
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)

        client = Client(ACCOUNT, TOKEN, http_client=LoopbackClient(base))
        for part in (messages, conversations, studio, content, messaging, taskrouter_and_flex):
            control("POST", "reset")
            part(client, control)
            print(f"ok {part.__name__}", flush=True)
        authentication(base)
        print("ok authentication", flush=True)
    finally:
        simulator.terminate()
        simulator.wait()


if __name__ == "__main__":
    main(sys.argv[1])
