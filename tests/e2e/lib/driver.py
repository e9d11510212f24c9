"""Runs a program that is to be interrupted or that wants a terminal; python3's standard library only."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
import urllib.request


def people():
    url = os.environ["TWENTY_API_URL"] + "/_sandbox/stats"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return json.load(answer)["twenty"]["people"]


def interrupt(name, wanted, out, err, *command):
    """Run the command, send it the signal once Twenty holds so many people, and print its exit code."""
    with open(out, "wb") as o, open(err, "wb") as e:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=o, stderr=e)
        deadline = time.monotonic() + 60
        while people() < int(wanted) and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if child.poll() is None:
            child.send_signal(getattr(signal, name))
        try:
            code = child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            sys.exit("it does not end")
    print(code if code >= 0 else 128 - code)


def stop(name, out, err, *command):
    """Run the command, send it the signal once it has said that it is ready, and print its exit code."""
    with open(out, "wb") as o, open(err, "wb") as e:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=o, stderr=e)
        deadline = time.monotonic() + 60
        while b"ready" not in open(out, "rb").read() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(getattr(signal, name))
        try:
            code = child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            sys.exit("it does not end")
    print(code if code >= 0 else 128 - code)


def terminal(*command):
    """Run the command on a terminal of its own, type the lines of standard input, each when a prompt is there; print
    all it shows, then its exit code."""
    lines = sys.stdin.read().splitlines()
    prompts = b"syncrun> ", b"      >> "
    pid, master = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "dumb"
        os.execvp(command[0], command)
    shown, seen, deadline = b"", 0, time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([master], [], [], 0.2)
        if ready:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        if sum(shown.count(p) for p in prompts) > seen:
            seen += 1
            os.write(master, (lines.pop(0) + "\n").encode() if lines else b"\x04")
    else:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n"))
    print("\nexit code", os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
