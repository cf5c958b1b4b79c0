#!/usr/bin/env python3
"""The tcc command: every subcommand, what it prints and writes, and more than fifty ways to get it wrong.

    test_cli.py --tcc build/tcc [-k WORD]

A wrong input must give exit status 1 (2 for usage), a diagnostic with a code, and no output file. The last line is
`N passed, N failed`. Needs NumPy.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

from broken import BROKEN

TESTS = []
passed = failed = 0
TCC = ""


def test(f):
    TESTS.append(f)
    return f


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        frame = sys._getframe(1)
        while frame.f_code.co_name in ("check", "wrong", "fails", "works", "result"):
            frame = frame.f_back
        print(f"FAIL {frame.f_code.co_name}:{frame.f_lineno}: {what}", flush=True)
    return ok


class Dir:
    """A folder of its own, with files written into it; tcc runs there."""

    def __init__(self, **files):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="tcc-cli-"))
        for name, text in files.items():
            self.write(name.replace("__", "."), text)

    def write(self, name, what):
        if isinstance(what, np.ndarray):
            np.save(self.path / name, what)
        elif isinstance(what, bytes):
            (self.path / name).write_bytes(what)
        else:
            (self.path / name).write_text(what)
        return name

    def load(self, name):
        return np.load(self.path / name)

    def names(self):
        return sorted(os.listdir(self.path))

    def tcc(self, *args, stdin=None, env=None, limit=60):
        p = subprocess.run([TCC, *map(str, args)], cwd=self.path, capture_output=True, timeout=limit,
                           input=stdin if stdin is None or isinstance(stdin, bytes) else stdin.encode(),
                           stdin=subprocess.DEVNULL if stdin is None else None, env=dict(os.environ, **(env or {})))
        self.out, self.err, self.rc = p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace"), p.returncode
        return self

    def json(self, *args, **kw):
        """The command's JSON object, or {} with a failure."""
        self.tcc(*args, "--json", **kw)
        try:
            return json.loads(self.out)
        except ValueError:
            check(False, f"{args}: no JSON object on standard output: {self.out[:200]!r} {self.err[:200]!r}")
            return {}

    def works(self, *args, **kw):
        self.tcc(*args, **kw)
        check(self.rc == 0, f"{args}: exit {self.rc}: {self.err[:300]}")
        return self

    def fails(self, rc, code, *args, says="", **kw):
        """Exit status rc, a diagnostic with the code, all words of `says`, the same as JSON, nothing left behind."""
        before = self.names()
        self.tcc(*args, **kw)
        ok = self.rc == rc and re.search(rf"error\[{code}", self.err) is not None
        ok = ok and all(w in self.err for w in says.split("|"))
        check(ok, f"{args}: exit {self.rc}, wanted {rc} and {code} {says!r}: {self.err[:300]}")
        check(self.names() == before, f"{args}: left {set(self.names()) - set(before)}")
        e = self.json(*args, **kw).get("error", {})
        check(self.rc == rc and sorted(e) == ["code", "column", "file", "line", "message", "notes"]
              and re.match(code, str(e.get("code"))), f"{args}: --json: exit {self.rc}, {e}")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


MATMUL = """op matmul[M = 8, N = 8, K = 8](A: f32[M,K], B: f32[K,N]) -> (C: f32[M,N]) {
  C[i,j] = sum{k}(A[i,k] * B[k,j])
}
"""
COPY = "op copy[N in 0..100000](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i] }\n"
TWO = "op a[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i] }\nop b[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = -X[i] }\n"
EMBED = "op embed[V,D,T](E: f32[V,D], id: i32[T]) -> (Y: f32[T,D]) { Y[t,d] = E[id[t],d] }\n"
WHERE = "op w[N; G: i32 = 4](X: f32[N]) -> (Y: f32[N/G]) where N % G == 0 { Y[i] = X[i*G] }\n"


def floats(*shape, dtype=np.float32):
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(dtype)


# ---- help, usage -----------------------------------------------------------------------------------------------------

@test
def help_and_version():
    with Dir() as d:
        for args in ([], ["--help"], ["help"], ["-h"]):
            check("usage: tcc COMMAND" in d.works(*args).out and "examples:" in d.out, args)
        for c in "compile run bench interp explain fmt targets doctor".split():
            check(f"usage: tcc {c}" in d.works(c, "--help").out and "examples:" in d.out, c)
            one = d.out
            check(d.works("help", c).out == one, c)
        check("LLVM" in d.works("--version").out, "version")
        check("toolchain" in d.json("--version"), "version")
        check("usage" in d.json("--help").get("help", ""), "help as JSON")
        for c, says in (("run", "compare with the interpreter\n"), ("bench", "compare with the interpreter\n"),
                        ("fmt", "only say which files would change\n"), ("sim", "find uninitialised values, races, accesses out of bounds\n")):
            check(f"--check              {says}" in d.works(c, "--help").out, f"{c} --help: --check")


@test
def usage_errors():
    with Dir(matmul__te=MATMUL, a__te=TWO) as d:
        d.fails(2, "C001", "compil", "matmul.te", says="compile")
        d.fails(2, "C001", "help", "frobnicate")
        for c in "tune db".split():
            d.fails(2, "C002", c, "x", says="not part of this version")
            d.fails(2, "C002", c, "x", "--trials", "3", says="not part of this version")
        d.fails(2, "C003", "run", "matmul.te", "--inptu", "A=ones", says="--input")
        d.fails(2, "C003", "run", "matmul.te", "-x")
        d.fails(2, "C003", "run", "matmul.te", "--\x01\x02")
        d.fails(2, "C004", "run", "matmul.te", "--dim", says="N=V")
        d.fails(2, "C005", "run", "matmul.te", "--check=yes")
        d.fails(2, "C006", "fmt", "matmul.te", "--dim", "M=4")
        d.fails(2, "C006", "run", "matmul.te", "--cold")
        d.fails(2, "C007", "compile", "matmul.te", "--op", "a", "--op", "b")
        d.fails(2, "C007", "compile", "matmul.te", "--dim", "M=4", "--dim", "M=5", says="--dim M")
        d.fails(2, "C008", "compile", "matmul.te", "--dim", "M")
        d.fails(2, "C008", "compile", "matmul.te", "--dim", "=4")
        d.fails(2, "C008", "compile", "matmul.te", "--dim", "M=")
        d.fails(2, "C009", "bench", "matmul.te", "--threads", "0")
        d.fails(2, "C009", "bench", "matmul.te", "--threads", "many")
        d.fails(2, "C009", "bench", "matmul.te", "--reps", "99999999999999999999")
        d.fails(2, "C009", "bench", "matmul.te", "--min-time", "nan")
        d.fails(2, "C010", "compile", says="help: it is written `tcc compile FILE [OPTIONS]`")
        d.fails(2, "C010", "compile", "matmul.te", "a.te")
        d.fails(2, "C011", "compile", "matmul.te", "-o", "x.unknown")
        d.fails(2, "C011", "compile", "matmul.te", "--emit", "paper")
        d.fails(2, "C013", "compile", "matmul.te", "--emit", "g9")
        d.fails(2, "C012", "compile", "matmul.te", "--emit", "tile:fuse", says="help: choose te, tile")
        d.fails(2, "C013", "compile", "matmul.te", "--emit", "obj", says="help: name the file with `-o NAME.o`")
        d.fails(2, "C013", "asm", "matmul.te", says="-o NAME.g9")
        d.fails(2, "R009", "compile", "matmul.te", "--target", "tpu")
        d.fails(2, "R009", "compile", "matmul.te", "--target", "gpgpu:none")
        d.fails(2, "R010", "compile", "matmul.te", "--schedule", "best")
        d.fails(2, "R011", "compile", "matmul.te", "--numerics", "ordered:x")
        d.fails(2, "R011", "compile", "matmul.te", "--numerics", "ordered:0")
        d.fails(1, "R040", "compile", "matmul.te", "--schedule", "fast.sched:best", says="No such file|help: name a file")
        d.fails(2, "C041", "schedule", "frobnicate", "matmul.te", says="check, print and space")
        # options anywhere, both ways to write them
        d.works("--dim=M=4", "compile", "--dim", "N=4", "matmul.te", "--dim=K=4")
        check("M = 4, N = 4, K = 4" in d.out, d.out)


