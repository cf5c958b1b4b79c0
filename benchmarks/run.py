#!/usr/bin/env python3
"""Times tcc beside peers: the same inputs, interleaved round by round, in one run. Prints medians of ratios, keeps the raw samples as JSON.

    run.py [--cases WORD] [--peers a,b] [--threads N] [--rounds N] [--out FILE.json] [--plot FILE.svg]

Each contestant is a process of its own (worker.py), pinned to the same processors and stopped while another one is timed. cases.py has the table of
cases, peers.py the peers; docs/benchmarks.md says how to install them and how to read what is printed. Exit status: 0; 1 when a result of
ours is wrong or missing; 2 for a wrong option.
"""
import argparse
import json
import math
import os
import pathlib
import platform
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np
except ImportError:
    sys.exit("the benchmarks need NumPy")

import cases
import peers
import plot

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PATIENCE = 120  # seconds to wait for an answer
SLOW = 20  # a peer that takes so many times as long as we do, and half a second, is sampled in one round only


class Worker:
    """A contestant's process. It runs only while it is asked something."""

    def __init__(self, name, threads, cpus, more=()):
        self.name = name
        self.command = [sys.executable, str(HERE / "worker.py"), name, str(threads), ",".join(map(str, cpus)), *more]
        self.env = {**os.environ, **peers.environment(threads)}
        self.start()

    def start(self):
        self.alive, self.buffer = True, b""
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env)
        self.hello = self.answer()
        self.pause()

    def pause(self):
        if self.alive:
            self.process.send_signal(signal.SIGSTOP)

    def answer(self):
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                self.stop(2 if ready else 0)
                return dict(error=f"no answer in {PATIENCE} s" if not ready else f"died with status {self.process.returncode}")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def ask(self, do, **more):
        if not self.alive:
            return dict(error="it is gone")
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(dict(do=do, **more)).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says so
        answer = self.answer()
        self.pause()
        return answer

    def stop(self, grace=0):
        """Ends it; one that is ending by itself has `grace` seconds, so that its own status is known."""
        self.alive = False
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Contestant:
    """Who is timed in a case: a worker, or a second kernel of ours (slot "beside")."""

    def __init__(self, name, worker, slot="main"):
        self.name, self.worker, self.slot, self.rounds = name, worker, slot, sys.maxsize

    def open(self, case, at):
        self.facts = self.worker.ask("open", slot=self.slot, case=case.name, dir=str(at))
        return self.facts

    def sample(self, seconds):
        answer = self.worker.ask("sample", slot=self.slot, seconds=seconds)
        if "ns" not in answer:
            self.facts, self.rounds = answer, 0
        return answer.get("ns")


# ---- one case --------------------------------------------------------------------------------------------------------


def store(case, at):
    """Inputs and the right answer as files, for all contestants."""
    ins = case.inputs()
    for i, x in enumerate(ins):
        np.save(at / f"in{i}.npy", x)
    np.save(at / "want.npy", case.kind.reference(ins))
    return at


def enter(case, workers, at, say):
    """The contestants whose result is right, ours first, and facts about ours; None where ours is not right."""
    field, tolerance = [], cases.TOLERANCE[case.kind.out_dtype]
    loose = max(tolerance, cases.TOLERANCE.get(getattr(case.kind, "dtype", ""), 0))  # peers may give f16 where we give f32
    for w in workers:
        c = Contestant(w.name, w)
        facts = c.open(case, at)
        off = facts.get("error_of_result")
        if off is None and not facts.get("absent"):
            say(f"  {w.name} is not in {case.name}: {facts.get('error', 'no answer')}")
        elif off is not None and off > (tolerance if w is workers[0] else loose):
            say(f"  {w.name} is not in {case.name}: its result is off by {off:.2g} of the largest value")
        elif off is not None:
            field.append(c)
        if w is workers[0] and not field:
            return None, facts
    return field, field[0].facts


def rounds(field, budget, most):
    """Samples everyone, in turns; who begins changes from round to round. Returns a row of ns a round."""
    ours = field[0].facts["ns"]
    for c in field:
        c.rounds = 1 if c.facts["ns"] > max(SLOW * ours, 5e8) else most
    steady = [c for c in field if c.rounds == most]
    left = budget * 1e9 - sum(c.facts["ns"] for c in field if c.rounds < most)
    slice_ns = min(5e7, max(2e6, left / most / max(1, len(steady))))
    cost = sum(max(slice_ns, c.facts["ns"]) + 2e6 for c in steady)
    n = max(min(5, most), min(most, int(left / cost)))
    table = []
    for r in range(n):
        row = {}
        for c in field[r % len(field):] + field[:r % len(field)]:
            if r < c.rounds:
                ns = c.sample(slice_ns / 1e9)
                if ns is not None:
                    row[c.name] = ns
        table.append(row)
    return table


def ratio(table, name, ours="tcc"):
    """The median over rounds of how many times as long as we it takes."""
    both = [row[name] / row[ours] for row in table if name in row and ours in row]
    return statistics.median(both) if both else None


