"""Checks what syncrun proves, written from lua/README.md alone; shares no code with the program. The standard library only.

  verifier.py state STATE [KEY] [HEAD]  every proof, every file of leaves, the log of runs and its checkpoint; KEY: the verifier
                                        key that an auditor keeps, HEAD: a file with an older checkpoint that was kept elsewhere
  verifier.py roots STATE [RUN]         the roots of a run (default: the last), from BigQuery's rows and from what each system
                                        holds, read by REST, by psql and by Python's sqlite3
  verifier.py certificate FILE ID [KEY]  what forget.lua --certificate wrote
  verifier.py contact PROOF FILE ID     what verify_proof.lua --contact ID gave, against the run's proof.json"""

import base64
import hashlib
import hmac
import json
import os
import re
import sys

import canon
import rows_of

sha = lambda data: hashlib.sha256(data).digest()
mac = lambda key, data: hmac.new(key, data, hashlib.sha256).digest()


class Broken(Exception):
    pass


def need(good, what, *values):
    if not good:
        raise Broken(what % values)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def unbase64(text):
    data = base64.b64decode(text)
    need(base64.b64encode(data).decode() == text, "'%s' is no base64", text)
    return data


# ---- trees (RFC 6962, section 2) and leaves

def leaf_hash(leaf):
    return sha(b"\0" + leaf)