# ---- wrong programs and inputs ---------------------------------------------------------------------------------------

@test
def broken_programs():
    with Dir() as d:
        for what, text, code in BROKEN:
            d.write("bad.te", text)
            d.fails(1, code, "compile", "bad.te", "-o", "out.so", says="bad.te")
            check("^" in d.tcc("compile", "bad.te").err, f"{what}: no caret: {d.err[:200]}")
            check(re.search(r"bad\.te:\d+:\d+: error", d.err) is not None, f"{what}: no place: {d.err[:200]}")
        d.write("many.te", "op f[N](X: f32[N]) -> (Y: f32[N]) {\n  let a[i] = X[i] +\n  let b[i] = Q[i]\n  Y[i] = R[i]\n}\n")
        check(d.tcc("compile", "many.te").err.count("error[") >= 1, "several errors in one run")
        d.write("nul.te", b"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i] + \0 }")
        d.fails(1, "L001", "compile", "nul.te", says="nul.te:1:51|NUL|help: save the file as UTF-8")
        for text, help in (("0 < i < N ? X[i] : 0.0", "do not chain"), ("F32(X[i])", "did you mean `f32`")):
            d.write("bad.te", f"op f[N](X: f32[N]) -> (Y: f32[N]) {{ Y[i] = {text} }}")
            check(help in d.tcc("compile", "bad.te").err, d.err)
        lets = "".join(f"  let t{k}[i in 0..N] = X[i+1]\n" for k in range(3000))
        d.write("many.te", f"op f[N](X: f32[N]) -> (Y: f32[N]) {{\n{lets}  Y[i] = X[i]\n}}\n")
        start = time.monotonic()
        check(d.tcc("compile", "many.te").err.count("error[B001") == 20 and "more errors" in d.err, d.err[-300:])
        check(time.monotonic() - start < 3, "errors beyond those shown cost time")
        lets = "".join(f"  let t{k}[i] = t{k - 1}[i] + 1.0\n" for k in range(1, 10000))
        d.write("large.te", f"op f[N](X: f32[N]) -> (Y: f32[N]) {{\n  let t0[i] = X[i]\n{lets}  Y[i] = t9999[i]\n}}\n")
        start = time.monotonic()
        d.fails(1, "N034", "compile", "large.te", says="large.te:4098:7|4096|help: split")
        check(time.monotonic() - start < 3, "a program that is too large costs time")


@test
def wrong_files():
    with Dir(matmul__te=MATMUL, two__te=TWO, empty__te="", fns__te="fn f(x) = x\n", where__te=WHERE) as d:
        d.fails(1, "C014", "compile", "nothing.te", says="nothing.te|No such file|help: the folder where tcc runs")
        d.fails(1, "C014", "compile", "matmull.te", says="help: did you mean `matmul.te`?")
        d.fails(1, "C014", "compile", "ops/matmul.te", says="help: there is no folder `ops`")
        d.fails(1, "C014", "compile", ".", says="directory|help: name a file in that folder")
        d.fails(1, "R001", "compile", "empty.te", says="help: name a .te file that holds one: an op looks like `op name[")
        d.fails(1, "R001", "compile", "fns.te")
        d.fails(1, "R001", "compile", "-", stdin="")
        d.fails(1, "R002", "compile", "two.te", says="--op|a, b")
        d.fails(1, "R003", "compile", "two.te", "--op", "c")
        d.fails(1, "R004", "compile", "matmul.te", "--dim", "Q=4", says="help: its dims are M, N, K, and it has no consts")
        d.fails(1, "R005", "compile", "matmul.te", "--const", "Q=4", says="help: its dims are M, N, K, and it has no consts")
        d.fails(1, "R005", "compile", "where.te", "--const", "N=4", says="help: `N` is a dim: --dim N|help: its dims are N, its consts are G")
        d.fails(1, "R004", "compile", "where.te", "--dim", "n=4", says="help: did you mean `N`?")
        d.fails(1, "R043", "compile", "matmul.te", "--dim", "M=99999999999999999999", says="help: choose a size from 1 to 2147483647")
        d.write("none.te", "op f[](x: f32) -> (y: f32) { y = x }")
        d.fails(1, "R004", "compile", "none.te", "--dim", "N=4", says="help: it has no dims and no consts")
        d.fails(1, "R005", "compile", "where.te", "--const", "H=4", says="G")
        d.fails(1, "[RTZ]", "compile", "where.te", "--const", "G=many")
        d.fails(1, "R006", "compile", "matmul.te", "--dim", "M=4x")
        d.fails(1, "R007", "compile", "matmul.te", "--dim", "M=0", says="M|1..2147483647")
        d.fails(1, "R007", "compile", "matmul.te", "--dim", "M=-5", says="help: choose a size")
        d.fails(1, "R007", "compile", "matmul.te", "--dim", "M=1099511627776")
        check("M in 1..1099511627776" in d.err, d.err)
        d.write("twice.te", COPY + COPY)
        d.fails(1, "N033", "compile", "twice.te", "--op", "copy", says="twice.te:2:4|twice.te:1:4")
        d.fails(1, "N033", "compile", "twice.te", says="twice.te:2:4|twice.te:1:4")
        d.fails(1, "R008", "compile", "where.te", "--dim", "N=7", says="this does not hold for N = 7: where N % G == 0|help: choose")
        d.write("over.te", "op f[M,N](A: f32[M/(N-3)]) -> (Y: f32[N]) { Y[i] = 1.0 }")
        d.fails(1, "R008", "compile", "over.te", "--dim", "N=3", says="this does not hold for N = 3: the divisor of `M/(N-3)`, in the shape of `A`, is not 0")
        d.write("zero.te", "op f[N](A: f32[N/0]) -> (Y: f32[N]) { Y[i] = 1.0 }")
        d.fails(1, "B006", "compile", "zero.te", says="zero.te:1:18|help: choose")
        d.write("zero.te", "op f[N; z: i64 = 0](A: f32[z == 0 ? N / z : N]) -> (Y: f32[N]) { Y[i] = 1.0 }")
        d.fails(1, "R008", "compile", "zero.te", says="any size|help: choose")
        d.write("lock.so", b"\x7fELF garbage")
        d.fails(1, "R033", "run", "lock.so")
        d.write("x.tile", "tile nonsense {")
        d.fails(1, "A", "compile", "x.tile")


