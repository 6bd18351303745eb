"""What the document cannot say of the requests: which ids exist, and that a key is for one command.

Loaded by schemathesis. ORGLEDGER_TEST_WORLD is the file that prepare.py wrote; into
ORGLEDGER_TEST_SEEN goes, in the end, which statuses each operation was answered with.
"""

import atexit
import collections
import itertools
import json
import os
import re
import sys
import threading
import uuid

import schemathesis

sys.path.insert(0, os.path.dirname(__file__))
from operations import is_ending, is_operators

with open(os.environ["ORGLEDGER_TEST_WORLD"], encoding="utf-8") as file:
    WORLD = json.load(file)

# Beyond this position a query would wait for what nobody will write.
POSITION_MAX = WORLD["position"]

# What config.toml says of each request, where nothing else was generated.
PRESENTED = "Bearer " + os.environ["ORGLEDGER_TEST_CREDENTIAL"]

numbers = itertools.count()
seen = collections.defaultdict(collections.Counter)
lock = threading.Lock()


def world_of(operation):
    return WORLD["ending"][operation] if is_ending(operation) else WORLD["lasting"]


def existing(operation, name, value):
    """Three of four ids become ones that exist; what is no id stays wrong.

    Answers are asked for again, and they tell the caller's own key: it is not for taking away.
    """
    ids = world_of(operation)
    if value in ids["own_ids"]:
        return ids.get(name, value)
    try:
        number = uuid.UUID(value).int
    except (ValueError, TypeError, AttributeError):
        return value
    return ids.get(name, value) if number % 4 != 3 or str(value) in WORLD["examples"] else value


def with_existing(operation, value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name.endswith("_id"):
                value[name] = existing(operation, name, inner)
            else:
                with_existing(operation, inner)
    elif isinstance(value, list):
        for inner in value:
            with_existing(operation, inner)


def credential(operation):
    if is_operators(operation):
        return WORLD["operator"]
    of = world_of(operation)
    other = {"accept_invite": "invite_token", "withdraw_approval": "second_secret"}
    return of[other.get(operation, "secret")]


def with_credential(request, operation):
    if request.headers.get("Authorization") == PRESENTED:
        request.headers["Authorization"] = f"Bearer {credential(operation)}"
    return request


def is_key(text):
    return isinstance(text, str) and 0 < len(text) < 256 and all("!" <= c <= "~" for c in text)


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw["operationId"]
    with_existing(operation, case.path_parameters)
    if operation == "explain_usage" and next(numbers) % 4:
        case.path_parameters["request_id"] = world_of(operation)["request_id"]
    if operation == "get_entry_proof" and next(numbers) % 4:
        # The last thing that was prepared is of this organization.
        case.path_parameters["position"] = POSITION_MAX
    if isinstance(case.body, (dict, list)):
        with_existing(operation, case.body)
    if operation == "open_access_review" and isinstance(case.body, dict):
        # It is due in a year that lies ahead.
        due_at = case.body.get("due_at")
        if isinstance(due_at, str):
            case.body["due_at"] = re.sub(r"^\d{4}(-.*[Tt])", r"2999\1", due_at)
    if operation == "add_member" and isinstance(case.body, dict) and case.body.get("login") == "ada":
        # She is a member already, and so is her address.
        another = f"ada-{next(numbers)}"
        case.body = case.body | {"login": another, "email": f"{another}@example.com"}
    query = case.query or {}
    for name in ("member", "project"):
        if name in query:
            query[name] = existing(operation, f"{name}_id", query[name])
    for name in ("min_position", "at_position", "from_position"):
        value = str(query.get(name))
        if value.isascii() and value.isdigit() and POSITION_MAX < int(value) < 2**63:
            query[name] = int(value) % (POSITION_MAX + 1)
    if case.meta is not None and case.meta.generation.mode.is_positive:
        # A cursor is what a list has answered with; nobody else can make one.
        query.pop("cursor", None)
        if next(numbers) % 2:
            # Most times are long before there was anything.
            query.pop("as_of", None)
            query.pop("at_position", None)
        if "by" in query:
            # Nothing is grouped by the same twice.
            query["by"] = ",".join(dict.fromkeys(str(query["by"]).split(",")))
        for begin, end in (("from", "to"), ("recorded_from", "recorded_to")):
            if begin in query:
                # A report must end after it begins, which no schema says.
                query.pop(end, None)
        if "tags" in query:
            # JSON within a text, which no schema of a parameter says.
            query["tags"] = '{"team":"red"}'
        if "time_zone" in query:
            # Which there are is for tzdata to say.
            query["time_zone"] = "Europe/Berlin"
        if query.get("price_status") != "priced" and "price_status" in query:
            # Only what has a price has a currency.
            query.pop("currency", None)
        if operation == "explain_usage":
            # At most positions there is no record of the request.
            query.pop("position", None)
        if operation == "get_credit_authorization" and "currency" in query:
            # Which there are is for ISO 4217 to say.
            query["currency"] = "USD"
        if operation == "get_statement" and "from" in query:
            query.pop("as_of", None)
        for dimension in str(query.get("without", "")).split(","):
            # Nothing is of one project, say, and of none.
            for name in (dimension, f"{dimension}_id", "tags" if ":" in dimension else ""):
                query.pop(name, None)
        if str(query.get("format")).startswith("focus"):
            # A report of its own, in UTC.
            for name in ("report", "by", "time_zone"):
                query.pop(name, None)
        if "report" in query:
            # It says what to group by.
            query.pop("by", None)
        if operation == "what_if_usage":
            # It must say where it ends. Of lists it is known elsewhere which there are.
            query["to"] = "2999-01-01"
            query.pop("price_list_id", None)
            query.pop("price_list_version", None)
        if operation == "reprice_usage" and isinstance(case.body, dict):
            # A span ends after it begins, and what was published is known up to where the log stands.
            case.body["from"] = re.sub(r"^\d{4}", "2026", str(case.body.get("from")))
            case.body["to"] = "2999-01-01T00:00:00Z"
            for name in ("price_list_id", "price_list_version"):
                case.body.pop(name, None)
            if isinstance(case.body.get("prices_at"), int):
                case.body["prices_at"] %= POSITION_MAX + 1
        if operation in (
            "get_costs", "get_balance", "get_statement", "get_why", "list_budgets", "get_budget"
        ):
            # What usage is kept by begins and ends with a whole hour, or a quarter of one.
            by_quarter = operation in ("get_costs", "get_why")
            names = {"from", "to"} if by_quarter else {"from", "to", "as_of"}
            for name in query.keys() & names:
                text = str(query[name])
                query[name] = re.sub(r"^(\d{4}-\d\d-\d\d[Tt]\d\d).*", r"\1:00:00Z", text)
        if case.headers is not None and "If-Match" in case.headers:
            if case.method.upper() == "POST":
                # What is only being made stands at no version.
                del case.headers["If-Match"]
            else:
                case.headers["If-Match"] = "*"
    kwargs["auth"] = lambda request: with_credential(request, operation)
    headers = case.headers
    if headers is not None and is_key(headers.get("Idempotency-Key")):
        headers["Idempotency-Key"] = f"st-{os.getpid()}-{next(numbers)}"


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")


@schemathesis.hook
def after_call(context, case, response):
    with lock:
        seen[case.operation.definition.raw["operationId"]][response.status_code] += 1


@atexit.register
def write_seen():
    with open(os.environ["ORGLEDGER_TEST_SEEN"], "w", encoding="utf-8") as file:
        json.dump(seen, file)