def root(hashes):
    if not hashes:
        return sha(b"")
    while len(hashes) > 1:  # an odd node is lifted
        level = [sha(b"\1" + hashes[i] + hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = level + hashes[len(level) * 2:]
    return hashes[0]


def root_from_path(node, index, size, path):
    path, last = list(path), size - 1
    while last > 0:
        if index % 2 or index < last:
            need(path, "the inclusion proof is too short")
            other = path.pop(0)
            node = sha(b"\1" + other + node) if index % 2 else sha(b"\1" + node + other)
        index, last = index // 2, last // 2
    need(not path and index == 0, "the inclusion proof is too long")
    return node


def frame(form):
    return b"-" if form is None else b"%d:%s" % (len(form), form)


def key_of(secret):
    return mac(mac(b"\0" * 32, secret), b"syncrun/proof/v1\1")


def name_of(proof_key, contact_id):
    k = mac(proof_key, contact_id)
    return k, sha(b"b" + k + frame(contact_id))


def value_of(k, columns, cells):
    """v of one row; columns are (field, type, column), cells their texts, the key first."""
    plain, documents = b"", b""
    for (_, kind, _), cell in zip(columns, cells):
        framed = frame(None if cell is None else canon.canonical(kind, cell).encode("utf-8", "surrogateescape"))
        if kind == "json":
            documents += framed
        else:
            plain += framed
    return mac(k, sha(sha(plain) + sha(documents)))


def tree_of_rows(proof_key, columns, rows):
    """{b: leaf} of rows, by what lua/README.md says of those that are there more than once."""
    values = {}
    for cells in rows:
        k, b = name_of(proof_key, cells[0].encode())
        values.setdefault(b, []).append(value_of(k, columns, cells))
    return {b: b + (v[0] if len(v) == 1 else sha(b"r" + b"".join(sorted(v)))) for b, v in values.items()}


def root_of(leaves):
    return root([leaf_hash(leaves[b]) for b in sorted(leaves)]).hex()


# ---- Ed25519 (RFC 8032, section 5.1.7) and signed notes

P = 2 ** 255 - 19
L = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
I = pow(2, (P - 1) // 4, P)


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    need(y < P, "a point of the signature is none")
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * I % P
    need(x * x % P == square and (x or not sign), "a point of the signature is none")
    x = P - x if x % 2 != sign else x
    return x, y, 1, x * y % P


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    q = 0, 1, 1, 0
    for bit in bin(n)[2:]:
        q = add(q, q)
        q = add(q, p) if bit == "1" else q
    return q


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signature_holds(key, message, signature):
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little")
    left, right = times(s, BASE), add(point(signature[:32]), times(h, point(key)))
    return (len(signature) == 64 and s < L and (left[0] * right[2] - right[0] * left[2]) % P == 0
            and (left[1] * right[2] - right[1] * left[2]) % P == 0)


def verifier_key(text):
    name, id_, key = text.split("+", 2)
    key = unbase64(key)
    need(sha(name.encode() + b"\n" + key)[:4].hex() == id_ and key[0] == 1 and len(key) == 33, "'%s' is no verifier key", text)
    return name, bytes.fromhex(id_), key[1:]


def head_of(note, key):
    """(size, root) of a signed checkpoint, or, without a key, of one that is not."""
    text, signed = note, key is None
    if key or not note.startswith(b"unsigned\n"):
        text, _, lines = note.rpartition(b"\n\n")
        text += b"\n"
        for line in lines.decode().split("\n")[:-1]:
            match = re.fullmatch("\u2014 (\\S+) (\\S+)", line)
            need(match, "a line of the checkpoint is no signature")
            signature = unbase64(match[2])
            if key and (match[1], signature[:4]) == key[:2]:
                need(signature_holds(key[2], text, signature[4:]), "the signature of '%s' is wrong", match[1])
                signed = True
    match = re.fullmatch(rb"([^\n]+)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/]{43}=)\n", text)
    need(match and signed, "the checkpoint is none, or not signed by the key")
    need(key is None or match[1].decode() == key[0], "the checkpoint is of another log: '%s'", match[1].decode())
    return int(match[2]), unbase64(match[3].decode())


# ---- proofs, and the log

def proof_of(data):
    body, mark, tail = data.rpartition(b'  "sha256": "')
    need(mark and re.fullmatch(rb'[0-9a-f]{64}"\n}\n', tail), "it does not end with its digest")
    need(hashlib.sha256(body).hexdigest().encode() == tail[:64], "its digest is another")
    return json.loads(data)


def check_leaves(folder, system):
    files = 0
    for side, name in system["leaves"].items():
        if os.path.exists(os.path.join(folder, "leaves")):
            data = read(os.path.join(folder, name))
            leaves = [data[i:i + 64] for i in range(0, len(data), 64)]
            need(len(data) % 64 == 0 and all(a[:32] < b[:32] for a, b in zip(leaves, leaves[1:])), "%s does not rise", name)
            need(len(leaves) == system[side + "_size"] and root(list(map(leaf_hash, leaves))).hex() == system[side + "_root"],
                 "%s is not what its root says", name)
            files += 1
    return files


def check_proof(folder, data, previous):
    proof = proof_of(data)
    need(proof["previous"] == previous, "the run before it is another")
    files = 0
    for system in proof["systems"]:
        if system["state"] == "compared":
            need(system["equal"] == (system["expected_root"] == system["observed_root"]), "'equal' is not what its roots say")
            need(hashlib.sha256("\n".join(system["columns"]).encode()).hexdigest() == system["schema"], "its schema is another")
            files += check_leaves(folder, system)
    return files


def check_inclusion(text, index, digest, hashes, key):
    head, _, rest = text.partition(b"\n\n")
    mark, line, *path = head.decode().split("\n")
    need(mark == "c2sp.org/tlog-proof@v1" and line == "index %d" % index, "its tlog-proof is another's")
    size, head_root = head_of(rest, key)
    need(size <= len(hashes) and root(hashes[:size]) == head_root, "the head of its tlog-proof is none of this log's")
    need(root_from_path(leaf_hash(digest), index, size, map(unbase64, path)) == head_root, "its tlog-proof is wrong")


def check_state(state, key=None, kept=None):
    """Raises Broken; returns the number of runs and of files of leaves."""
    key = verifier_key(key) if key else None
    entries = [re.fullmatch(r"([0-9a-f]{64})  runs/([\w-]+)/proof\.json\n", line) for line in
               read(state + "/log").decode().splitlines(keepends=True)]
    need(all(entries), "the log has a line that is none")
    digests = [bytes.fromhex(e[1]) for e in entries]
    hashes = [leaf_hash(d) for d in digests]
    need(head_of(read(state + "/checkpoint"), key) == (len(hashes), root(hashes)), "the log does not fit its checkpoint")
    if kept is not None:
        size, old = head_of(kept, key)
        need(size <= len(hashes) and root(hashes[:size]) == old, "the log does not continue the head that was kept")
    files, previous = 0, None
    for index, entry in enumerate(entries):
        folder = "%s/runs/%s" % (state, entry[2])
        try:
            data = read(folder + "/proof.json")
            need(sha(data) == digests[index], "it is not what the log says")
            files += check_proof(folder, data, previous)
            check_inclusion(read(folder + "/proof.tlog-proof"), index, digests[index], hashes, key)
        except Broken as e:
            raise Broken("run %s: %s" % (entry[2], e)) from e
        previous = {"run": entry[2], "sha256": entry[1]}
    return len(entries), files


# ---- one contact

def root_with(leaves, start, size, path):
    """The root of a tree of which leaves from `start` on are known, and beside them the subtrees that hold none of them."""
    path = list(path)

    def node(low, high):
        if high <= start or low >= start + len(leaves):
            need(path, "the path is too short")
            return path.pop(0)
        if high - low == 1:
            return leaf_hash(leaves[low - start])
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        left = node(low, middle)
        return sha(b"\1" + left + node(middle, high))

    found = node(0, size)
    need(not path, "the path is too long")
    return found


def pieces(text, length):
    data = unbase64(text)
    return [data[i:i + length] for i in range(0, len(data), length)]


def check_absent(span, b, size, tree_root):
    if size == 0:
        return
    leaves, start = pieces(span["leaves"], 64), span["from"]
    need(root_with(leaves, start, size, pieces(span["path"], 32)).hex() == tree_root, "the neighbours are not in the tree")
    names = [leaf[:32] for leaf in leaves]
    between = len(names) == 2 and names[0] < b < names[1]
    at_end = len(names) == 1 and (start == 0 and b < names[0] or start == size - 1 and names[0] < b)
    need(between or at_end, "it does not stand between its neighbours")


def check_contact(proof, digest, given, contact_id):
    """'included' or 'absent'. Raises Broken."""
    document = given["proof"]
    need(document["proof"] == digest and document["run"] == proof["run"], "it is about another proof.json")
    system = next(s for s in proof["systems"] if s["label"] == document["system"])
    k, contact_id = unbase64(document["k"]), contact_id.encode()
    b = sha(b"b" + k + frame(contact_id))
    need(unbase64(document["b"]) == b, "it is about another contact")
    if "index" not in document:
        check_absent(document.get("observed"), b, system["observed_size"], system["observed_root"])
        check_absent(document.get("extras"), b, system["extras_size"], system["extras_root"])
        return "absent"
    columns = [line.split(" ", 2) for line in system["columns"]]
    need(given["row"][0].encode() == contact_id and len(given["row"]) == len(columns), "the row is another's")
    leaf = leaf_hash(b + value_of(k, columns, given["row"]))
    found = root_from_path(leaf, document["index"], system["observed_size"], pieces(document["path"], 32))
    need(found.hex() == system["observed_root"], "the row is not in the tree")
    return "included"


# ---- commands

def cmd_contact(path, file, contact_id):
    data = read(path)
    for line in read(file).decode().splitlines():
        given = json.loads(line)
        print(given["proof"]["system"], check_contact(proof_of(data), sha(data).hex(), given, contact_id))


def cmd_state(state, key=None, kept=None):
    print("%d runs, %d files of leaves: all hold" % check_state(state, key, kept and read(kept)))


def cmd_certificate(file, contact_id, key=None):
    certificate = json.loads(read(file))
    data = certificate["proof_json"].encode()
    proof, digest = proof_of(data), sha(data)
    head, _, rest = certificate["inclusion"].encode().partition(b"\n\n")
    _, index, *path = head.decode().split("\n")
    size, head_root = head_of(rest, verifier_key(key) if key else None)
    found = root_from_path(leaf_hash(digest), int(index.split()[1]), size, map(unbase64, path))
    need(found == head_root, "the run is not in the log")
    for document in certificate["systems"]:
        verdict = check_contact(proof, digest.hex(), {"proof": document}, contact_id)
        need(verdict == "absent", "the contact is in %s", document["system"])
        print(document["system"], verdict)
    need({d["system"] for d in certificate["systems"]} == {s["label"] for s in proof["systems"] if s["state"] == "compared"},
         "not all systems are in it")


def cmd_roots(state, run=None):
    run = run or re.findall(r"runs/([\w-]+)/", read(state + "/log").decode())[-1]
    proof = proof_of(read("%s/runs/%s/proof.json" % (state, run)))
    proof_key = key_of(bytes.fromhex(read(state + "/secret").decode().strip()))
    for system in proof["systems"]:
        if system["state"] != "compared":
            continue
        columns = [line.split(" ", 2) for line in system["columns"]]
        expected = tree_of_rows(proof_key, columns, rows_of.expected(system["kind"], columns))
        observed = tree_of_rows(proof_key, columns, rows_of.observed(system["kind"], columns))
        extras = {b: b for b in observed.keys() - expected.keys()}
        for side, leaves in (("expected", expected), ("observed", {b: observed[b] for b in observed if b not in extras})):
            need(len(leaves) == system[side + "_size"] and root_of(leaves) == system[side + "_root"],
                 "%s: %s_root is not that of the %d rows there", system["label"], side, len(leaves))
        need(len(extras) == system["extras_size"], "%s: %d extras, not as many as it says", system["label"], len(extras))
        print("%s: %d contacts, both roots %s" % (system["label"], len(expected), "are equal" if system["equal"] else "agree"))


if __name__ == "__main__":
    try:
        globals()["cmd_" + sys.argv[1]](*sys.argv[2:])
    except Broken as broken:
        sys.exit("broken: %s" % broken)