@test
def wrong_inputs():
    with Dir(matmul__te=MATMUL, copy__te=COPY, embed__te=EMBED, where__te=WHERE) as d:
        d.write("s.te", "op s[](a: f32, n: i8, b: u1) -> (y: f32) { y = a + f32(n) + f32(b) }")
        d.write("a.npy", floats(8, 8))
        d.write("b.npy", floats(9, 8))
        d.write("c.npy", floats(8, 8, dtype=np.float64))
        d.write("v.npy", floats(8))
        d.write("bad.npy", b"\x93NUMPY")
        d.write("text.npy", "not numpy at all")
        d.write("cut.npy", (d.path / "a.npy").read_bytes()[:-4])
        d.write("long.npy", (d.path / "a.npy").read_bytes() + b"1")
        d.write("id.npy", np.array([0, 5, 1], np.int32))
        run = ("run", "matmul.te", "--output", "C=c_out.npy")
        d.fails(1, "C022", *run, says="A: f32[M,K]|B: f32[K,N]")
        d.fails(1, "C022", *run, "--input", "A=a.npy", says="B")
        d.fails(1, "C017", *run, "--input", "Q=ones", says="A, B")
        d.fails(1, "C017", "run", "embed.te", "--input", "idx=ones", says="did you mean `id`?")
        d.fails(1, "C017", *run, "--input", "C=ones")
        d.fails(1, "C018", "run", "matmul.te", "--input", "A=ones", "--input", "B=ones", "--output", "A=x.npy")
        d.fails(2, "C007", *run, "--input", "A=ones", "--input", "A=ones", "--input", "B=ones")
        d.fails(1, "C019", *run, "--input", "A=onse", "--input", "B=ones")
        d.fails(1, "C019", *run, "--input", "A=random:x", "--input", "B=ones")
        d.fails(1, "C014", *run, "--input", "A=none.npy", "--input", "B=ones")
        d.fails(1, "C020", *run, "--input", "A=3.5", "--input", "B=ones")
        for f, says in (("bad.npy", ""), ("text.npy", "no NPY"), ("cut.npy", "truncated"), ("long.npy", "beyond")):
            d.fails(1, "C023", *run, "--input", f"A={f}", "--input", "B=ones", says=says + "|help: |numpy.save")
        d.fails(1, "C024", *run, "--input", "A=c.npy", "--input", "B=ones", says="float64|f32|astype(numpy.float32)")
        d.fails(1, "C026", *run, "--input", "A=v.npy", "--input", "B=ones", says="help: give it the shape [M,K]")
        d.fails(1, "C026", "run", "s.te", "--input", "a=v.npy", says="help: `a` is a scalar")
        d.write("half.te", "op f[N](X: bf16[N], u: u1[N], q: i4[N]) -> (Y: bf16[N]) { Y[i] = X[i] }")
        half = ("run", "half.te", "--input", "q=q.npy", "--input", "u=u.npy")
        d.write("q.npy", np.array([1, 9], np.int8))
        d.write("u.npy", np.array([1, 2], np.uint8))
        d.fails(1, "C024", "run", "half.te", "--input", "X=c.npy", says="help: the file holds the bits of each element, as numpy.uint16")
        d.fails(1, "C025", *half, "--input", "X=ones", says="u.npy|2|help: u1 holds 0 and 1")
        d.write("u.npy", np.array([1, 0], np.uint8))
        d.fails(1, "C025", *half, "--input", "X=ones", says="q.npy|9|help: i4 holds -8 to 7")
        d.fails(1, "R017", *run, "--input", "A=a.npy", "--input", "B=b.npy", says="`A`|`B`|8|9|help: a dim has one size")
        d.fails(1, "R(017|032)", *run, "--input", "A=a.npy", "--input", "B=ones", "--dim", "M=4")
        d.fails(1, "C027", "run", "copy.te", "--input", "X=ones", says="`N`")
        d.write("w.npy", floats(7))
        d.fails(1, "R008", "run", "where.te", "--input", "X=w.npy", says="N = 7")
        d.fails(1, "R026", "run", "embed.te", "--dim", "V=5", "--dim", "D=2", "--input", "E=ones", "--input", "id=id.npy", says="E[id[t]|5")
        d.write("wrap.te", "op f[N](X: f32[N], k: i64) -> (Y: f32[N]) { Y[i] = X[min(abs(i+k),0)] }")
        for t in ("cpu", "interp"):
            d.fails(1, "R026", "run", "wrap.te", "--target", t, "--dim", "N=1", "--input", "X=ones", "--input", "k=-9223372036854775808")
        d.write("far.te", "op f[N](X: f32[N], k: u64) -> (Y: f32[N]) { Y[i] = X[k] }")
        d.write("ratio.te", "op f[N; c: i32 = 1](X: i32[N], k: i32) -> (Y: i32[N]) { Y[i] = X[i] / c % k }")
        ratio = ("ratio.te", "--dim", "N=1", "--input", "X=ones", "--input", "k=0")
        for t in ("cpu", "interp"):
            d.fails(1, "R026", "run", "far.te", "--target", t, "--dim", "N=1", "--input", "X=ones", "--input", "k=9223372036854775808",
                    says="is 9223372036854775808")
            d.fails(1, "R027", "run", *ratio, "--target", t, says="help: correct the data")
        d.fails(1, "B006", "run", *ratio, "--const", "c=0", says="ratio.te:1:71|help: choose another|note: `c` is 0, as given with `--const`")
        d.fails(1, "C021", "run", "s.te", "--input", "a=1", "--input", "n=200", "--input", "b=1", says="help: i8 holds whole numbers from -128 to 127")
        d.fails(1, "C021", "run", "s.te", "--input", "a=1e39", "--input", "n=1", "--input", "b=1", says="1e39|f32|help: give a number that is nearer to 0")
        d.works("run", "s.te", "--input", "a=-inf", "--input", "n=1", "--input", "b=1")
        d.fails(1, "C021", "run", "s.te", "--input", "a=1", "--input", "n=1.5", "--input", "b=1")
        d.fails(1, "C021", "run", "s.te", "--input", "a=1", "--input", "n=1", "--input", "b=2", says="help: give 0, 1, false or true")
        d.fails(1, "C021", "run", "s.te", "--input", "a=true", "--input", "n=1", "--input", "b=true", says="help: `true` is a value of u1")
        for v, n in (("a=0x10", "16"), ("n=0x10", "16"), ("a=0x1p-1", "0.5")):
            d.fails(1, "C019", "run", "s.te", "--input", v, says=f"help: numbers are decimal: {n}")
        d.fails(2, "C009", "bench", "matmul.te", "--min-time", "0x1")


@test
def hostile_sizes():
    with Dir(matmul__te=MATMUL, copy__te=COPY) as d:
        big = ["--dim", "M=1048576", "--dim", "N=1048576", "--dim", "K=1"]
        def quick(rc, code, *args, **kw):
            start = time.monotonic()
            d.fails(rc, code, *args, **kw)
            check(time.monotonic() - start < 6, f"{args} took {time.monotonic() - start:.1f} s for two runs")
        for t in ("cpu", "interp"):
            quick(1, "C028", "run", "matmul.te", *big, "--input", "A=ones", "--input", "B=ones", "--target", t, says="4 TiB")
        quick(1, "(C028|R037)", "bench", "matmul.te", "--dim", "M=2147483647", "--dim", "N=2147483647", "--dim", "K=2147483647")
        d.write("wide.te", "op f[N in 0..9223372036854775807](X: f32[N+1]) -> (Y: f32[N]) { Y[i] = X[i] }")
        quick(1, "R037", "run", "wide.te", "--dim", "N=9223372036854775807", "--input", "X=ones", says="N = 9223372036854775807")
        d.write("deep.te", "op f[](x: f32) -> (y: f32) { y = " + "(" * 10000 + "x" + ")" * 10000 + " }")
        quick(1, "F002", "compile", "deep.te")
        d.write("minus.te", "op f[](x: f32) -> (y: f32) { y = " + "-" * 100000 + "x }")
        quick(1, "F", "compile", "minus.te")
        d.write("line.te", "op f[](x: f32) -> (y: f32) { y = x" + " + x" * 2500000 + " }")
        quick(1, ".", "compile", "line.te")
        d.write("noise.te", bytes(np.random.default_rng(3).integers(0, 256, 1 << 20, dtype=np.uint8)))
        quick(1, ".", "compile", "noise.te")
        for n in (0, 1):
            d.write("x.npy", floats(n))
            d.works("run", "copy.te", "--input", "X=x.npy", "--output", "Y=y.npy", "--check")
            check(d.load("y.npy").shape == (n,), n)


