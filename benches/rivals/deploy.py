"""A deploy script on Twilio's own SDK, as teams write them for a pipeline: it looks the ids of the account up by name, finds a flow
of the same name, and has each definition validated and published where it differs. No create that was interrupted is found again,
no edit of somebody else is seen; `make bench-cluster` puts the operator beside it.

    python deploy.py http://127.0.0.1:9000/twilio sample_flow.json 1000
"""

import json
import re
import sys

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

BASE, DEFINITION, FLOWS = sys.argv[1], sys.argv[2], int(sys.argv[3])


class LoopbackClient(TwilioHttpClient):
    """Sends https://{product}.twilio.com/... to BASE/{product}/..."""

    def request(self, method, url, **rest):
        product, path = re.fullmatch(r"https://([a-z-]+)\.twilio\.com(/.*)", url).groups()
        return super().request(method, f"{BASE}/{product}{path}", **rest)


def main():
    client = Client("AC00000000000000000000000000000001", "demo-auth-token", http_client=LoopbackClient())
    workspace = client.taskrouter.v1.workspaces.list(friendly_name="Flex Task Assignment")[0]
    workflow = next(it for it in workspace.workflows.list() if it.friendly_name == "Assign to Anyone")
    channel = next(it for it in workspace.task_channels.list() if it.unique_name == "chat")
    with open(DEFINITION) as file:
        definition = json.load(file)
    widget = next(it for it in definition["states"] if it["name"] == "send_to_flex")
    widget["properties"].update(workflow=workflow.sid, channel=channel.sid)

    studio = client.studio.v2
    known = {flow.friendly_name: flow.sid for flow in studio.flows.list(page_size=1000)}
    for number in range(FLOWS):
        name = f"f{number}"
        if name in known and studio.flows(known[name]).fetch().definition == definition:
            continue
        write = {"friendly_name": name, "status": "published", "definition": definition}
        studio.flow_validate.update(**write)
        if name in known:
            studio.flows(known[name]).update(**write)
        else:
            studio.flows.create(**write)


if __name__ == "__main__":
    main()
