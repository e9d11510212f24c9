"""Canonical forms once more, written from lua/README.md alone: `canon.py check PAGE` checks the vectors of the page;
`canon.py random SEED` prints values for such a page, one [type, text] a line. The standard library only."""

import hashlib
import json
import random
import re
import sys

NUMBER = re.compile(r"(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?\Z", re.ASCII)
SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
DEPTH = 512


class Malformed(Exception):
    pass


def number_form(text):
    match = NUMBER.match(text)
    if not match:
        raise Malformed(text)
    sign, whole, fraction, exponent = match.groups()
    fraction = fraction or ""
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) - len(fraction)
    stripped = digits.rstrip("0")
    if not stripped:
        return "0"
    power += len(digits) - len(stripped)
    return sign + stripped + ("e%d" % power if power else "")


def decimal_form(text):
    match = re.match(r"([+-]?)(\d*)(?:\.(\d*))?((?:[eE][+-]?\d+)?)\Z", text, re.ASCII)
    if not match or not (match[2] or match[3]):
        return text
    sign = "-" if match[1] == "-" else ""
    whole = match[2].lstrip("0") or "0"
    return number_form(sign + whole + ("." + match[3] if match[3] else "") + match[4])


def float_form(text):
    if text in ("NaN", "Infinity", "-Infinity"):
        return text
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    form = number_form(repr(abs(value)))
    digits, _, power = form.partition("e")
    point = len(digits) + int(power or 0)
    if -6 < point <= 21:
        if point <= 0:
            text = "0." + "0" * -point + digits
        elif point >= len(digits):
            text = digits + "0" * (point - len(digits))
        else:
            text = digits[:point] + "." + digits[point:]
    else:
        text = digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + "e%+d" % (point - 1)
    return ("-" if value < 0 else "") + text


def string_form(text):
    if any(0xD800 <= ord(c) < 0xE000 for c in text):
        raise Malformed(text)
    return '"' + "".join(SHORT.get(c) or ("\\u%04x" % ord(c) if c < " " else c) for c in text) + '"'


class Number(str):
    pass


def value_form(value, depth=0):
    if depth > DEPTH:
        raise Malformed("depth")
    if isinstance(value, Number):
        return number_form(value)
    if isinstance(value, str):
        return string_form(value)
    if isinstance(value, list):
        if value and isinstance(value[0], tuple) and value[0][0] is Members:
            last = dict(value[0][1])
            return "{" + ",".join(string_form(k) + ":" + value_form(last[k], depth + 1)
                                  for k in sorted(last, key=lambda k: k.encode())) + "}"
        return "[" + ",".join(value_form(v, depth + 1) for v in value) + "]"
    return {None: "null", True: "true", False: "false"}[value]


class Members:
    pass


def refuse(text):
    raise Malformed(text)


def json_form(text):
    try:
        value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse,
                           object_pairs_hook=lambda pairs: [(Members, pairs)])
        return value_form(value)
    except (ValueError, Malformed, UnicodeEncodeError):
        return text


FORMS = {"decimal": decimal_form, "float64": float_form, "json": json_form}


def canonical(kind, text):
    return FORMS.get(kind, lambda same: same)(text)


def digest(cells):
    out = b""
    for _, kind, text in cells:
        if text is None:
            out += b"-"
        else:
            form = canonical(kind, text).encode()
            out += b"%d:%s" % (len(form), form)
    return hashlib.sha256(out).hexdigest()


# ---- values that nobody thought of

def random_number(r):
    whole = str(r.choice([0, r.randrange(10), r.randrange(10 ** r.randrange(1, 40))]))
    text = r.choice(["", "-"]) + whole
    if r.random() < 0.5:
        text += "." + "".join(r.choice("0001234567890") for _ in range(r.randrange(1, 30)))
    if r.random() < 0.4:
        text += r.choice("eE") + r.choice(["", "+", "-"]) + str(r.randrange(10 ** r.randrange(1, 25)))
    return text


def random_string(r):
    out = []
    for _ in range(r.randrange(8)):
        c = chr(r.choice([r.randrange(32, 127), r.randrange(256), r.randrange(0xD800), r.randrange(0xE000, 0x110000)]))
        if c in '"\\' or c < " " or r.random() < 0.3:
            units = c.encode("utf-16-be")
            c = "".join("\\u%02x%02X" % (units[i], units[i + 1]) for i in range(0, len(units), 2))
        out.append(c)
    return '"' + "".join(out) + '"'


def random_json(r, depth=0):
    space = r.choice(["", "", " ", "\n\t"])
    kind = r.randrange(3 if depth > 4 else 6)
    if kind == 3:
        return "[" + ",".join(random_json(r, depth + 1) for _ in range(r.randrange(4))) + "]" + space
    if kind > 3:
        names = [r.choice(['"a"', '"b"', '"\\u0061"', random_string(r)]) for _ in range(r.randrange(6))]
        return space + "{" + ",".join(n + space + ":" + random_json(r, depth + 1) for n in names) + "}"
    return space + [random_number(r), random_string(r), r.choice(["null", "true", "false"])][kind] + space


def cmd_random(seed):
    r = random.Random(seed)
    for _ in range(4000):
        print(json.dumps(["json", random_json(r)]))
        print(json.dumps(["decimal", r.choice(["", "", "+"]) + random_number(r).lstrip("-")]))
        print(json.dumps(["float64", repr(r.choice([r.random(), r.uniform(-1e25, 1e25), 2.0 ** r.randrange(-1074, 1023),
                                                    10.0 ** r.randrange(-300, 300)]))]))


def cmd_check(path):
    with open(path, encoding="utf-8") as page:
        block = re.search(r"\n```vectors\n(.*?)\n```\n", page.read(), re.S)[1]
    wrong = 0
    lines = block.split("\n")
    for vector in map(json.loads, lines):
        got, want = ((digest(vector["cells"]), vector["digest"]) if isinstance(vector, dict)
                     else (canonical(vector[0], vector[1]), vector[2]))
        if got != want:
            wrong += 1
            print("%r: %r, the page says %r" % (vector, got, want))
    print("%d vectors, %d differ" % (len(lines), wrong))
    sys.exit(wrong > 0)


if __name__ == "__main__":
    globals()["cmd_" + sys.argv[1]](*sys.argv[2:])