# ---- what works ------------------------------------------------------------------------------------------------------

@test
def run_and_outputs():
    with Dir(matmul__te=MATMUL) as d:
        A, B = floats(5, 3), floats(3, 4)
        d.write("a.npy", A)
        d.write("b.npy", B)
        for t in ("cpu", "interp"):
            for s in ("auto", "default", "none"):
                j = d.json("run", "matmul.te", "--target", t, "--schedule", s, "--input", "A=a.npy", "--input", "B=b.npy", "--output", "C=c.npy", "--check")
                check(np.allclose(d.load("c.npy"), A @ B, atol=1e-6), (t, s))
                check(j.get("check") == "pass" and j["max_abs_err"] < 1e-6 and j["max_rel_err"] >= 0, j)
                check(j.get("dims") == {"M": 5, "N": 4, "K": 3} and j["op"] == "matmul" and j["target"] == t, j)
                for f in "threads schedule schedule_source compile_ms ns_median ns_min ns_mad reps flops bytes gflops gbs peak_gflops peak_gbs fraction_of_roof".split():
                    check(f in j, f)
                check(j.get("flops") == 2 * 5 * 4 * 3 and j.get("bytes") == 4 * (15 + 12 + 20), j)
            os.remove(d.path / "c.npy")
        d.works("run", "matmul.te", "--input", "A=a.npy", "--input", "B=b.npy")
        check("C: f32[5,4]" in d.out and "range" in d.out and "mean" in d.out, d.out)
        d.works("interp", "matmul.te", "--input", "A=ones", "--input", "B=ones", "--dim", "K=3")
        check("range 3 .. 3" in d.out, d.out)
        # a dim with a default kept open; one given; numerics
        d.works("run", "matmul.te", "--dim", "M=?", "--dim", "N=?", "--input", "A=a.npy", "--input", "B=b.npy", "--check", "--numerics", "ordered:16")
        d.works("run", "-", "--input", "A=a.npy", "--input", "B=b.npy", "--check", stdin=MATMUL)
        d.works("run", "matmul.te", "--threads", "1", "--input", "A=a.npy", "--input", "B=b.npy", "--numerics", "ordered", "--check")


SPECS = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "i64": np.int64, "i32": np.int32, "i16": np.int16, "i8": np.int8,
         "u64": np.uint64, "u32": np.uint32, "u16": np.uint16, "u8": np.uint8, "i4": np.int8, "u4": np.uint8, "u1": np.bool_,
         "bf16": np.uint16, "f8e4m3": np.uint8, "f8e5m2": np.uint8, "tf32": np.float32}


@test
def types_and_npy():
    with Dir() as d:
        rng = np.random.default_rng(5)
        for t, np_type in SPECS.items():
            d.write("id.te", f"op id[M in 0..99,N in 0..99](X: {t}[M,N]) -> (Y: {t}[M,N]) {{ Y[i,j] = X[i,j] }}\n")
            if t in ("i4", "u4"):
                x = rng.integers(-8 if t == "i4" else 0, 8 if t == "i4" else 16, (3, 5)).astype(np_type)
            elif t == "u1":
                x = rng.integers(0, 2, (3, 5)).astype(bool)
            elif t == "tf32":
                x = (floats(3, 5).view(np.uint32) & np.uint32(0xffffe000)).view(np.float32)
            elif t in ("bf16", "f8e4m3", "f8e5m2"):
                x = rng.integers(0, 0x70, (3, 5)).astype(np_type) * (256 if t == "bf16" else 1)
                x = x.astype(np_type)
            elif np_type(0).dtype.kind == "f":
                x = floats(3, 5, dtype=np_type)
            else:
                i = np.iinfo(np_type)
                x = rng.integers(i.min, i.max, (3, 5), dtype=np_type, endpoint=True)
            forms = {"plain": x, "fortran": np.asfortranarray(x), "empty": x[:0], "strided": x[:, ::2]}
            if x.dtype.itemsize > 1:
                forms["big"] = x.astype(x.dtype.newbyteorder(">"))
                forms["big fortran"] = np.asfortranarray(forms["big"])
            for target in ("cpu", "interp"):
                for name, v in forms.items():
                    d.write("x.npy", v)
                    d.works("run", "id.te", "--target", target, "--input", "X=x.npy", "--output", "Y=y.npy", "--check")
                    y = d.load("y.npy")
                    check(y.dtype == np.dtype(np_type) and y.shape == v.shape and np.array_equal(y.view(np.uint8 if y.dtype == bool else y.dtype), np.asarray(v, dtype=np_type)),
                          f"{t} {name} {target}: {y} {v}")
        for version in ((1, 0), (2, 0), (3, 0)):
            d.write("id.te", COPY)
            x = floats(7)
            with open(d.path / "x.npy", "wb") as f:
                np.lib.format.write_array(f, x, version=version)
            d.works("run", "id.te", "--input", "X=x.npy", "--output", "Y=y.npy")
            check(np.array_equal(d.load("y.npy"), x), version)
        # values that a type has not
        d.write("id.te", "op id[N](X: u4[N]) -> (Y: u4[N]) { Y[i] = X[i] }\n")
        d.write("x.npy", np.array([3, 16], np.uint8))
        d.fails(1, "C025", "run", "id.te", "--input", "X=x.npy", says="element 1|16")
        d.write("id.te", "op id[N](X: tf32[N]) -> (Y: tf32[N]) { Y[i] = X[i] }\n")
        d.write("x.npy", np.array([1, 0.1], np.float32))
        d.fails(1, "C025", "run", "id.te", "--input", "X=x.npy", says="element 1|mantissa")
        d.write("id.te", "op id[N](X: u1[N]) -> (Y: u1[N]) { Y[i] = X[i] }\n")
        d.write("x.npy", np.array([1, 2], np.uint8))
        d.fails(1, "C025", "run", "id.te", "--input", "X=x.npy")
        d.write("x.npy", np.array([1, 0], np.uint8))
        d.works("run", "id.te", "--input", "X=x.npy", "--output", "Y=y.npy")
        check(d.load("y.npy").dtype == bool, "u1 from uint8")


