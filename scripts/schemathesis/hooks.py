"""What the document cannot say of the requests: which ids exist, and that a key is for one command.

Loaded by schemathesis. ORGLEDGER_TEST_WORLD is the file that prepare.py wrote; into
ORGLEDGER_TEST_SEEN goes, in the end, which statuses each operation was answered with.
"""

import atexit
import collections
import itertools
import json
import os
import threading
import uuid

import schemathesis

with open(os.environ["ORGLEDGER_TEST_WORLD"], encoding="utf-8") as file:
    WORLD = json.load(file)

# Beyond this position a query would wait for what nobody will write.
POSITION_MAX = WORLD["position"]

numbers = itertools.count()
seen = collections.defaultdict(collections.Counter)
lock = threading.Lock()


def is_ending(operation):
    """Whether others could not use afterwards what it was done to."""
    words = ("archive", "remove", "revoke", "disable", "suspend", "change_member_role")
    return any(operation.startswith(word) for word in words)


def existing(operation, name, value):
    """Three of four ids become ones that exist; what is no id stays wrong."""
    ids = WORLD["ending" if is_ending(operation) else "lasting"]
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


def is_key(text):
    return isinstance(text, str) and 0 < len(text) < 256 and all("!" <= c <= "~" for c in text)


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw["operationId"]
    with_existing(operation, case.path_parameters)
    if isinstance(case.body, (dict, list)):
        with_existing(operation, case.body)
    query = case.query or {}
    for name in ("member", "project"):
        if name in query:
            query[name] = existing(operation, f"{name}_id", query[name])
    for name in ("min_position", "at_position"):
        value = str(query.get(name))
        if value.isascii() and value.isdigit() and POSITION_MAX < int(value) < 2**63:
            query[name] = int(value) % (POSITION_MAX + 1)
    if case.meta is not None and case.meta.generation.mode.is_positive:
        # A cursor is what a list has answered with; nobody else can make one.
        query.pop("cursor", None)
        if "from" in query:
            # A report must end after it begins, which no schema says.
            query.pop("to", None)
        if case.headers is not None and "If-Match" in case.headers:
            case.headers["If-Match"] = "*"
    headers = case.headers
    if headers is not None and is_key(headers.get("Idempotency-Key")):
        headers["Idempotency-Key"] = f"st-{os.getpid()}-{next(numbers)}"


@schemathesis.hook
def after_call(context, case, response):
    with lock:
        seen[case.operation.definition.raw["operationId"]][response.status_code] += 1


@atexit.register
def write_seen():
    with open(os.environ["ORGLEDGER_TEST_SEEN"], "w", encoding="utf-8") as file:
        json.dump(seen, file)
