#!/usr/bin/env python3
"""A second, independent implementation of docs/reference/proofs.md, in the Python 3 standard library alone.

    python3 scripts/verify-vectors.py docs/reference/vectors.json

Recomputes every published vector and checks every signature. Prints what differs; exit status 1 then, 0 otherwise.
Written from the text of the definitions (and RFC 4122, 6962, 8032), not from the TypeScript.
"""
import base64
import datetime
import hashlib
import json
import struct
import sys
import uuid

# ---- the encodings


def sha256(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def f(value):
    """A field: its length and its bytes; None is absent."""
    return b"\xff\xff\xff\xff" if value is None else struct.pack(">I", len(value)) + value


def fs(*values):
    return b"".join(f(value) for value in values)


def i64(value):
    return struct.pack(">q", value)


def text(value):
    return None if value is None else value.encode("utf-8")


def ident(value):
    return None if value is None else uuid.UUID(value).bytes


def stored(value):
    """JSON enters as the hash of its stored bytes."""
    return None if value is None else sha256(value.encode("utf-8"))


def compact(value):
    return None if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def micros(value):
    if value is None:
        return None
    moment = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (moment - epoch) // datetime.timedelta(microseconds=1)


def time(value):
    return None if value is None else i64(micros(value))


def b64(value):
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def stamp(digest, version):
    raw = bytearray(digest[:16])
    raw[6] = (raw[6] & 0x0F) | (version << 4)
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def uuid5(namespace, name):
    return stamp(hashlib.sha1(uuid.UUID(namespace).bytes + name).digest(), 5)


def uuid8(parts):
    return stamp(sha256(b"eventplane.uuid8.v1\n", fs(*[text(part) for part in parts])), 8)


# ---- the definitions


def content(e):
    return sha256(
        b"eventplane.content.v1\n",
        fs(
            ident(e["tenantId"]),
            ident(e["id"]),
            text(e["kind"]),
            text(e["type"]),
            text(e["aggregateType"]),
            text(e["aggregateId"]),
            text(e["source"]),
            ident(e["correlationId"]),
            ident(e["causationId"]),
            time(e["occurredAt"]),
            stored(e["specText"]),
        ),
    )


def digest(e):
    d = e["decision"] or {}
    number = lambda name: i64(d[name]) if name in d else None
    return sha256(
        b"eventplane.digest.v1\n",
        content(e),
        fs(
            i64(e["schemaVersion"]),
            stored(e["keyRefsText"]),
            stored(e["statusText"]),
            stored(e["finalizersText"]),
            text(d.get("component")),
            number("basisVersion"),
            number("step"),
            time(d.get("now")),
            stored(compact(d.get("emits"))),
            stored(compact(d.get("lookups"))),
            text(e["traceparent"]),
            stored(e["causedByText"]),
        ),
    )


def derived_id(tenant, origin, component, basis, step):
    namespace = uuid5(EVENTPLANE_NS, uuid.UUID(tenant).bytes)
    return uuid5(namespace, fs(ident(origin), text(component)) + i64(basis) + i64(step))


def genesis(tenant, epoch):
    return sha256(b"eventplane.genesis.v1\n", uuid.UUID(tenant).bytes, i64(epoch))


def chain_hash(previous, position, version, recorded_at, event_digest, proof):
    return sha256(
        b"eventplane.chain.v1\n", previous, i64(position), i64(version), i64(recorded_at), event_digest, sha256(proof)
    )


def leaf(data):
    return sha256(b"\x00", data)


def node(left, right):
    return sha256(b"\x01", left, right)


def tree(leaves):
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node(tree(leaves[:split]), tree(leaves[split:]))


def path_root(hash_, index, size, path):
    """The root that a leaf's path leads to, from the shape of the tree (RFC 6962, section 2.1.1)."""
    if size == 1:
        return hash_ if not path else None
    if not path:
        return None
    split = 1
    while split * 2 < size:
        split *= 2
    if index < split:
        below = path_root(hash_, index, split, path[:-1])
        return below and node(below, path[-1])
    below = path_root(hash_, index - split, size - split, path[:-1])
    return below and node(path[-1], below)


def introduction_message(i):
    return b"eventplane.introduction.v1\n" + fs(
        ident(i["keyId"]),
        b64(i["publicKey"]),
        text(i["tier"]),
        text(",".join(i["kinds"])),
        time(i["from"]),
        time(i["to"]),
    )


def commit_parts(commit):
    """keyId, signature, leaves; a single leaf is not kept."""
    leaves = [commit[at : at + 32] for at in range(80, len(commit), 32)]
    return str(uuid.UUID(bytes=commit[:16])), commit[16:80], leaves


def proof_parts(proof):
    """index, back, and the proof of the commit where the event itself keeps it."""
    index, back = struct.unpack(">HH", proof[:4])
    return index, back, proof[4:]


# ---- Ed25519 verification (RFC 8032, section 5.1.7), in affine coordinates: slow and short

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    if y >= P or x * x % P != square or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def point(raw):
    number = int.from_bytes(raw, "little")
    y = number & ((1 << 255) - 1)
    x = recover_x(y, number >> 255)
    return None if x is None else (x, y)


def add(a, b):
    cross = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + cross, P - 2, P) % P
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - cross, P - 2, P) % P
    return x, y