@test
def specs():
    with Dir() as d:
        for t, np_type in SPECS.items():
            d.write("id.te", f"op id[M,N](X: {t}[M,N]) -> (Y: {t}[M,N]) {{ Y[i,j] = X[i,j] }}\n")
            def made(spec, m=17, n=33):
                d.works("run", "id.te", "--target", "interp", "--dim", f"M={m}", "--dim", f"N={n}", "--input", f"X={spec}", "--output", "Y=y.npy")
                return d.load("y.npy")
            check(not made("zeros").view(np.uint8).any(), t)
            one = {"bf16": 0x3f80, "f8e4m3": 0x38, "f8e5m2": 0x3c}.get(t, 1)
            check((made("ones") == np_type(one)).all(), t)
            r = made("random:7")
            check(np.array_equal(r, made("random:7")) and not np.array_equal(r, made("random:8")), t)
            if t in ("f64", "f32", "f16", "tf32"):
                check(r.min() >= -1 and r.max() < 1 and abs(r.astype(float).mean()) < 0.15 and r.min() < -0.8, (t, r.min(), r.max()))
                n = made("normal:1").astype(float)
                check(abs(n.mean()) < 0.2 and 0.8 < n.std() < 1.2, (t, n.mean(), n.std()))
            want = np.arange(17 * 33).reshape(17, 33)
            if t in ("i4", "u4"):
                want = want % 16
                want = np.where((want > 7) & (t == "i4"), want - 16, want)
            if t == "u1":
                want = want % 2
            if t not in ("bf16", "f8e4m3", "f8e5m2", "tf32"):
                check(np.array_equal(made("iota"), want.astype(np_type)), f"iota {t}")
        d.write("s.te", "op s[](a: f32, n: i8, b: u1, c: f16, u: u64) -> (y: f32, z: u64) { y = a + f32(n) + f32(b) + f32(c)\n z = u }")
        args = ["--input", "a=-1.5e0", "--input", "n=-128", "--input", "b=true", "--input", "c=0.5", "--input", "u=18446744073709551615"]
        d.works("run", "s.te", *args, "--output", "y=y.npy", "--output", "z=z.npy")
        check(d.load("y.npy").shape == () and d.load("y.npy") == -128 and d.load("z.npy") == 2**64 - 1, d.load("y.npy"))
        d.write("one.npy", np.array([2.0], np.float32))
        d.works("run", "s.te", *args[2:], "--input", "a=one.npy", "--output", "y=y.npy")
        check(d.load("y.npy") == 2 - 128 + 1 + 0.5, d.load("y.npy"))


@test
def inout():
    text = "op step[N](inout w: f32[N], g: f32[N], lr: f32) -> (s: f32) {\n  w[i] = w[i] - lr * g[i]\n  s = sum{i}(w[i])\n}\n"
    with Dir(step__te=text) as d:
        w, g = floats(9), floats(9)[::-1].copy()
        d.write("w.npy", w)
        d.write("g.npy", g)
        for t in ("cpu", "interp"):
            d.works("run", "step.te", "--target", t, "--input", "w=w.npy", "--input", "g=g.npy", "--input", "lr=0.5", "--output", "w=out.npy", "--output", "s=s.npy", "--check")
            check(np.allclose(d.load("out.npy"), w - 0.5 * g) and np.array_equal(d.load("w.npy"), w), t)
        j = d.json("bench", "step.te", "--input", "w=w.npy", "--input", "g=g.npy", "--input", "lr=0.5", "--check", "--min-time", "0.01")
        check(j.get("check") == "pass", j)
        d.fails(2, "C034", "run", "step.te", "--input", "w=w.npy", "--input", "g=g.npy", "--input", "lr=0.5", "--output", "w=out.npy", "--output", "s=out.npy")


@test
def artifacts():
    with Dir(matmul__te=MATMUL, embed__te=EMBED) as d:
        for kind, name, holds in (("te", "x.te", b"op matmul"), ("tile", "x.tile", b"tile matmul"), ("llvm", "x.ll", b"define"), ("asm", "x.s", b"matmul"),
                                  ("obj", "x.o", b"\x7fELF"), ("so", "x.so", b"\x7fELF"), ("header", "x.h", b"tensorcc_call")):
            j = d.json("compile", "matmul.te", "-o", name)
            check(holds in (d.path / name).read_bytes(), kind)
            check(j.get("artifact") == name and j["op"] == "matmul" and j["dims"] == {"M": 8, "N": 8, "K": 8} and j["compile_ms"] > 0, j)
            if kind not in ("obj", "so"):
                check(holds.decode() in d.works("compile", "matmul.te", "--emit", kind).out, kind)
                check(holds.decode() in d.json("compile", "matmul.te", "--emit", kind).get("text", ""), kind)
            d.works("compile", "matmul.te", "--emit", kind, "-o", "other")
            check((d.path / "other").exists(), kind)
        check("compiled in" in d.works("compile", "matmul.te").out, "summary")
        # Tile text and te text compile and run again
        for f in ("x.te", "x.tile"):
            d.works("run", f, "--input", "A=iota", "--input", "B=ones", "--output", "C=c.npy")
            check(d.load("c.npy")[0, 0] == 28 and d.load("c.npy")[7, 7] == 28 + 8 * 56, f)
        # a library by hand and by tcc
        d.works("compile", "matmul.te", "--dim", "M=?", "--dim", "K=?", "-o", "mm.so")
        d.works("run", "mm.so", "--dim", "M=3", "--dim", "K=2", "--input", "A=iota", "--input", "B=ones", "--output", "C=c.npy", "--check")
        check(d.load("c.npy").shape == (3, 8) and d.load("c.npy")[2, 0] == 9, "mm.so")
        d.fails(1, "C039", "run", "mm.so", "--op", "conv", "--input", "A=ones", "--input", "B=ones", says="matmul|conv")
        for other in [x["name"] for x in d.json("targets")["targets"] if not x["host"] and x["name"].startswith("cpu:")][:1]:
            d.works("compile", "matmul.te", "--target", other, "-o", "other.so")
            for name, target in (("other.so", []), ("matmul.te", ["--target", other])):
                d.fails(3, "R035", "run", name, *target, "--input", "A=ones", "--input", "B=ones", says=other)
                check(d.tcc("run", name, *target, "--input", "A=ones", "--input", "B=ones").err.count("R035") == 1, d.err)
        check(d.json("bench", "mm.so", "--dim", "M=3", "--dim", "K=2", "--min-time", "0.01").get("reps", 0) > 0, "bench of an artifact")
        d.fails(1, "R032", "run", "mm.so", "--dim", "N=9", "--dim", "M=3", "--dim", "K=2", "--input", "A=iota", "--input", "B=ones")
        d.fails(1, "C038", "run", "mm.so", "--dim", "Q=9", "--input", "A=iota", "--input", "B=ones", says="M, N, K")
        d.fails(2, "C009", "run", "mm.so", "--dim", "M=x", "--input", "A=iota", "--input", "B=ones")
        d.fails(2, "C030", "run", "mm.so", "--target", "cpu", "--input", "A=iota")
        d.fails(2, "C044", "compile", "matmul.te", "--set", "a=b")
        d.fails(1, "R043", "compile", "matmul.te", "--dim", "M=99999999999999999999", says="99999999999999999999")
        d.fails(2, "C004", "compile", "matmul.te", "-o", says="`-o`")
        d.write("heads.te", "op h[N,E,H](X: f32[N,E]) -> (Y: f32[N,E]) where E % H == 0 { Y[n,e] = X[n,e/(E/H)*(E/H)] }\n")
        d.works("compile", "heads.te", "-o", "heads.so")
        d.works("run", "heads.so", "--dim", "N=1", "--dim", "E=4", "--dim", "H=2", "--input", "X=iota", "--output", "Y=h.npy")
        check(d.load("h.npy").tolist() == [[0, 0, 2, 2]], d.load("h.npy"))
        d.fails(1, "R008", "run", "heads.so", "--dim", "N=1", "--dim", "E=4", "--dim", "H=3", "--input", "X=iota")
        d.write("none.workloads", "# nothing\n")
        d.fails(1, "C033", "bench", "--workloads", "none.workloads")
        d.write("main.c", '#include "mm.h"\n#include <stdio.h>\n#include <stdlib.h>\n'
                "int main(void) { static float a[6] = {0,1,2,3,4,5}, b[16], c[24]; for (int i = 0; i < 16; i++) b[i] = 1;\n"
                "  void *data[] = {a, b, c}; int64_t sizes[] = {3, 8, 2}; int64_t n = matmul_workspace(sizes, 1);\n"
                "  tensorcc_call call = {.data = data, .sizes = sizes, .workspace = n ? aligned_alloc(64, (n + 63) / 64 * 64) : 0};\n"
                '  int s = matmul(&call); printf("%d %g %g\\n", s, c[0], c[23]); return 0; }\n')
        p = subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "main.c", "./mm.so", "-o", "main", "-Wl,-rpath,."], cwd=d.path, capture_output=True, text=True)
        check(p.returncode == 0, p.stderr[:300])
        p = subprocess.run(["./main"], cwd=d.path, capture_output=True, text=True)
        check(p.stdout == "0 1 9\n", p.stdout + p.stderr)
        needed = subprocess.run(["readelf", "-d", "mm.so"], cwd=d.path, capture_output=True, text=True).stdout
        check(all(re.search(r"lib(c|m)\.so", l) for l in needed.splitlines() if "NEEDED" in l), needed)
        d.works("compile", "matmul.te", "--target", "cpu:x86-64-v3", "-o", "v3.o")
        d.works("compile", "matmul.te", "--target", "cpu:x86-64-v4", "--emit", "asm")
        d.fails(1, "R036", "compile", "matmul.te", "--target", "interp", "--emit", "llvm")
        d.tcc("compile", "matmul.te", "-o", "z.so", env={"CC": "no-such-compiler"})
        check(d.rc == 3 and "X004" in d.err and not (d.path / "z.so").exists() and not (d.path / "z.h").exists(), d.err)


