"""What the API server's audit log says of both roles' own requests. Those of kubectl with their tokens do not count.

    audit.py LOG NAMESPACE refused      what it refused them
    audit.py LOG NAMESPACE unused       which of the rules on standard input nobody needed: `kubectl get --output json` of the
                                        Roles and ClusterRoles that begin with a role's name

Each line is a role, a verb and a resource.
"""

import json
import sys

log, namespace, question = sys.argv[1:]
granted, refused = set(), set()
for line in open(log):
    event = json.loads(line)
    role = event["user"]["username"].removeprefix(f"system:serviceaccount:{namespace}:engage-operator-")
    on = event.get("objectRef")
    if role not in ("controller", "gateway") or not on or event.get("userAgent", "").startswith("kubectl"):
        continue
    resource = "/".join(filter(None, [on["resource"], on.get("subresource")]))
    code = event["responseStatus"]["code"]
    (refused if code == 403 else granted).add((role, event["verb"], resource))
    # A server-side apply of what is not there yet needs both rights.
    if (event["verb"], code) == ("patch", 201):
        granted.add((role, "create", resource))

if question == "unused":
    if not granted:
        sys.exit("the log holds no request of either role")
    for item in json.load(sys.stdin)["items"]:
        role = item["metadata"]["name"].split("-")[2]
        for rule in item["rules"]:
            refused |= {(role, verb, resource) for verb in rule["verbs"] for resource in rule["resources"]} - granted
for found in sorted(refused):
    print(*found)
