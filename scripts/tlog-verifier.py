"""Verifies a file of evidence by what its README says, with a C2SP verifier of somebody else's: every
checkpoint's signature, every proof, and every leaf from the bytes that stand there.

usage: tlog-verifier.py EVIDENCE KEY
"""

import base64
import datetime
import hashlib
import json
import re
import struct
import sys
import tarfile
import uuid

from aics_tlog import MerkleTree, leaf_hash, parse_note, parse_vkey, verify_checkpoint, verify_leaf_inclusion

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def record(*fields):
    """Fields, each with its length before it."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def fields(record):
    found = []
    while record:
        length = int.from_bytes(record[:4], "big")
        found.append(record[4 : 4 + length])
        record = record[4 + length :]
    return found


def number(value):
    return value.to_bytes(8, "big", signed=True)


def time(text):
    """Microseconds since 1970, from RFC 3339."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole + "+00:00") - EPOCH
    micros = int(fraction.ljust(6, "0")[:6] or 0)
    return number((seconds.days * 86400 + seconds.seconds) * 1_000_000 + micros)


def sha256(data):
    return hashlib.sha256(data).digest()


def raw(line, name):
    """A value of the line's object exactly as it stands there."""
    decoder = json.JSONDecoder()
    at = line.index(f'"{name}":') + len(name) + 3
    _, end = decoder.raw_decode(line, at)
    return line[at:end].encode()


def rows(data):
    """The rows of a file in Postgres's binary COPY format, by batch."""
    assert data.startswith(b"PGCOPY\n\xff\r\n\0"), "it is no COPY file"
    batches, at = {}, 19
    while data[at : at + 2] != b"\xff\xff":
        start = at
        (columns,) = struct.unpack_from(">h", data, at)
        at += 2
        for _ in range(columns):
            (length,) = struct.unpack_from(">i", data, at)
            at += 4 + max(length, 0)
        row = data[start:at]
        batches.setdefault(uuid.UUID(bytes=row[6:22]), []).append(row)
    return batches


class Evidence:
    def __init__(self, path, key):
        self.key = parse_vkey(key)
        with tarfile.open(path) as archive:
            self.files = {member.name: archive.extractfile(member).read() for member in archive}
        self.manifest = json.loads(self.files["manifest.json"])
        self.organization = uuid.UUID(self.manifest["organization_id"]).bytes
        self.checkpoints = 0

    def head(self, name):
        """Where the organization's tree stood, by a proof: its size and root."""
        text = self.files[name].decode()
        proof, note = text.split("\n\n", 1)
        first, extra, index, *path = proof.split("\n")
        assert first == "c2sp.org/tlog-proof@v1"
        leaf = base64.b64decode(extra.removeprefix("extra "))
        index = int(index.removeprefix("index "))
        checkpoint = verify_checkpoint(parse_note(note), self.key, expected_origin=self.manifest["origin"])
        assert checkpoint.ok and checkpoint.log_ok, f"{name}: {checkpoint.error}"
        path = [base64.b64decode(line) for line in path]
        assert verify_leaf_inclusion(leaf, index, checkpoint.size, path, checkpoint.root), name
        kind, organization, size, root, *_ = fields(leaf)
        assert kind == b"orgledger head 1"
        salt = base64.b64decode(self.manifest["salt"])
        assert organization == sha256(record(b"orgledger organization 1", salt, self.organization)), name
        self.checkpoints += 1
        return int.from_bytes(size, "big"), root

    def leaf(self, line, batches):
        """The record of a leaf, from what stands in its line and the rows of its batch."""
        (kind, it), = json.loads(line).items()
        metadata = raw(line, "metadata")
        if kind == "event":
            payload, said = raw(line, "payload"), json.loads(metadata)
            return record(
                b"orgledger event 1", self.organization, number(it["number"]), number(it["position"]),
                uuid.UUID(it["event_id"]).bytes, it["aggregate_type"].encode(), it["aggregate_id"].encode(),
                number(it["sequence"]), it["event_type"].encode(), it["event_version"].encode(),
                time(it["occurred_at"]), time(it["recorded_at"]),
                f"{said['actor_kind']}:{said['actor_id']}".encode(), sha256(payload), sha256(metadata),
            ), 0
        batch = batches[uuid.UUID(it["batch_id"])]
        assert len(batch) == it["count"]
        return record(
            b"orgledger usage 1", self.organization, number(it["number"]), number(it["first_position"]),
            number(it["count"]), uuid.UUID(it["batch_id"]).bytes, it["first_day"].encode(),
            it["last_day"].encode(), time(it["recorded_at"]), it["actor"].encode(), sha256(metadata),
            MerkleTree(batch).root(),
        ), len(batch)

    def verify(self):
        heads = {self.head("head.tlog-proof")}
        leaves, usage, part = [], 0, 1
        while (events := self.files.get(f"events/{part:06}.ndjson")) is not None:
            if f"proofs/{part:06}.tlog-proof" in self.files:
                heads.add(self.head(f"proofs/{part:06}.tlog-proof"))
            batches = rows(self.files[f"usage/{part:06}.copy"]) if f"usage/{part:06}.copy" in self.files else {}
            for line in events.decode().splitlines():
                leaf, records = self.leaf(line, batches)
                claimed = re.search(r'"leaf":"([^"]*)"', line)[1]
                assert leaf_hash(leaf) == base64.b64decode(claimed), f"leaf {len(leaves)}"
                leaves.append(leaf)
                usage += records
            part += 1
        assert self.manifest["first"] == 0 and len(leaves) == self.manifest["size"], "it is complete"
        for size, root in heads:
            assert MerkleTree(leaves[:size]).root() == root, f"the tree of {size} leaves"
        return len(leaves), usage


evidence = Evidence(*sys.argv[1:])
leaves, usage = evidence.verify()
assert leaves > 20 and usage > 20, "the demonstration has events and usage"
print(f"tlog-verifier: {leaves} leaves, {usage} usage records, {evidence.checkpoints} checkpoints hold")