@test
def output_files():
    with Dir(matmul__te=MATMUL) as d:
        io = ["--input", "A=ones", "--input", "B=ones"]
        if os.path.exists("/dev/full"):
            d.fails(1, "C015", "compile", "matmul.te", "--emit", "asm", "-o", "/dev/full", says="No space|help: a part of it may have been written there")
            d.fails(1, "C015", "compile", "matmul.te", "--emit", "so", "-o", "/dev/full")
            d.fails(1, "C015", "run", "matmul.te", *io, "--output", "C=/dev/full")
            with open("/dev/full", "w") as full:
                p = subprocess.run([TCC, "targets"], stdout=full, stderr=subprocess.PIPE)
                check(p.returncode == 1 and b"C015" in p.stderr and b"No space" in p.stderr and b"help: a part of it may have been" in p.stderr, p.stderr)
                p = subprocess.run([TCC, "compile", d.path / "matmul.te", "--emit", "te", "-o", "-"], stdout=full, stderr=subprocess.PIPE)
                check(p.returncode == 1 and b"`<stdout>`: No space" in p.stderr and b"help: a part of it may have been" in p.stderr, p.stderr)
        d.fails(1, "C015", "compile", "matmul.te", "-o", "nowhere/x.s", says="nowhere/x.s|help: nothing was left at that place")
        d.fails(1, "C015", "run", "matmul.te", *io, "--output", "C=nowhere/c.npy")
        os.mkdir(d.path / "dir.s")
        d.fails(1, "C015", "compile", "matmul.te", "-o", "dir.s", says="directory")
        # both results or none
        d.write("two.te", "op two[N=4](X: f32[N]) -> (Y: f32[N], Z: f32[N]) { Y[i] = X[i]\n Z[i] = X[i] }\n")
        d.fails(1, "C015", "run", "two.te", "--input", "X=ones", "--output", "Y=y.npy", "--output", "Z=nowhere/z.npy")
        # links stay links, modes stay, what was there goes only when the new one is complete
        d.write("real.s", "old")
        os.chmod(d.path / "real.s", 0o640)
        os.symlink("real.s", d.path / "link.s")
        d.works("compile", "matmul.te", "-o", "link.s")
        check((d.path / "link.s").is_symlink() and "matmul" in (d.path / "real.s").read_text(), "symlink")
        check((d.path / "real.s").stat().st_mode & 0o777 == 0o640, "mode")
        d.write("old.s", "old")
        d.write("bad.te", "op f(")
        d.tcc("compile", "bad.te", "-o", "old.s")
        check((d.path / "old.s").read_text() == "old", "kept")
        os.symlink("matmul.te", d.path / "again.te")
        d.fails(2, "C040", "compile", "matmul.te", "-o", "matmul.te", says="matmul.te")
        d.fails(2, "C040", "compile", "matmul.te", "-o", "./again.te")
        check((d.path / "matmul.te").read_text() == MATMUL, "the program is as it was")
        d.works("compile", "matmul.te", "-o", "-", "--emit", "te")
        check(d.out.startswith("op matmul"), d.out)
        if os.geteuid() != 0:
            os.chmod(d.path, 0o500)
            d.fails(1, "C015", "compile", "matmul.te", "-o", "x.s")
            os.chmod(d.path, 0o700)
        check(not [n for n in d.names() if n.startswith(".")], d.names())


@test
def bench():
    hints = "op h[M ~ {4,16}, N = 32](X: f32[M,N]) -> (Y: f32[M]) { Y[i] = sum{j}(X[i,j]) }\n"
    with Dir(matmul__te=MATMUL, h__te=hints, embed__te=EMBED, where__te=WHERE) as d:
        fast = ["--min-time", "0.01"]
        j = d.json("bench", "matmul.te", "--threads", "1", *fast)
        for f in "op target dims threads schedule schedule_source compile_ms ns_median ns_min ns_mad reps flops bytes gflops gbs peak_gflops peak_gbs fraction_of_roof".split():
            check(f in j and j[f] is not None, f)
        check(j["threads"] == 1 and 0 < j["ns_min"] <= j["ns_median"] and j["flops"] == 1024 and j["peak_gflops"] > 0 and 0 < j["fraction_of_roof"], j)
        check(abs(j["gflops"] - j["flops"] / j["ns_median"]) < 1e-3 * j["gflops"], j)
        j = d.json("bench", "matmul.te", "--reps", "5", "--cold", "--check")
        check(j.get("reps") == 5 and j.get("check") == "pass", j)
        check("of it" in d.works("bench", "matmul.te", *fast).out, d.out)
        j = d.json("bench", "h.te", *fast)
        check(j["dims"] == {"M": 16, "N": 32} and [s["dims"]["M"] for s in j["sizes"]] == [4, 16], j)
        d.works("bench", "embed.te", "--dim", "V=10", "--dim", "D=4", "--dim", "T=100", *fast, "--check")
        d.works("bench", "matmul.te", "--target", "interp", *fast)
        d.fails(1, "C027", "bench", "embed.te", says="`V`, `D`, `T`")
        os.mkdir(d.path / "sub")
        d.write("sub/list.workloads", "# sizes\n../matmul.te M=4 N=4 K=4  # small\n\n../where.te:w N=32 G=8\n")
        j = d.json("bench", "--workloads", "sub/list.workloads", *fast)
        check([w["op"] for w in j["workloads"]] == ["matmul", "w"] and j["workloads"][1]["dims"] == {"N": 32}, j)
        check(d.works("bench", "--workloads", "sub/list.workloads", *fast).out.count("median") == 2, d.out)
        d.write("bad.workloads", "matmul.te M=4\nmatmul.te M\nnone.te\nmatmul.te Q=3\nmatmul.te N=4\n")
        j = d.json("bench", "--workloads", "bad.workloads", *fast)
        check(d.rc == 2 or d.rc == 1, d.rc)
        check(["error" in w for w in j.get("workloads", [])] == [False, True, True, True, False], j)
        for line, code in ((3, "C014"), (4, "R00[45]")):
            check(re.search(rf"error\[{code}\](?:(?!error)[^\0])*\nbad.workloads:{line}: note: this is the workload that failed\n", d.err), d.err)
            check(f"bad.workloads:{line}: note: this is the workload that failed" in j["workloads"][line - 1]["error"]["notes"], j)
        check("help: its dims are M, N, K, and it has no consts" in d.err, d.err)
        check(d.err.count("workload that failed") == 2 and "error[C033]: bad.workloads:2: " in d.err, d.err)


