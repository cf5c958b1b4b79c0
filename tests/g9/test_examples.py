#!/usr/bin/env python3
"""The hand-written programs of examples/g9: each runs on made-up inputs in the checked mode and plainly on 1 and 2 threads, and its results are what
NumPy makes of the same inputs, bit for bit the same whatever the number of threads. The command in a program's first comment works too.
A program without an entry here fails.
"""
import argparse
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples" / "g9"
rng = np.random.default_rng(7)


def real(*shape, dtype=np.float32):
    return rng.uniform(-1, 1, shape).astype(dtype)


def whole(most, *shape, dtype=np.uint32):
    return rng.integers(0, most, shape).astype(dtype)


def collatz(x):
    steps = np.zeros_like(x)
    for i, v in enumerate(int(v) for v in x):
        while v > 1:
            v, steps[i] = (3 * v + 1 if v & 1 else v // 2), steps[i] + 1
    return steps


def product(A, B):
    return A.astype(np.float64) @ B.astype(np.float64)


def case(args, want, tolerance=0, **inputs):
    """args: of tcc sim; want: results by name from the inputs; tolerance: absolute, 0 for bit for bit."""
    return {"args": args, "want": want, "tolerance": tolerance, "inputs": inputs}


CASES = {
    "vadd": [case("--block 256 --grid 4", lambda a, b: {"c": a + b}, a=real(1000), b=real(1000)),
             case("--block 32 --grid 1 --machine tiny", lambda a, b: {"c": a + b}, a=real(5), b=real(5))],
    "matmul_naive": [case("--block 16,16 --grid 4,3", lambda A, B: {"C": product(A, B)}, 1e-5, A=real(40, 30), B=real(30, 50))],
    "matmul_tiled": [case("--grid 3,2", lambda A, B: {"C": product(A, B)}, 1e-5, A=real(32, 64), B=real(64, 48))],
    "matmul_mma": [case(f"--grid 3,2 --machine {m}", lambda A, B: {"C": product(A, B)}, 1e-5, A=real(32, 48, dtype=np.float16),
                        B=real(48, 24, dtype=np.float16)) for m in ("a100", "h100")],
    "transpose_naive": [case("--grid 3,2", lambda **k: {"out": k["in"].T}, **{"in": real(64, 96)})],
    "transpose_shared": [case("--grid 3,2", lambda **k: {"out": k["in"].T}, **{"in": real(64, 96)})],
    "transpose_padded": [case("--grid 3,2", lambda **k: {"out": k["in"].T}, **{"in": real(64, 96)})],
    "reduce": [case("--block 128 --grid 6", lambda x, out: {"out": [x.astype(np.float64).sum()]}, 1e-3, x=real(5000), out=np.zeros(1, np.float32))],
    "scan": [case("--grid 13", lambda x, state: {"y": np.cumsum(x, dtype=np.uint32)}, x=whole(1000, 3210), state=np.zeros(13, np.uint64))],
    "histogram": [case("--grid 5", lambda x, bins: {"bins": np.bincount(x, minlength=256).astype(np.uint32)}, x=whole(256, 9999, dtype=np.uint8),
                       bins=np.zeros(256, np.uint32))],
    "collatz": [case("--block 128 --grid 4", lambda x: {"steps": collatz(x)}, x=whole(100000, 500))],
    "bitonic": [case("", lambda x: {"y": np.sort(x)}, x=whole(2**32, 1024))],
}

passed, failed = 0, 0


def check(ok, what):
    global passed, failed
    passed += bool(ok)
    failed += not ok
    if not ok:
        print("FAIL", what)
    return ok


def sim(tcc, program, c, folder, extra, results):
    """The results of a run, and what it counted; None after a failure."""
    cmd = [tcc, "sim", str(program), "--json", *shlex.split(c["args"]), *shlex.split(extra)]
    for name, x in c["inputs"].items():
        np.save(folder / f"{name}.npy", x)
        cmd += ["--input", f"{name}={folder}/{name}.npy"]
    for name in results:
        cmd += ["--output", f"{name}={folder}/out_{name}.npy"]
    p = subprocess.run(cmd, capture_output=True, text=True, timeout=120)
    if not check(p.returncode == 0, f"{shlex.join(cmd)}: {p.stderr}"):
        return None
    counts = json.loads(p.stdout)
    del counts["host_ns"]
    return {n: np.load(folder / f"out_{n}.npy") for n in results}, {k: v for k, v in counts.items() if k != "check"}


def run(tcc, program, c, folder):
    want = c["want"](**c["inputs"])
    first, timed = None, None
    for extra in ("--threads 1", "--threads 2", "--threads 2 --check", "--threads 1 --timing --exact", "--threads 2 --timing --exact"):
        got = sim(tcc, program, c, folder, extra, want)
        if got is None:
            return
        first = first or got
        if "timing" in extra:
            timed = timed or got
            check(got[1] == timed[1], f"{program.name} {extra}: another history")
            check(abs(sum(got[1]["stalls"].values()) - 1) < 1e-9, f"{program.name} {extra}: stalls do not add up to 1")
        else:
            check(got[1] == first[1], f"{program.name} {extra}: other counts")
        for name, x in want.items():
            y = got[0][name]
            check(y.tobytes() == first[0][name].tobytes(), f"{program.name} {extra}: other bits in {name}")
            off = np.abs(y.astype(np.float64) - np.asarray(x, dtype=np.float64)).max()
            check(y.shape == np.shape(x) and off <= c["tolerance"], f"{program.name} {extra}: {name} is off by {off}")


def documented(tcc, program):
    """The command of the first comment."""
    m = re.search(r"^#\s+(tcc sim examples/.*)$", program.read_text(), re.M)
    if not check(m, f"{program.name} shows no command"):
        return
    p = subprocess.run([tcc, *shlex.split(m.group(1))[1:]], capture_output=True, text=True, timeout=120, cwd=ROOT)
    check(p.returncode == 0, f"{m.group(1)}: {p.stderr}")


def round_trip(tcc, program, folder):
    """Text → bytes → text → bytes: the same bytes, and the bytes run."""
    for step, source, to in (("asm", program, "a.g9"), ("disasm", folder / "a.g9", "a.s"), ("asm", folder / "a.s", "b.g9")):
        p = subprocess.run([tcc, step, str(source), "-o", str(folder / to)], capture_output=True, text=True)
        if not check(p.returncode == 0, f"{step} {program.name}: {p.stderr}"):
            return
    check((folder / "a.g9").read_bytes() == (folder / "b.g9").read_bytes(), f"{program.name}: other bytes after disasm and asm")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--tcc", default="build/tcc")
    tcc = str(pathlib.Path(ap.parse_args().tcc).resolve())
    with tempfile.TemporaryDirectory() as folder:
        for program in sorted(EXAMPLES.glob("*.s")):
            if check(program.stem in CASES, f"{program.name} has no check"):
                documented(tcc, program)
                round_trip(tcc, program, pathlib.Path(folder))
                for c in CASES[program.stem]:
                    run(tcc, program, c, pathlib.Path(folder))
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
