"""Runs full_sync against a sandbox and a private Postgres, ends it at seeded random instants, runs it again, and compares
every system with an undisturbed run's. python3's standard library only; psql and pg tools through scripts/.

  torture.py --how kill|int|term|deadline|stop|power|loss --runs N [--seed S] [--contacts N] [--batch N] [--within S]
             [--complete-every N] [--losses N] [--keep]

kill: SIGKILL at instants spread over the whole duration. int, term: Ctrl-C, SIGTERM. deadline: --deadline. power: SIGKILL
at the n-th write to the ledger or the local database, and what was not flushed of them is lost at random (powerloss.c).
int, term, deadline, and stop, which is each of them in turn: the run itself ends with its code (130, 143, 5), within so many seconds, with a partial
report, and on record in a ledger that retry.lua goes on with. After each (or every so many): the next run ends with exit
0, every system is as after the undisturbed run, no contact was sent twice but those of the batches in flight, no scratch
file is left, and ledger, audit trail, log of runs, proofs and before-images agree (records.py). loss: nobody stops the run; Postgres ends all connections, or restarts, so many times in it: the run itself
ends with exit 0, and every system is as after the undisturbed run. Ends with "N passed, N failed"."""

import argparse
import glob
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

import records

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SYNCRUN = os.path.abspath(os.environ.get("SYNCRUN", ROOT + "/build/syncrun"))
WRITERS = 2  # batches in flight per system (flow/pass.lua)
STOPS = {"int": 130, "term": 143, "deadline": 5}  # how a run is stopped, and its exit code
SIGNALS = {"kill": signal.SIGKILL, "int": signal.SIGINT, "term": signal.SIGTERM}
sys.path.insert(0, ROOT + "/tests/e2e/lib")
import verifier  # noqa: E402 pylint: disable=wrong-import-position

OWN = {"id", "createdAt", "updatedAt", "position", "searchVector"}  # of a person: Twenty's, not ours