@test
def explain_targets_doctor():
    with Dir(matmul__te="# Product of two matrices.\n" + MATMUL) as d:
        out = d.works("explain", "matmul.te").out
        for word in ("Product of two matrices.", "1.024 kFLOP", "intensity", "roof", "loops after scheduling", "for ", "where time should go", "schedule"):
            check(word in out, word)
        out = d.works("explain", "matmul.te", "--dim", "M=256", "--dim", "N=256", "--dim", "K=256").out
        for word in ("results in registers", "blocks of 256 terms", "as a schedule", "microkernel C."):
            check(word in out, word)
        j = d.json("explain", "matmul.te", "--dim", "M=?")
        check(j["flops"] == 1024 and j["bytes"] == 768 and j["bound"] in ("memory", "compute") and j["roof_gflops"] > 0 and "text" in j, j)
        d.works("explain", "matmul.te", "--target", "interp")
        names = [t["name"] for t in d.json("targets")["targets"]]
        check("cpu" in names and "interp" in names and "cpu:x86-64-v3" in names, names)
        cpu = d.json("targets")["targets"][0]
        check(cpu["host"] and cpu["vector_bytes"] >= 16 and cpu["l1"] > 0 and cpu["cores"] >= 1, cpu)
        check("cpu:x86-64-v3" in d.works("targets").out, d.out)
        for word in ("cpu", "LLVM", "L1", "threads", "memory", "features"):
            check(word in d.works("doctor").out, word)
        j = d.json("doctor")
        check(j["threads"] >= 1 and j["memory_bytes"] > 0 and isinstance(j["missing"], list), j)
        d.tcc("doctor", env={"PATH": "/nonexistent", "CC": ""})
        check(d.rc == 0 and "missing" in d.out and "apt-get install gcc" in d.out, d.out)


@test
def fmt():
    ugly = "# doc\nop   copy [ N ](X:f32[N])->(Y:f32[N]){Y[i]=X[i]} # end\n"
    with Dir(a__te=ugly, b__te=ugly, bad__te="op f(") as d:
        d.fails(1, "C035", "fmt", "--check", "a.te", says="a.te")
        check((d.path / "a.te").read_text() == ugly, "untouched")
        d.works("fmt", "a.te", "b.te")
        text = (d.path / "a.te").read_text()
        check("# doc\nop copy[N](X: f32[N]) -> (Y: f32[N])" in text and "# end" in text and text == (d.path / "b.te").read_text(), text)
        d.works("fmt", "--check", "a.te", "b.te")
        check(d.works("fmt", "-", stdin=ugly).out == text, d.out)
        check(d.json("fmt", "-", stdin=ugly).get("text") == text, d.out)
        check(d.json("fmt", "a.te")["files"] == [{"file": "a.te", "changed": False, "ok": True}], d.out)
        d.fails(1, "F", "fmt", "bad.te")
        d.write("a.sched", "schedule s for matmul @cpu{parallel C.i;unroll C . k;}")
        d.fails(1, "C035", "fmt", "--check", "a.sched", says="a.sched")
        d.works("fmt", "a.sched")
        d.works("fmt", "--check", "a.sched")
        check((d.path / "a.sched").read_text() == "schedule s for matmul @cpu {\n  parallel C.i;\n  unroll C.k;\n}\n", d.out)
        d.write("bad.sched", "schedule s for matmul { paralel C.i; }")
        d.fails(1, "S001", "fmt", "bad.sched", says="parallel S.L")
        d.fails(1, "R001", "compile", "a.sched")
        d.fails(2, "C010", "fmt")
        d.fails(1, "C014", "fmt", "none.te")
        check((d.path / "bad.te").read_text() == "op f(", "bad untouched")


@test
def bench_writes_results():
    with Dir(matmul__te=MATMUL) as d:
        d.works("bench", "matmul.te", "--input", "A=ones", "--input", "B=ones", "--min-time", "0", "--output", "C=c.npy", "--schedule", "none")
        check((np.load(d.path / "c.npy") == 8).all(), "C")


@test
def terminals_and_signals():
    with Dir(matmul__te=MATMUL, bad__te="op f(") as d:
        check("\033" not in d.tcc("compile", "bad.te").err, "colour into a pipe")
        script = shutil.which("script")
        if script:
            for env, want in (({}, True), ({"NO_COLOR": "1"}, False)):
                e = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
                p = subprocess.run([script, "-qec", f"{TCC} compile bad.te", "/dev/null"], cwd=d.path, capture_output=True, env=dict(e, **env), stdin=subprocess.DEVNULL)
                check((b"\033[" in p.stdout) == want, (env, p.stdout[:200]))
        p = subprocess.Popen([TCC, "bench", "matmul.te", "--min-time", "60"], cwd=d.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.7)
        p.send_signal(signal.SIGINT)
        try:
            check(p.wait(5) == -signal.SIGINT, p.returncode)
        except subprocess.TimeoutExpired:
            p.kill()
            check(False, "an interrupt did not end it")
        p.communicate()
        check(d.names() == ["bad.te", "matmul.te"], d.names())


@test
def damaged_artifacts():
    with Dir(copy__te=COPY) as d:
        d.works("compile", "copy.te", "-o", "whole.so")
        whole = (d.path / "whole.so").read_bytes()
        rng = random.Random(7)
        damaged = [whole[: rng.randrange(len(whole))] for _ in range(12)]
        for _ in range(12):
            at = rng.randrange(len(whole))
            damaged.append(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
        for i, bytes_ in enumerate(damaged):
            d.write("damaged.so", bytes_)
            d.tcc("run", "damaged.so", "--dim", "N=4", "--input", "X=iota")
            check(d.rc in (1, 2) and "error[" in d.err, (i, d.rc, d.err))
        d.write("cut.so", whole[:-49])  # stripped or linked by hand: no seal, but whole
        d.works("run", "cut.so", "--dim", "N=4", "--input", "X=iota")
        d.fails(2, "C042", "interp", "whole.so", "--dim", "N=4", "--input", "X=iota")
        d.tcc("run", "-", "--dim", "N=4", "--input", "X=iota", stdin=whole)
        check(d.rc == 2 and "C043" in d.err, d.err)
        d.works("compile", "copy.te", "-o", "args.so", env={"CC": "cc -O1"})
        d.tcc("compile", "copy.te", "-o", "z.so", env={"CC": "false"})
        check(d.rc == 3 and "status 1" in d.err, d.err)
        d.tcc("compile", "copy.te", "-o", "z.so", env={"TMPDIR": "nothing/there"})
        check(d.rc == 3 and "TMPDIR" in d.err, d.err)


@test
def interrupted_links():
    with Dir(copy__te=COPY) as d:
        (d.path / "tmp").mkdir()
        rng, ended = random.Random(3), 0
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) * 4:
            p = subprocess.Popen([TCC, "compile", "copy.te", "-o", "x.so"], cwd=d.path, env=dict(os.environ, TMPDIR=str(d.path / "tmp")),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.02, 0.2))
            p.send_signal(sig)
            ended += p.wait(20) == -sig
        left = [n for n in os.listdir(d.path / "tmp") if n.startswith("tensorcc-")]
        check(not left, left)


