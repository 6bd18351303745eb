"""Prepares what schemathesis asks about: an organization with one of each thing that lasts, and
one for each command that ends something. Writes their ids and their owners' secrets as JSON.

usage: prepare.py BASE_URL CREDENTIAL_FILE > world.json
"""

import json
import sys
import urllib.request
import uuid

from operations import is_ending

base, credential_file = sys.argv[1:]
with open(credential_file, encoding="utf-8") as file:
    operator = file.read().strip()


def ask(method, path, body=None, credential=operator):
    request = urllib.request.Request(base + path, method=method)
    if method == "PUT":
        request.add_header("If-Match", "*")
    request.add_header("Authorization", f"Bearer {credential}")
    request.add_header("Idempotency-Key", str(uuid.uuid4()))
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = response.read()
        is_text = response.headers.get_content_type() == "text/plain"
        return answer.decode() if is_text else json.loads(answer)


def before(operation, make, ids):
    """What must have happened before an operation can be carried out."""
    if operation in ("end_break_glass", "review_break_glass", "transfer_credits", "Receiving"):
        make(f"/break-glass/{ids['break_glass_id']}/approve")
    if operation == "review_break_glass":
        make(f"/break-glass/{ids['break_glass_id']}/end")
    if operation == "close_access_review":
        make(f"/access-reviews/{ids['access_review_id']}/lines/{ids['line_id']}/attest", {"decision": "keep"})
    if operation == "erase_member":
        make(f"/members/{ids['member_id']}", method="DELETE")
    if operation == "erase_invite":
        make(f"/invites/{ids['invite_id']}/revoke")


def organization(name):
    organization_id = ask("POST", "/v1/organizations", {"name": name})["organization_id"]
    of = f"/v1/organizations/{organization_id}"

    def owner(login, *credential):
        """Who came by an invite has a key that nobody else has seen; others count as no second person."""
        body = {"email": f"{login}@example.com", "role": "owner"}
        invite = ask("POST", f"{of}/invites", body, *credential)
        accept = f"{of}/invites/{invite['invite_id']}/accept"
        return ask("POST", accept, {"login": login}, invite["secret"])

    own = owner("owner")
    secret = own["secret"]
    olga_key = owner("olga", secret)["secret"]

    def make(path, body=None, method="POST"):
        return ask(method, of + path, body, secret)

    member = {"login": "ada", "email": "ada@example.com", "role": "admin"}
    member_id = make("/members", member)["member_id"]
    project_id = make("/projects", {"name": "Web"})["project_id"]
    make(f"/projects/{project_id}/members/{member_id}", {"role": "owner"}, "PUT")
    account = {"project_id": project_id, "name": "indexer"}
    account_id = make("/service-accounts", account)["service_account_id"]
    key = {"project_id": project_id, "member_id": member_id, "name": "of ada"}
    api_key_id = make("/api-keys", key)["api_key_id"]
    invite = make("/invites", {"email": "ivy@example.com", "role": "member"})
    group_id = make("/groups", {"name": "Team", "role": "reader"})["group_id"]
    make(f"/groups/{group_id}/members/{member_id}", method="PUT")
    make(f"/projects/{project_id}/groups/{group_id}", {"role": "reader"}, "PUT")
    role_id = make("/roles", {"name": "Watcher", "permissions": ["usage.read"]})["role_id"]
    make(f"/roles/{role_id}/grants", {"member_id": member_id})
    export_id = make(f"/members/{member_id}/personal-data/export")["export_id"]
    # For the one that is to be closed: what can be said at once of every line.
    kind = "group_memberships" if name == "close_access_review" else "organization"
    review = {"title": "All", "due_at": "2999-01-01T00:00:00Z", "scope": {"kind": kind}}
    opened = make("/access-reviews", review)
    review_id = opened["access_review_id"]
    lines = f"/access-reviews/{review_id}/lines?min_position={opened['position']}"
    # Nobody says of themselves that they keep what they have.
    items = make(lines, method="GET")["items"]
    lines_of = [line["line_id"] for line in items if api_key_id in json.dumps(line)]
    line_id = lines_of[0] if lines_of else items[0]["line_id"]
    make("/security", {"approvals": ["grant_owner"]}, "PUT")
    asked = ask("PUT", f"{of}/members/{member_id}/role", {"role": "owner"}, olga_key)
    emergency = {"reason": "all operations are tried", "minutes": 240}
    waiting = ask("POST", f"{of}/break-glass", emergency)
    record = {"project_id": project_id, "provider": "openai", "model": "gpt-4o-mini", "request_id": "prepared",
              "occurred_at": "2026-03-01T12:00:00Z", "input_tokens": 1200, "output_tokens": 150}
    make("/usage", record)
    lot_id = make("/credits/purchases", {"amount": "5000", "currency": "USD"})["lot_id"]
    budget = {"name": "All", "scope": {"kind": "organization"}, "currency": "USD", "period": "monthly", "amount": "5000"}
    budget_id = make("/budgets", budget)["budget_id"]
    webhook = {"url": "https://alerts.example.com/in", "event_types": ["budget.exhausted"]}
    webhook_id = make("/webhooks", webhook)["webhook_id"]
    position = make("/credits/grants", {"amount": "5", "currency": "USD"})["position"]
    lines = [
        make(f"/audit-log?type={kind}&min_position={position}", method="GET")["items"]
        for kind in ("api_key.created", "usage.recorded")
    ]
    world = {
        "secret": secret,
        "own_ids": [own["member_id"], own["api_key_id"]],
        "second_secret": olga_key,
        "invite_token": invite["secret"],
        "organization_id": organization_id,
        "member_id": member_id,
        "project_id": project_id,
        "service_account_id": account_id,
        "api_key_id": api_key_id,
        "invite_id": invite["invite_id"],
        "group_id": group_id,
        "role_id": role_id,
        "export_id": export_id,
        "access_review_id": review_id,
        "line_id": line_id,
        "event_id": lines[0][0]["event_id"],
        "batch_id": lines[1][0]["event_id"],
        "approval_id": asked["approval_id"],
        "break_glass_id": waiting["break_glass_id"],
        "lot_id": lot_id,
        "budget_id": budget_id,
        "webhook_id": webhook_id,
        "request_id": record["request_id"],
    }
    if name == "transfer_credits":
        world["to_organization_id"] = organization("Receiving")[1]["organization_id"]
    before(name, make, world)
    return position, world


def examples(value, found):
    """Every id that stands in the document's examples."""
    if isinstance(value, dict):
        for inner in value.values():
            examples(inner, found)
    elif isinstance(value, list):
        for inner in value:
            examples(inner, found)
    elif isinstance(value, str):
        try:
            found.add(str(uuid.UUID(value)))
        except ValueError:
            pass
    return found


document = ask("GET", "/v1/openapi.json")
operations = [
    operation["operationId"] for item in document["paths"].values() for operation in item.values()
]
ending = {name: organization(name)[1] for name in operations if is_ending(name)}
position, lasting = organization("Lasting")
world = {
    "position": position,
    "operator": operator,
    "lasting": lasting,
    "ending": ending,
    "examples": sorted(examples(document, set())),
}
# So that a query finds all of it, whenever it comes.
ask("GET", f"/v1/organizations?min_position={position}")
# And so that there is a proof of all of it.
ask("GET", f"/v1/checkpoint?min_position={position}")
json.dump(world, sys.stdout)
