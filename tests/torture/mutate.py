#!/usr/bin/env python3
"""Mutation check: empties one function of the flow, the record or the judge after the other, and runs the Lua tests; each
must make at least one fail. Prints the survivors that tests/torture/survivors.txt does not argue for; exit 1 when there are
any. mutate.py [--only TEXT] [--list]; SYNCRUN names the program."""

import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
ROOMS = ["lua/syncrun/flow/*.lua", "lua/syncrun/record/*.lua", "lua/syncrun/model/judge.lua"]
TESTS = ["flow", "judge", "checks", "config", "ledger", "mapping", "explain", "values", "dotenv", "proof", "audit",
         "run_log", "note", "verify"]
HEAD = re.compile(r"^(?:local )?(?:function ([\w.:]+)|([\w]+) = function)\s*\(([^)]*)\)\s*(?:--.*)?$")
SECONDS = 120


def functions(path):
    """(name, first line of the body, line of its end) of every function that begins and ends at the margin."""
    lines, found, i = open(os.path.join(ROOT, path)).read().split("\n"), [], 0
    while i < len(lines):
        head = HEAD.match(lines[i])
        if head:
            end = next(k for k in range(i + 1, len(lines)) if lines[k] == "end")
            found.append((head.group(1) or head.group(2), i + 1, end))
            i = end
        i += 1
    return lines, found


def tests():
    files = [os.path.join("tests/lua", name + "_test.lua") for name in TESTS]
    return [file for file in files if os.path.exists(os.path.join(ROOT, file))]


def run(overlay):
    env = dict(os.environ, SYNCRUN_LUA=overlay, SYNCRUN_LOG="error")
    program = os.path.realpath(os.environ.get("SYNCRUN", os.path.join(ROOT, "build/syncrun")))
    try:
        for file in tests():
            done = subprocess.run([program, "--lua", "scripts", "tests/run.lua", file], cwd=ROOT, env=env, timeout=SECONDS,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if done.returncode != 0:
                return True
    except subprocess.TimeoutExpired:
        return True
    return False


def is_killed(mutant):
    path, lines, (_, first, end) = mutant
    overlay = tempfile.mkdtemp(prefix="syncrun-mutant-")
    try:
        target = os.path.join(overlay, os.path.relpath(path, "lua"))
        os.makedirs(os.path.dirname(target))
        with open(target, "w") as out:
            out.write("\n".join(lines[:first] + lines[end:]))
        return run(overlay)
    finally:
        shutil.rmtree(overlay)


def argued():
    with open(os.path.join(ROOT, "tests/torture/survivors.txt")) as f:
        return {line.split("\t")[0] for line in f if line.strip() and not line.startswith("#")}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--only", default="", help="functions whose path and name contain this")
    options.add_argument("--list", action="store_true", help="only name the functions")
    chosen = options.parse_args()
    mutants = []
    for pattern in ROOMS:
        for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
            path = os.path.relpath(path, ROOT)
            lines, found = functions(path)
            mutants += [(path, lines, f) for f in found if chosen.only in path + " " + f[0]]
    names = ["%s %s" % (path, f[0]) for path, _, f in mutants]
    if chosen.list:
        print("\n".join(names))
        return 0
    empty = tempfile.mkdtemp(prefix="syncrun-mutant-")
    broken = run(empty)
    os.rmdir(empty)
    if broken:
        print("the tests fail before anything is changed")
        return 2
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        killed = list(pool.map(is_killed, mutants))
    survivors = [name for name, k in zip(names, killed) if not k]
    excused, open_ = argued(), 0
    for name in survivors:
        if name not in excused:
            open_ += 1
            print("SURVIVED  " + name)
    print("%d functions emptied, %d survived, %d of them not argued for" % (len(names), len(survivors), open_))
    print("%d passed, %d failed" % (len(names) - open_, open_))
    return 1 if open_ else 0


sys.exit(main())
