"""Prepares what schemathesis asks about: two organizations with one of each thing. One lasts; the
other is for commands that end something. Writes their ids as JSON.

usage: prepare.py BASE_URL CREDENTIAL_FILE > world.json
"""

import json
import sys
import urllib.request
import uuid

base, credential_file = sys.argv[1:]
with open(credential_file, encoding="utf-8") as file:
    operator = file.read().strip()


def ask(method, path, body=None, credential=operator):
    request = urllib.request.Request(base + path, method=method)
    request.add_header("Authorization", f"Bearer {credential}")
    request.add_header("Idempotency-Key", str(uuid.uuid4()))
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def organization(name):
    created = ask("POST", "/v1/organizations", {"name": name, "owner": {"login": "owner"}})
    organization_id = created["organization_id"]
    of = f"/v1/organizations/{organization_id}"
    # The operator asks for everything, and so has to be let in.
    emergency = {"reason": "all operations are tried", "minutes": 240}
    break_glass_id = ask("POST", f"{of}/break-glass", emergency)["break_glass_id"]
    approve = f"{of}/break-glass/{break_glass_id}/approve"
    ask("POST", approve, credential=created["secret"])
    member = {"login": "ada", "email": "ada@example.com", "role": "admin"}
    member_id = ask("POST", f"{of}/members", member)["member_id"]
    project_id = ask("POST", f"{of}/projects", {"name": "Web"})["project_id"]
    ask("PUT", f"{of}/projects/{project_id}/members/{member_id}", {"role": "owner"})
    account = {"project_id": project_id, "name": "indexer"}
    account_id = ask("POST", f"{of}/service-accounts", account)["service_account_id"]
    key = {"project_id": project_id, "member_id": member_id, "name": "of ada"}
    api_key_id = ask("POST", f"{of}/api-keys", key)["api_key_id"]
    invite = {"email": "eve@example.com", "role": "member"}
    invite_id = ask("POST", f"{of}/invites", invite)["invite_id"]
    credits = {"amount": "5", "currency": "USD"}
    position = ask("POST", f"{of}/credits/grants", credits)["position"]
    return position, {
        "organization_id": organization_id,
        "member_id": member_id,
        "project_id": project_id,
        "service_account_id": account_id,
        "api_key_id": api_key_id,
        "invite_id": invite_id,
    }


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


_, ending = organization("Ending")
position, lasting = organization("Lasting")
document = ask("GET", "/v1/openapi.json")
world = {
    "position": position,
    "lasting": lasting,
    "ending": ending,
    "examples": sorted(examples(document, set())),
}
# So that a query finds all of it, whenever it comes.
ask("GET", f"/v1/access-register?min_position={position}")
json.dump(world, sys.stdout)