@test
def narrow_places():
    """Small stacks, files that may not grow, devices that do not end."""
    sum_ = " + ".join(["X[i]"] * 2000)
    with Dir(copy__te=COPY, long__te=f"op f[N](X: f32[N]) -> (Y: f32[N]) {{ Y[i] = {sum_} }}") as d:
        def limited(soft, *args):
            return subprocess.run(["sh", "-c", f'ulimit {soft}; exec "$0" "$@"', TCC, *args], cwd=d.path, capture_output=True, text=True)
        for args in (["compile", "long.te"], ["run", "long.te", "--check", "--dim", "N=4", "--input", "X=ones"], ["interp", "long.te", "--dim", "N=4", "--input", "X=ones"]):
            p = limited("-s 256", *args)
            check(p.returncode == 0, p.stderr[:200])
        before = d.names()
        p = limited("-f 10", "run", "copy.te", "--dim", "N=100000", "--input", "X=ones", "--output", "Y=y.npy")
        check(p.returncode == 1 and "C015" in p.stderr and "nothing was left" in p.stderr, p.stderr)
        check(d.names() == before, d.names())
        d.write("y.npy", b"older")
        p = limited("-f 10", "run", "copy.te", "--dim", "N=100000", "--input", "X=ones", "--output", "Y=y.npy")
        check("is as it was" in p.stderr and (d.path / "y.npy").read_bytes() == b"older", p.stderr)
        start = time.monotonic()
        d.fails(1, "C014", "run", "copy.te", "--dim", "N=4", "--input", "X=/dev/zero")
        d.fails(1, "C014", "run", "/dev/zero")
        check(time.monotonic() - start < 4, "endless input")
        lets = "".join(f"  let t{k}[i] = t{k - 1}[i] + t{k - 1}[i]\n" for k in range(1, 60))
        d.write("doubled.te", f"op f[N](X: f32[N]) -> (Y: f32[N]) {{\n  let t0[i] = X[i]\n{lets}  Y[i] = t59[i]\n}}\n")
        start = time.monotonic()
        d.works("compile", "doubled.te")
        check(time.monotonic() - start < 5, "lets that are read twice")


@test
def crashes():
    with Dir(matmul__te=MATMUL) as d:
        (d.path / "tmp").mkdir()
        p = subprocess.Popen([TCC, "bench", "matmul.te", "--min-time", "60"], cwd=d.path, env=dict(os.environ, TMPDIR=str(d.path / "tmp")),
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        p.send_signal(signal.SIGSEGV)
        err = p.communicate(timeout=20)[1]
        check(p.returncode == 70 and "C036" in err and "timing" in err, err)
        report = "".join(f.read_text() for f in (d.path / "tmp").glob("tcc-crash-*.txt"))
        check("stage: timing" in report and "bench matmul.te" in report and "op matmul" in report, report)


@test
def fused_terms():
    """Under `ordered` a product enters as one fma, whatever is packed."""
    with Dir(f__te="op f[D0, D1, D2](X: f32[D2,D1,D2]) -> (Y: f8e4m3[D1,D1,D0]) {\n"
             "  Y[a,b,c] = sum{k in 0..D1}(f8e4m3((X[(c+3)%D2,b-2,k-3 | f32(1)] + f32(k))) * f8e4m3(u8(5)))\n}\n") as d:
        d.works("run", "f.te", "--dim", "D0=4", "--dim", "D1=5", "--dim", "D2=1", "--numerics", "ordered", "--check", "--input", "X=random:1")


@test
def padding_by_conditions():
    """A mask half of which is known to be false, in vectors wider than registers."""
    text = "op f[D0, D1; pd: i32 = 2](X: f32[D0,D1]) -> (Y: f32[D0+2*pd,D1+2*pd]) {\n" \
           "  Y[i,j] = i >= pd && i < D0+pd && j >= pd && j < D1+pd ? X[i-pd,j-pd] : 1.0\n}\n"
    with Dir(f__te=text) as d:
        for n in (1, 3, 5, 12):
            d.write("x.npy", floats(2, n))
            for numerics in ("fast", "ordered"):
                d.works("run", "f.te", "--input", "X=x.npy", "--numerics", numerics, "--output", "Y=y.npy", "--check")
                check((d.load("y.npy") == np.pad(d.load("x.npy"), 2, constant_values=1)).all(), (n, numerics))


@test
def further_mistakes():
    """A syntax error does not hide what is wrong with the ops that could be read, and only that."""
    with Dir(many__te="""op a[N](X: f32[N]) -> (Y: f32[N]) {
  Y[i] = X[i +
}
op b[N](X: f32[N]) -> (Y: f32[N]) {
  Y[i] = Z[i] + foo(X[i])
}
op c[N](X: f32[N]) -> (Y: f32[N]) {
  Y[i] = X[i+1]
}
op good[N](const n: i32, X: f32[N]) -> (Y: f32[N]) {
  Y[i] = X[i]
}
""") as d:
        d.fails(1, "F001", "compile", "many.te", "--op", "c")
        for word in ("2:15: error[F001]", "5:10: error[N001]", "5:17: error[N009]", "8:12: error[B001]"):
            check(word in d.err, word)
        check(d.err.count("error[") == 4, d.err)


@test
def unused_lets():
    """What no result depends on is not computed, whatever the target and schedule: its gathers cannot fail."""
    with Dir(t__te="""op t[N](X: f32[N], I: i32[N]) -> (Y: f32[N]) {
  let u[i] = X[I[i]]
  let v[i] = u[i] + 1.0
  Y[i] = X[i] + 1.0
}
""", t__sched="schedule s for t { at u : v.i; split Y[i] by 4 -> io, ii; }\n") as d:
        np.save(d.path / "i.npy", np.array([0, 1, 100, -2], np.int32))
        for how in (["--target", "interp"], ["--schedule", "none"], ["--schedule", "default"], ["--schedule", "t.sched"], ["--check"],
                    ["--numerics", "ordered", "--check"]):
            d.works("run", "t.te", "--input", "X=ones", "--input", "I=i.npy", "--output", "Y=y.npy", *how)
            check((d.load("y.npy") == 2).all(), how)
        d.write("r.te", """op r[N,M](X: f32[N]) -> (Y: f32[N]) {
  let u = X[0] * 2.0
  let v = sum{k in 0..M}(u + 1.0)
  Y[i] = X[i]
}
""")
        d.write("r.sched", "schedule s for r { rfactor v.k -> part; }\n")
        d.works("run", "r.te", "--schedule", "r.sched", "--dim", "M=8", "--dim", "N=4", "--input", "X=ones", "--check")
        check("no result depends on it" in d.works("explain", "t.te", "--dim", "N=4").out, d.out)
        check(d.json("explain", "t.te", "--dim", "N=4")["flops"] == 4, d.out)


@test
def noise():
    """Nothing that is typed may crash it."""
    rng = np.random.default_rng(11)
    words = ["run", "compile", "bench", "fmt", "--dim", "--const", "--input", "--json", "-o", "--emit", "te", "M=4", "A=ones", "matmul.te", "-", "--", "=", "",
             "--op=matmul", "\xff", "%s%n", "--target", "cpu:", "interp", "A=random:" + "9" * 40, "--threads=-1", "x" * 5000, "--numerics", "ordered:99999999999"]
    with Dir(matmul__te=MATMUL) as d:
        for _ in range(60):
            args = [words[i] for i in rng.integers(0, len(words), rng.integers(0, 7))]
            if "bench" in args:
                args += ["--min-time", "0"]
            d.tcc(*args, stdin="")
            check(d.rc in (0, 1, 2, 3), f"{args}: exit {d.rc}: {d.err[:200]}")


def main():
    global TCC
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--tcc", default="build/tcc")
    ap.add_argument("-k", default="", help="only tests whose name holds this word")
    a = ap.parse_args()
    TCC = os.path.abspath(a.tcc)
    for t in TESTS:
        if a.k in t.__name__:
            try:
                t()
            except Exception as e:  # a test that breaks is a failure, the rest goes on
                check(False, f"{t.__name__}: {type(e).__name__}: {e}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