def roof(case, facts, peak, threads):
    """The least ns that the machine needs, and which limit that is. None for integers: their peak is not measured."""
    if case.kind.out_dtype == "i32":
        return None, None
    compute = facts["flops"] / peak["gflops_f64" if case.kind.out_dtype == "f64" else "gflops_f32"] / threads
    memory = facts["bytes"] / peak["gbs"] / threads
    return (compute, "fma") if compute >= memory else (memory, "mem")


class Roofs:
    """What a core does: the best of the run, as what is measured while others are busy is too low."""

    def __init__(self, worker):
        self.worker, self.best, self.at = worker, {}, -math.inf
        self.measure()

    def measure(self):
        if time.monotonic() - self.at < 15:  # it costs half a second
            return
        for k, v in self.worker.ask("peak", seconds=0.2).items():
            if k in ("gflops_f32", "gflops_f64", "gbs"):
                self.best[k] = max(self.best.get(k, 0), v)
        self.at = time.monotonic()


def measure(case, workers, a, roofs, say):
    """A row of the results: numbers and raw samples."""
    for w in workers:
        if not w.alive:  # it crashed or hung in the case before
            w.start()
    with tempfile.TemporaryDirectory(prefix="tcc-bench-") as scratch:
        at = store(case, pathlib.Path(scratch))
        field, facts = enter(case, workers, at, say)
        if field is None:
            workers[0].ask("close")
            return dict(case=case.name, groups=case.groups, failed=facts.get("error") or "the result is wrong")
        if case.beside:
            beside = pathlib.Path(scratch) / "beside"
            beside.mkdir()
            c = Contestant("tcc beside", workers[0], "beside")
            if "ns" in c.open(cases.BY_NAME[case.beside], store(cases.BY_NAME[case.beside], beside)):
                field.append(c)
    roofs.measure()
    table = rounds(field, a.budget, a.rounds)
    for w in workers:
        w.ask("close")
    samples = {c.name: [row.get(c.name) for row in table] for c in field}
    ns = {name: statistics.median(x for x in got if x) for name, got in samples.items() if any(got)}
    if "tcc" not in ns:
        return dict(case=case.name, groups=case.groups, failed=field[0].facts.get("error", "no samples"))
    ratios = {name: ratio(table, name) for name in ns if name != "tcc"}
    best = min((name for name in ns if not name.startswith("tcc")), key=ns.get, default=None)
    least, limit = roof(case, facts, roofs.best, a.threads)
    return dict(case=case.name, groups=case.groups, flops=facts["flops"], bytes=facts["bytes"], ns=ns["tcc"], gflops=facts["flops"] / ns["tcc"],
                of_peak=least / ns["tcc"] if least else None, limit=limit, best=best, best_gflops=facts["flops"] / ns[best] if best else None,
                ratio=ratios.get(best), ratios=ratios, beside=case.beside or None, compile_ms=facts["compile_ms"],
                compile_wall_ms=facts["compile_wall_ms"], error={c.name: c.facts.get("error_of_result") for c in field},
                samples=samples)


# ---- what is printed -------------------------------------------------------------------------------------------------


HEAD = f"{'case':<30}{'GFLOP/s':>9}{'of peak':>10}  {'best peer':<9}{'GFLOP/s':>9}{'ratio':>8}{'compile':>9}"


def line(r):
    if "failed" in r:
        return f"{r['case']:<30}  FAILED: {r['failed']}"
    part = f"{100 * r['of_peak']:.0f}% {r['limit']}" if r["of_peak"] else "-"
    peer = f"{r['best']:<9}{r['best_gflops']:>9.1f}{r['ratio']:>8.2f}" if r["best"] else f"{'-':<9}{'-':>9}{'-':>8}"
    text = f"{r['case']:<30}{r['gflops']:>9.1f}{part:>10}  {peer}{r['compile_ms']:>6.0f} ms"
    beside = r["ratios"].get("tcc beside")
    return text + (f"\n  beside our own {r['beside']}: {beside:.2f} of its speed" if beside else "")


def summary(results):
    """Geometric means of the ratios, a group each and all; how many are below 1."""
    found = {}
    for r in results:
        for group in (*r["groups"], "all"):
            if r.get("ratio"):
                found.setdefault(group, []).append(r["ratio"])
    every = found.pop("all", [])
    return [dict(group=g, cases=len(x), geomean=math.exp(statistics.fmean(map(math.log, x))), below=sum(v < 1 for v in x), least=min(x))
            for g, x in [*found.items(), ("all", every)] if x]


def show_summary(rows):
    if rows:
        print(f"\n{'group':<12}{'cases':>6}{'geometric mean':>16}{'below 1.0':>11}{'least':>8}")
    for s in rows:
        print(f"{s['group']:<12}{s['cases']:>6}{s['geomean']:>16.2f}{s['below']:>11}{s['least']:>8.2f}", flush=True)