class Ground:
    """The systems, and what a run needs to reach them."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="syncrun-torture-")
        os.chmod(self.dir, 0o711)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "TWENTY", "BIGQUERY", "GOOGLE"))
                    and "proxy" not in k.lower()}
        self.env["HOME"] = self.dir
        self.sandbox = None
        self.cluster = None
        self.database = None

    def start(self, contacts, batch, own_cluster):
        self.start_postgres(own_cluster)
        self.start_sandbox(contacts)
        self.home = self.dir + "/home"
        self.env.update(SUPABASE_DB_URL=self.url, LOCAL_DB=self.home + "/contacts.db", SYNCRUN_STATE=self.home + "/state")
        self.config = self.dir + "/config.lua"
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("return { twenty = { rate = false, batch = %d } }\n" % batch)
        os.mkdir(self.home)
        done = self.run("setup.lua", "--apply")
        if done.returncode != 0:
            sys.exit("setup failed: " + done.stderr)

    def start_postgres(self, own_cluster):
        given = None if own_cluster else os.environ.get("SYNCRUN_TEST_PG")
        if given:
            self.admin = given
            self.database = "torture_%d_%d" % (os.getpid(), time.time_ns())
            self.psql(self.admin, "create database " + self.database)
            self.url = given.rsplit("/", 1)[0] + "/" + self.database
        else:
            self.cluster = self.dir + "/postgres"
            self.url = self.cluster_script("start", "--fast", self.cluster).strip()

    def cluster_script(self, *arguments):
        return subprocess.run([ROOT + "/scripts/private_postgres.sh", *arguments], check=True, capture_output=True,
                              text=True).stdout

    def lose_connections(self):
        try:
            self.psql(self.url, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'syncrun'")
        except subprocess.CalledProcessError:
            pass  # it was about to restart

    def restart_postgres(self):
        self.cluster_script("stop", self.cluster)
        self.cluster_script("start", "--fast", self.cluster)

    def start_sandbox(self, contacts):
        log = open(self.dir + "/sandbox.log", "w", encoding="utf-8")  # pylint: disable=consider-using-with
        self.sandbox = subprocess.Popen(  # pylint: disable=consider-using-with
            [SYNCRUN, ROOT + "/scripts/sandbox.lua", "--dir", self.dir + "/sandbox", "--contacts", str(contacts),
             "--twenty-rate", "off"], stdout=log, stderr=log, env=self.env)
        for _ in range(600):
            if os.path.exists(self.dir + "/sandbox/env"):
                break
            time.sleep(0.05)
        with open(self.dir + "/sandbox/env", encoding="utf-8") as f:
            for line in f:
                name, value = line.strip().removeprefix("export ").split("=", 1)
                self.env[name] = value.strip("'")

    def psql(self, url, sql):
        return subprocess.run(["psql", "-qXAt", url, "-c", sql], check=True, capture_output=True, text=True).stdout

    def arguments(self, script, *more):
        return [SYNCRUN, ROOT + "/scripts/" + script, "--config", self.config, *more]

    def run(self, script, *more, env=None):
        return subprocess.run(self.arguments(script, *more), env={**self.env, **(env or {})}, cwd=self.home,
                              capture_output=True, text=True, timeout=120, check=False)

    def people(self):
        return sqlite3.connect(self.dir + "/sandbox/twenty.db", timeout=30, isolation_level=None)

    def reset(self):
        self.psql(self.url, "truncate public.contacts_master")
        with self.people() as db:
            db.execute("delete from person")
        shutil.rmtree(self.home)
        os.mkdir(self.home)

    def writes(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.env["TWENTY_API_URL"] + "/_sandbox/stats", timeout=30) as answer:
            return json.load(answer)["twenty"]["writes"]

    def state(self):
        """What each system holds, as a digest."""
        out = {"postgres": self.psql(self.url, "select * from public.contacts_master order by contact_id")}
        db = sqlite3.connect("file:%s?mode=ro" % self.env["LOCAL_DB"], uri=True)
        out["local"] = repr(db.execute("select * from contacts_master order by contact_id").fetchall())
        db.close()
        people = self.people()
        rows = people.execute("select * from person")
        names = [d[0] for d in rows.description]
        kept = [i for i, name in enumerate(names) if name not in OWN]
        out["twenty"] = repr(sorted(repr([row[i] for i in kept]) for row in rows))
        people.close()
        return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in out.items()}

    def ledger(self, sql):
        path = self.home + "/state/ledger.db"
        if not os.path.exists(path):
            return []
        db = sqlite3.connect(path)
        try:
            return db.execute(sql).fetchall()
        except sqlite3.OperationalError:  # killed before its tables were made
            return []
        finally:
            db.close()

    def stop(self, keep):
        if self.sandbox:
            self.sandbox.terminate()
            self.sandbox.wait()
        if self.cluster:
            self.cluster_script("stop", self.cluster)
        elif self.database:
            self.psql(self.admin, "drop database %s with (force)" % self.database)
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


class Torture:
    def __init__(self, ground, options):
        self.ground, self.options = ground, options
        self.random = random.Random(options.seed)
        self.passed = self.failed = self.ended = self.reported = self.interrupted = self.in_flight = self.repeated = 0
        self.slowest = 0.0
        self.checked = {}

    def undisturbed(self):
        """What the systems must hold in the end, how many writes to Twenty it takes, and how long."""
        times = []
        for _ in range(2):
            self.ground.reset()
            before, since = self.ground.writes(), time.monotonic()
            done = self.ground.run("full_sync.lua", env=self.preload(0))
            times.append(time.monotonic() - since)
            if done.returncode != 0:
                sys.exit("the undisturbed run failed: %d %s %s" % (done.returncode, done.stderr, done.stdout[-2000:]))
        self.wanted, self.duration = self.ground.state(), max(times)
        self.twenty_writes = self.ground.writes() - before
        if self.options.how == "power":
            with open(self.ground.dir + "/count", encoding="utf-8") as f:
                self.writes = int(f.read())

    def preload(self, after):
        if self.options.how != "power":
            return None
        return {"LD_PRELOAD": self.library, "POWERLOSS_AFTER": str(after), "POWERLOSS_SEED": str(self.random.randrange(1 << 30)),
                "POWERLOSS_FILES": "%s/state/ledger.db:%s" % (self.ground.home, self.ground.env["LOCAL_DB"]),
                "POWERLOSS_COUNT": self.ground.dir + "/count"}

    def build(self):
        self.library = self.ground.dir + "/powerloss.so"
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-O1", "-fPIC", "-shared", "-o", self.library,
                        ROOT + "/tests/torture/powerloss.c", "-ldl"], check=True)

    def disturb(self, n, problems):
        """One run that is ended; returns the instant and whether it was still running."""
        g = self.ground
        self.how = list(STOPS)[n % len(STOPS)] if self.options.how == "stop" else self.options.how
        if self.options.how == "power":
            after = 1 + self.random.randrange(self.writes)
            done = g.run("full_sync.lua", env=self.preload(after))
            return "at write %d of %d" % (after, self.writes), done.returncode == -signal.SIGKILL, done.returncode
        after = max(0.001, (n + self.random.random()) / self.options.runs * self.duration)  # over the whole duration
        more = ["--deadline", "%.3fs" % after] if self.how == "deadline" else []
        self.out, self.err = g.dir + "/out", g.dir + "/err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            process = subprocess.Popen(g.arguments("full_sync.lua", *more), env=g.env, cwd=g.home,  # pylint: disable=consider-using-with
                                       stdout=out, stderr=err)
        time.sleep(after)
        if self.how != "deadline":
            process.send_signal(SIGNALS[self.how])
        since = time.monotonic()
        code = process.wait(timeout=60)
        self.slowest = max(self.slowest, time.monotonic() - since)
        if self.options.within and time.monotonic() - since > self.options.within:
            problems.append("it took %.2f s to end" % (time.monotonic() - since))
        if code == STOPS.get(self.how):
            self.check_stop(code, problems)
        elif -code == SIGNALS.get(self.how) and self.how in STOPS and os.path.exists(g.home + "/state"):
            problems.append("the signal was not handled")  # it is from the first milliseconds on
        ended = code < 0 or code == STOPS.get(self.how)
        return "%s after %.3f s" % (self.how, after), ended, code

    def check_stop(self, code, problems):
        """What a stop leaves: a report of what was done once the source was asked, a ledger that can be gone on with."""
        g = self.ground
        with open(self.out, encoding="utf-8") as f:
            out = f.read()
        with open(self.err, encoding="utf-8") as f:
            err = f.read()
        if " error " in err or "traceback" in err:
            problems.append("it said " + err[-500:])
        if out and not "\n⚠️  INCOMPLETE - RUN THE SAME COMMAND AGAIN TO GO ON\n" in out:
            problems.append("no partial report: " + out[-500:])
        for folder, status, exit_code in g.ledger("select folder, status, exit from run order by id desc limit 1"):
            if status not in ("interrupted", "incomplete", "refused") or exit_code != code:
                problems.append("the ledger says %s, exit %s" % (status, exit_code))
            self.reported += self.check_report(folder, out, code, problems)
            listed = g.run("retry.lua", "--list")
            if status != "refused" and listed.returncode != 0:
                problems.append("retry.lua: " + listed.stderr)

    @staticmethod
    def check_report(folder, out, code, problems):
        if not out:
            return 0
        try:
            with open(folder + "/report.json", encoding="utf-8") as f:
                report = json.load(f)
        except (OSError, ValueError) as error:
            problems.append("report.json: %s" % error)
            return 0
        if report["success"] or report["exit_code"] != code:
            problems.append("report.json says success %s, exit code %s" % (report["success"], report["exit_code"]))
        return 1

    def check_sent_twice(self, problems):
        """A contact in two requests was, in all but the last, in one without an answer; those are few."""
        flying = {}
        for system, n in self.ground.ledger("select system, count(*) from attempt where status in ('sent', 'unknown') "
                                            "and mode <> 'read' and run = 1 group by system"):
            flying[system] = n
            self.in_flight += n
            if n > WRITERS:
                problems.append("%d batches in flight to %s" % (n, system))
        twice = self.ground.ledger(
            "select a.system, a.status, count(*) from attempt a, json_each(a.keys) k where a.mode <> 'read' and exists "
            "(select 1 from attempt b, json_each(b.keys) l where b.system = a.system and b.mode <> 'read' and b.id > a.id "
            "and l.value = k.value) group by 1, 2")
        for system, status, n in twice:
            self.repeated += n
            if self.options.how == "kill" and status not in ("sent", "unknown"):
                problems.append("%d contacts were sent to %s again after an answer (%s)" % (n, system, status))
        return flying

    def check_proofs(self, problems):
        """Every proof, the log and its checkpoint hold, and each run of the ledger is in the log, in its order."""
        state = self.ground.home + "/state"
        try:
            verifier.check_state(state)
        except (verifier.Broken, OSError) as error:
            problems.append("the proofs: %s" % error)
            return
        entries = re.findall(r"runs/([\w-]+)/", verifier.read(state + "/log").decode())
        runs = [os.path.basename(folder) for folder, in self.ground.ledger("select folder from run order by id")]
        if [run for run in entries if run in runs] != runs:
            problems.append("the ledger's runs %s are not those of the log: %s" % (runs, entries))

    def lose(self, n):
        """One run in which connections are lost, every fifth time by a restart of the server."""
        g, problems = self.ground, []
        g.reset()
        instants = sorted(self.random.uniform(0.05, 0.95) * self.duration for _ in range(self.options.losses))
        self.err, since, lost = g.dir + "/err", time.monotonic(), 0
        with open(self.err, "wb") as err:
            process = subprocess.Popen(g.arguments("full_sync.lua"), env=g.env, cwd=g.home,  # pylint: disable=consider-using-with
                                       stdout=subprocess.DEVNULL, stderr=err)
        for k, instant in enumerate(instants):
            time.sleep(max(0, since + instant - time.monotonic()))
            if process.poll() is None:
                lost += 1
                if (n * self.options.losses + k) % 5 == 4:
                    g.restart_postgres()
                else:
                    g.lose_connections()
        code = process.wait(timeout=120)
        self.ended += lost
        with open(self.err, encoding="utf-8") as f:
            said = f.read()
        if code != 0:
            problems.append("exit %d: %s" % (code, said[-1500:]))
        problems += ["%s differs from the undisturbed run" % s for s, d in g.state().items() if d != self.wanted[s]]
        self.count("at %s s" % ", ".join("%.2f" % i for i in instants), n, problems)

    def count(self, when, n, problems):
        if problems:
            self.failed += 1
            print("FAILED  %s %d %s: %s" % (self.options.how, n + 1, when, "; ".join(problems)), flush=True)
        else:
            self.passed += 1

    def one(self, n):
        g, problems = self.ground, []
        g.reset()
        before = g.writes()
        when, ended, code = self.disturb(n, problems)
        if not ended and code != 0:
            problems.append("the disturbed run ended with exit %s" % code)
        self.ended += ended
        damaged = g.ledger("pragma quick_check")
        if damaged and damaged != [("ok",)]:
            problems.append("the ledger is damaged: %s" % damaged)
        if (n + 1) % self.options.complete_every == 0:
            self.complete(before, problems)
        left = [f for f in glob.glob(g.home + "/state/runs/*/*") if os.path.basename(f).startswith(("spool", "again"))]
        if left and (self.how in STOPS or (n + 1) % self.options.complete_every == 0):
            problems.append("scratch files are left: %s" % left)
        self.count(when, n, problems)

    def complete(self, before, problems):
        """The next run makes everything as if nothing had happened."""
        g = self.ground
        done = g.run("full_sync.lua")
        if done.returncode != 0:
            problems.append("the next run: exit %d: %s %s" % (done.returncode, done.stderr[-1500:], done.stdout[-1500:]))
        if "Resuming" in done.stderr:
            self.interrupted += 1
        state = g.state()
        for system, digest in self.wanted.items():
            if state[system] != digest:
                problems.append("%s differs from the undisturbed run" % system)
        flying = self.check_sent_twice(problems)
        extra = g.writes() - before - self.twenty_writes
        if extra > flying.get("twenty", 0) + (0 if self.options.how == "kill" else WRITERS) + 1:  # + 1: batches are cut anew
            problems.append("%d requests to Twenty more than undisturbed" % extra)
        checked = records.check(g.home + "/state", problems)
        for name, n in checked.items():
            self.checked[name] = self.checked.get(name, 0) + n
        unverified = g.ledger("select system, state, count(*) from state where state <> 'verified' group by 1, 2")
        if unverified:
            problems.append("not verified in the ledger: %s" % unverified)
        self.check_proofs(problems)

    def main(self):
        if self.options.how == "power":
            self.build()
        self.undisturbed()
        for n in range(self.options.runs):
            (self.lose if self.options.how == "loss" else self.one)(n)
        if self.options.how == "loss":
            print("# loss: %d runs, %d losses while they ran" % (self.options.runs, self.ended))
        else:
            self.summary()
        print("# undisturbed: %.2f s, %d writes to Twenty; seed %d" % (self.duration, self.twenty_writes, self.options.seed))
        print("%d passed, %d failed" % (self.passed, self.failed))
        return self.failed != 0

    def summary(self):
        print("# %s: %d runs, %d ended while they ran, %d with a partial report, %.2f s the slowest to end; %d named as resumed, "
              "%d batches were in flight, %d contacts sent twice" % (self.options.how, self.options.runs, self.ended, self.reported,
                                                                   self.slowest, self.interrupted, self.in_flight, self.repeated))
        print("# records that agree: %s" % ", ".join("%d %s" % (n, name) for name, n in self.checked.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--how", choices=("kill", "int", "term", "deadline", "stop", "power", "loss"), default="kill")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--contacts", type=int, default=600)
    parser.add_argument("--batch", type=int, default=40)
    parser.add_argument("--within", type=float, help="seconds in which a stopped run must end")
    parser.add_argument("--complete-every", type=int, default=1, help="after so many the next run completes it all")
    parser.add_argument("--losses", type=int, default=5, help="of connections in a run")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the ground is cleared then too
    ground = Ground()
    try:
        ground.start(options.contacts, options.batch, options.how == "loss")
        return Torture(ground, options).main()
    finally:
        ground.stop(options.keep)


if __name__ == "__main__":
    sys.exit(main())