def times(scalar, base):
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = add(result, base)
        base = add(base, base)
        scalar >>= 1
    return result


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recover_x(BASE_Y, 0), BASE_Y)


def signed(public_key, message, signature):
    key, r = point(public_key), point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or r is None or s >= Q:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % Q
    return times(s, BASE) == add(r, times(challenge, key))


# ---- the checks

EVENTPLANE_NS = uuid5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", b"eventplane")
checks = []


def same(name, published, computed):
    if isinstance(computed, bytes):
        computed = computed.hex()
    checks.append((name, published == computed))


def check_names(v):
    same("namespaces.eventplane", v["namespaces"]["eventplane"], EVENTPLANE_NS)
    same("namespaces.platformTenantId", v["namespaces"]["platformTenantId"], uuid5(EVENTPLANE_NS, b"platform"))
    values = [None if value is None else bytes.fromhex(value) for value in v["fields"]["values"]]
    same("fields", v["fields"]["bytes"], fs(*values))
    for at, one in enumerate(v["uuid5"]):
        same(f"uuid5[{at}]", one["uuid"], uuid5(one["namespace"], bytes.fromhex(one["name"])))
    for at, one in enumerate(v["uuid8"]):
        same(f"uuid8[{at}]", one["uuid"], uuid8(one["parts"]))
    d = v["derivedIds"]
    for at, one in enumerate(d["ids"]):
        computed = derived_id(d["tenantId"], d["originId"], one["component"], one["basisVersion"], one["step"])
        same(f"derivedIds[{at}]", one["id"], computed)
    e = v["effectResultIds"]
    name = fs(ident(e["askId"]), text("effect:" + e["worker"]))
    same("effectResultIds", e["id"], uuid5(uuid5(v["namespaces"]["eventplane"], ident(e["tenantId"])), name))
    for at, one in enumerate(v["effectKeys"]):
        canonical = json.dumps(json.loads(one["inputText"]), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        same(f"effectKeys[{at}] canonical", one["inputText"], canonical)
        parts = fs(text(one["controller"]), text(one["worker"]), sha256(canonical.encode()))
        same(f"effectKeys[{at}]", one["key"], sha256(b"eventplane.effect.v1\n", parts).hex())
    for at, one in enumerate(v["emittedIds"]):
        target = one["aggregateType"] + "/" + one["aggregateId"]
        name = fs(ident(one["originId"]), text(one["component"]), text(one["type"]), text(target))
        name += sha256(one["specText"].encode())
        same(f"emittedIds[{at}]", one["id"], uuid5(uuid5(v["namespaces"]["eventplane"], ident(one["tenantId"])), name))
    r = v["random"]
    seed = fs(ident(r["originId"]), text(r["component"])) + i64(r["basisVersion"])
    for at, value in enumerate(r["values"]):
        drawn = sha256(b"eventplane.random.v1\n", seed, i64(at))[:6]
        same(f"random[{at}]", value, int.from_bytes(drawn, "big") / 2**48)


def check_trees(v):
    for one in v["merkle"]:
        leaves = [leaf(bytes.fromhex(data)) for data in one["leaves"]]
        same(f"merkle of {len(leaves)}", one["root"], tree(leaves))
        for index, path in enumerate(one["paths"]):
            root = path_root(leaves[index], index, len(leaves), [bytes.fromhex(step) for step in path])
            same(f"merkle of {len(leaves)}, path {index}", one["root"], root)


def check_keys(v):
    for name, key in v["keys"].items():
        same(f"keys.{name}", key["keyId"], uuid8(["eventplane.key.v1", key["publicKey"]]))
    root = b64(v["keys"]["root"]["publicKey"])
    for at, one in enumerate(v["introductions"]):
        message = introduction_message(one["introduction"])
        same(f"introductions[{at}].message", one["message"], message)
        same(f"introductions[{at}] is signed", True, signed(root, message, b64(one["introduction"]["rootSignature"])))
        same(f"introductions[{at}] changed", False, signed(root, message + b"x", b64(one["introduction"]["rootSignature"])))


def check_log(v):
    for at, one in enumerate(v["events"]):
        same(f"events[{at}].content", one["content"], content(one["event"]))
        same(f"events[{at}].digest", one["digest"], digest(one["event"]))
    for one in v["genesis"]:
        same(f"genesis of epoch {one['logEpoch']}", one["hash"], genesis(one["tenantId"], one["logEpoch"]))
    digests = [digest(one["event"]) for one in v["events"]]
    root = tree([leaf(one) for one in digests])
    message = b"eventplane.commit.v1\n" + root
    same("commit.root", v["commit"]["root"], root)
    same("commit.message", v["commit"]["message"], message)
    previous = genesis(v["chain"]["tenantId"], v["chain"]["logEpoch"])
    for at, link in enumerate(v["chain"]["links"]):
        proof = bytes.fromhex(link["proof"])
        index, back, kept = proof_parts(proof)
        same(f"chain[{at}] keeps the proof of its commit", back == 0, len(kept) > 0)
        commit = kept if back == 0 else proof_parts(bytes.fromhex(v["chain"]["links"][at - back]["proof"]))[2]
        key_id, signature, leaves = commit_parts(commit)
        same(f"chain[{at}] leads to the proof of the commit", v["commit"]["proof"], commit)
        same(f"chain[{at}].keyId", v["keys"]["edge"]["keyId"], key_id)
        same(f"chain[{at}] is leaf {index}", leaf(digests[at]).hex(), leaves[index])
        same(f"chain[{at}] leads to the root", root.hex(), tree(leaves))
        same(f"chain[{at}] is signed", True, signed(b64(v["keys"]["edge"]["publicKey"]), message, signature))
        same(f"chain[{at}].previousHash", link["previousHash"], previous)
        previous = chain_hash(previous, link["position"], link["version"], link["recordedAtUs"], digests[at], proof)
        same(f"chain[{at}].hash", link["hash"], previous)


def main(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    check_names(vectors)
    check_trees(vectors)
    check_keys(vectors)
    check_log(vectors)
    wrong = [name for name, right in checks if not right]
    for name in wrong:
        print(f"differs: {name}")
    print(f"{len(checks) - len(wrong)} of {len(checks)} vectors agree")
    return 1 if wrong or not checks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