# ---- the machine -----------------------------------------------------------------------------------------------------


def processors(n):
    """n processors that we may use, on different cores as far as there are."""
    mine, cores, rest = sorted(os.sched_getaffinity(0)), {}, []
    for cpu in mine:
        try:
            core = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
        except OSError:
            core = str(cpu)
        if core in cores:
            rest.append(cpu)
        else:
            cores[core] = cpu
    return [*cores.values(), *rest][:n]


def model():
    try:
        found = [x.split(":", 1)[1].strip() for x in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")]
    except OSError:
        found = []
    return found[0] if found else platform.machine()


def start(a, say):
    """Our worker, then those of the peers that are there."""
    cpus = processors(a.threads)
    ours = Worker("tcc", a.threads, cpus, [a.lib, a.schedule])
    workers, found, asked = [ours], {}, a.peers or [p for p in peers.PEERS if p != "numpy"]
    for name in [] if "version" not in ours.hello or asked == ["none"] else asked:
        w = Worker(name, a.threads, cpus)
        if "version" in w.hello:
            workers.append(w)
            found[name] = w.hello["version"]
        else:
            w.stop()
            why = w.hello.get("missing") or w.hello.get("error")
            say(f"{name} is not here (pip install {peers.PEERS[name][1]}): {why}")
    if not a.peers and len(workers) == 1 and "version" in ours.hello:
        say("no peers: NumPy is the peer")
        workers.append(Worker("numpy", a.threads, cpus))
        found["numpy"] = workers[-1].hello["version"]
    return workers, found, cpus


def options():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cases", default="", help="words, separated by commas: groups, or parts of names")
    ap.add_argument("--list", action="store_true", help="print the table of cases and stop")
    ap.add_argument("--peers", default="", help=f"of {', '.join(peers.PEERS)}, separated by commas; `none` for tcc alone")
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--rounds", type=int, default=15, help="at most")
    ap.add_argument("--budget", type=float, default=3.5, help="seconds of sampling a case; slow cases get fewer rounds, five at least")
    ap.add_argument("--schedule", default="default", help="ours: default, none, auto, FILE.sched")
    ap.add_argument("--out", default=str(ROOT / "build/bench.json"))
    ap.add_argument("--plot", default="", metavar="FILE.svg")
    ap.add_argument("--lib", default=str(ROOT / "build/libtensorcc.so"))
    a = ap.parse_args()
    words = [w for w in a.cases.split(",") if w]
    a.peers = [w for w in a.peers.split(",") if w]
    a.chosen = cases.chosen(words)
    if not a.chosen:
        ap.error(f"no case has {' or '.join(words)} in its groups or its name; --list shows them")
    for p in a.peers:
        if p not in peers.PEERS and a.peers != ["none"]:
            ap.error(f"no peer {p}: there are {', '.join(peers.PEERS)}")
    if not 1 <= a.threads <= len(os.sched_getaffinity(0)):
        ap.error(f"--threads: from 1 to {len(os.sched_getaffinity(0))}, the processors that may be used")
    if a.rounds < 1 or not a.budget > 0:
        ap.error("--rounds and --budget are positive")
    return a


def save(path, what):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(what, indent=1) + "\n")
    part.replace(path)


def main():
    a = options()
    if a.list:
        for c in a.chosen:
            print(f"{c.name:<30}{' '.join(c.groups)}")
        return 0

    def say(text):
        print(text, file=sys.stderr, flush=True)

    workers, found, cpus = start(a, say)
    try:
        if "version" not in workers[0].hello:
            say(f"tcc does not start: {workers[0].hello}")
            return 1
        roofs = Roofs(workers[0])
        peak = roofs.best
        out = dict(machine=dict(model=model(), threads=a.threads, processors=cpus), versions=dict(tcc=workers[0].hello["version"], **found),
                   schedule=a.schedule, peak=peak, results=[])
        print(f"{out['machine']['model']}, {a.threads} thread{'s' * (a.threads > 1)}; a core does {peak['gflops_f32']:.0f} GFLOP/s (f32), "
              f"{peak['gflops_f64']:.0f} (f64), {peak['gbs']:.1f} GB/s\n"
              + ", ".join(f"{k} {v}" for k, v in found.items() or [("no", "peers")]) + f"\n\n{HEAD}", flush=True)
        try:
            for case in a.chosen:
                out["results"].append(measure(case, workers, a, roofs, say))
                print(line(out["results"][-1]), flush=True)
                save(a.out, out)
        except KeyboardInterrupt:
            say("\ninterrupted: what is done is kept")
    finally:
        for w in workers:
            w.stop()
    out["summary"] = summary(out["results"])
    show_summary(out["summary"])
    save(a.out, out)
    say(f"raw samples: {a.out}")
    if a.plot:
        say(plot.draw(out, a.plot))
    return 1 if any("failed" in r for r in out["results"]) else 0


if __name__ == "__main__":
    sys.exit(main())
