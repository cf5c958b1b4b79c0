#!/usr/bin/env python3
"""The benchmark runner: its table, its arithmetic, and a run of the smallest case beside NumPy. Needs NumPy and no peers; times nothing.

    test_bench.py --lib build/libtensorcc.so
"""
import argparse
import json
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BENCH = ROOT / "benchmarks"
sys.path.insert(0, str(BENCH))
try:
    import numpy as np
except ImportError:
    print("skip: no NumPy\n0 passed, 0 failed")
    sys.exit()

import cases
import run
import tensorcc

passed = failed = 0


def check(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print(f"FAIL {sys._getframe(1).f_code.co_name}:{sys._getframe(1).f_lineno}: {what}", flush=True)


def runner(*args):
    return subprocess.run([sys.executable, str(BENCH / "run.py"), *args], capture_output=True, text=True, timeout=100)


def table(lib):
    """Every row is a program that compiles, with as many parameters as the row has arrays."""
    check(len(cases.BY_NAME) == len(cases.CASES), "two cases have the same name")
    for c in cases.CASES:
        check(c.groups and not c.beside or c.beside in cases.BY_NAME, f"{c.name}: groups {c.groups}, beside {c.beside}")
        kind = c.kind
        try:
            k = tensorcc.Kernel(lib, kind.text, kind.op, kind.dims, kind.consts, 1, code=False)
        except RuntimeError as e:
            check(False, f"{c.name}: {e}")
            continue
        check(min(k.work()) > 0, f"{c.name}: work {k.work()}")
        k.close()


def kinds(lib):
    """The reference of each kind agrees with tcc at a small size; inputs are the same each time."""
    small = [cases.Gemm(5, 6, 7, d, ta, tb) for d in ("f32", "f64", "f16", "i8") for ta in (0, 1) for tb in (0, 1)]
    small += [cases.Gemm(5, 6, 7, batch=3), cases.Conv(3, 9, 4, 3, 2, 1), cases.Softmax(5, 9), cases.Layernorm(5, 9), cases.Chain(50)]
    small += [cases.LinearGelu(5, 6, 7), cases.LinearGelu(5, 6, 7, "f32"), cases.Attention(2, 9, 8)]
    for kind in small:
        ins, again = cases.Case("", (), kind).inputs(), cases.Case("", (), kind).inputs()
        check(all((x == y).all() for x, y in zip(ins, again)), f"{kind.op}: inputs differ")
        out = cases.aligned(kind.out_shape, cases.DTYPES[kind.out_dtype])
        k = tensorcc.Kernel(lib, kind.text, kind.op, kind.dims, kind.consts, 1)
        check(k.params() == len(ins) + 1, f"{kind.op}: {k.params()} parameters")
        k.bind([*ins, out])
        off = cases.error(out, kind.reference(ins))
        check(off <= cases.TOLERANCE[kind.out_dtype], f"{kind.op} {kind.dims}: off by {off}")
        check(0 < k.compile_ms() < k.wall_ms + 1, f"{kind.op}: compiled in {k.compile_ms()} of {k.wall_ms} ms")
        k.close()


def errors():
    want = np.array([1.0, -4.0, 2.0])
    check(cases.error(want, want) == 0, "no error")
    check(cases.error(want + [0, 0, 1], want) == 0.25, "an error is a share of the largest value")
    check(cases.error(want[:2], want) == math.inf and cases.error(want * math.nan, want) == math.inf, "another shape, NaN")
    x = np.linspace(-6, 6, 101)
    check(max(abs(cases.erf(x) - [math.erf(v) for v in x])) < 2e-8, "erf")


def arithmetic():
    rows = [dict(tcc=2.0, mkl=3.0), dict(tcc=1.0, mkl=4.0), dict(tcc=5.0, mkl=5.0), dict(tcc=1.0)]
    check(run.ratio(rows, "mkl") == 1.5 and run.ratio(rows, "torch") is None, "the median of the rounds' ratios")
    s = run.summary([dict(groups=("a",), ratio=2.0), dict(groups=("a", "b"), ratio=0.5), dict(groups=("b",), ratio=None), dict(groups=("c",), failed="x")])
    got = {x["group"]: (x["cases"], round(x["geomean"], 9), x["below"]) for x in s}
    check(got == dict(a=(2, 1.0, 1), b=(1, 0.5, 1), all=(2, 1.0, 1)), got)


class Fake:
    """A contestant that answers what it is told."""

    def __init__(self, name, **answer):
        self.name, self.answer = name, answer

    def ask(self, do, **_):
        return self.answer


def entry():
    """A wrong peer is left out, with a word; a wrong result of ours ends the case."""
    case, said = cases.BY_NAME["matmul 64x64x64"], []
    right, wrong_one = dict(error_of_result=1e-6, ns=1000), dict(error_of_result=0.5, ns=1000)
    others = [Fake("a", **wrong_one), Fake("b", absent=True), Fake("c", error="boom"), Fake("d", **right)]
    field, _ = run.enter(case, [Fake("tcc", **right), *others], "", said.append)
    check([c.name for c in field] == ["tcc", "d"] and len(said) == 2, said)
    check(run.enter(case, [Fake("tcc", **wrong_one), Fake("d", **right)], "", said.append)[0] is None, "a wrong result of ours")
    check(run.enter(case, [Fake("tcc", error="no")], "", said.append)[0] is None, "ours cannot be compiled")
    half = cases.BY_NAME["matmul 1024x1024x1024 f16"]
    field, _ = run.enter(half, [Fake("tcc", **right), Fake("torch", error_of_result=4e-4, ns=1)], "", said.append)
    check(len(field) == 2, "a peer may round to f16")


def smallest(lib):
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "new/bench.json"
        p = runner("--cases", "matmul 64x64x64", "--peers", "numpy", "--rounds", "3", "--budget", "0.1", "--out", str(out), "--lib", lib)
        check(p.returncode == 0, f"status {p.returncode}: {p.stdout}{p.stderr}")
        check("matmul 64x64x64 " in p.stdout and "geometric mean" in p.stdout, p.stdout)
        r = json.loads(out.read_text()) if out.exists() else dict(results=[])
        check(len(r["results"]) == 1 and r.get("summary"), "one result and a summary")
        for x in r["results"]:
            ours, numpy = x["samples"]["tcc"], x["samples"]["numpy"]
            check(len(ours) == len(numpy) == 3 and min(*ours, *numpy) > 0, x["samples"])
            check(x["best"] == "numpy" and math.isclose(x["ratio"], statistics.median(n / o for n, o in zip(numpy, ours))), x["ratio"])
            check(x["flops"] == 2 * 64**3 and math.isclose(x["gflops"], x["flops"] / statistics.median(ours)), x["gflops"])
            check(x["error"]["tcc"] < 1e-4 and x["compile_ms"] > 0 and x["of_peak"] > 0, x)
        check(set(r.get("versions", ())) == {"tcc", "numpy"} and r.get("peak", {}).get("gflops_f32", 0) > 0, "versions and peaks")


def wrong():
    """Options that do not make sense, and a library that is not there."""
    for args in (["--peers", "blas"], ["--cases", "nothing"], ["--threads", "0"], ["--rounds", "0"], ["--budget", "-1"]):
        check(runner(*args).returncode == 2, args)
    p = runner("--lib", "/nonexistent.so", "--peers", "none", "--cases", "64x64x64")
    check(p.returncode == 1 and "nonexistent" in p.stderr, f"{p.returncode}: {p.stderr}")
    p = runner("--list", "--cases", "conv")
    check(p.returncode == 0 and len(p.stdout.splitlines()) == sum("conv" in c.groups for c in cases.CASES), p.stdout)


def crash(lib):
    """A contestant that dies is said, and starts again; one that is killed leaves no process."""
    w = run.Worker("tcc", 1, [], [lib, "default"])
    w.process.kill()
    check("error" in w.ask("peak", seconds=0.01) and not w.alive, "a dead worker answers")
    w.start()
    check(w.alive and w.ask("peak", seconds=0.01).get("gbs", 0) > 0, "it does not start again")
    state = pathlib.Path(f"/proc/{w.process.pid}/stat")
    if state.exists():
        time.sleep(0.05)
        check(state.read_text().rsplit(")", 1)[1].split()[0] == "T", "it runs while others are timed")
    w.stop()
    check(w.process.returncode == -signal.SIGKILL, w.process.returncode)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--lib", default="build/libtensorcc.so")
    path = str(pathlib.Path(ap.parse_args().lib).resolve())
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    lib = tensorcc.Library(path)
    table(lib)
    kinds(lib)
    errors()
    arithmetic()
    entry()
    smallest(path)
    wrong()
    crash(path)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
