#!/usr/bin/env python3
"""Runs the test suites and adds up their counts. Each step is a command that prints `N passed, N failed` as (one of) its last lines; a step that ends
otherwise, or prints no count, counts as one failure. The last line printed is the total.

    run.py [--quick] [--only WORD] [--seed N]
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.chdir(ROOT)
PY = sys.executable
ACCEPT = ROOT.parent / "shared" / "accept" / "accept.py"


def units(build):
    return sorted(p for p in (ROOT / build / "tests").glob("test_*") if os.access(p, os.X_OK) and p.is_file())


def steps(quick):
    out = [("layers", [PY, "tests/layers.py"], 60)]
    for t in units("build"):
        out.append((t.name, [str(t)], 300))
    if (ROOT / "tests/cli/test_cli.py").exists():
        out.append(("cli", [PY, "tests/cli/test_cli.py", "--tcc", "build/tcc"], 600))
    if (ROOT / "tests/docs/test_docs.py").exists():
        out.append(("docs", [PY, "tests/docs/test_docs.py", "--tcc", "build/tcc"], 300))
    if (ROOT / "build/libtensorcc.so").exists():
        out.append(("benchmarks", [PY, "tests/bench/test_bench.py", "--lib", "build/libtensorcc.so"], 300))
    if (ROOT / "tests/g9/test_examples.py").exists():
        out.append(("g9 examples", [PY, "tests/g9/test_examples.py", "--tcc", "build/tcc"], 300))
    if (ROOT / "tests/g9/test_compiled.py").exists():
        out.append(("g9 compiled", [PY, "tests/g9/test_compiled.py", "--tcc", "build/tcc"], 300))
    if (ROOT / "tests/g9/test_timing.py").exists():
        out.append(("g9 timing", [PY, "tests/g9/test_timing.py", "--tcc", "build/tcc"], 300))
    if ACCEPT.exists():
        runs = [("cpu", "default", []), ("cpu", "none", ["--small"]), ("interp", "default", ["--small"]), ("interp", "none", ["--small"]),
                ("cpu", "auto", []), ("gpgpu", "default", ["--small"] if quick else []), ("gpgpu", "none", ["--small"]),
                ("gpgpu:tiny", "default", ["--small"]), ("gpgpu:h100", "default", ["--small"])]
        for target, schedule, extra in [*runs[:2], runs[5]] if quick else runs:
            out.append((f"accept {target} {schedule}", [PY, str(ACCEPT), "--tcc", "build/tcc", "--target", target, "--schedule", schedule, *extra], 900))
    else:
        print(f"skip: no acceptance runner at {ACCEPT}")
    if (ROOT / "build/tests/tcc-random").exists():
        n = 40 if quick else 300
        out.append((f"random x{n}", ["build/tests/tcc-random", "--count", str(n), "--seed", "1", "--quiet"], 1500))
        out.append((f"random gpgpu x{2 * n}", ["build/tests/tcc-random", "--count", str(2 * n), "--seed", "7000", "--target", "gpgpu", "--quiet"], 900))
        m = 15 if quick else 80
        out.append((f"random schedules x{m}", ["build/tests/tcc-random", "--count", str(m), "--seed", "600", "--schedules", "2", "--quiet"], 1500))
    for corpus in sorted((ROOT / "tests/corpus").glob("*")):
        if (ROOT / f"build/tests/fuzz_{corpus.name}").exists():
            out.append((f"corpus {corpus.name}", [f"build/tests/fuzz_{corpus.name}", str(corpus)], 300))
    if not quick:
        for t in units("build-asan"):
            if t.name not in ("test_math",):  # numerics over whole ranges: slow under ASan, and covered above
                out.append((f"asan {t.name}", [str(t)], 900))
        for corpus in sorted((ROOT / "tests/corpus").glob("*")):
            if (ROOT / f"build-asan/tests/fuzz_{corpus.name}").exists():
                out.append((f"asan corpus {corpus.name}", [f"build-asan/tests/fuzz_{corpus.name}", str(corpus)], 600))
        if (ROOT / "build-asan/tests/tcc-random").exists():
            out.append(("asan random", ["build-asan/tests/tcc-random", "--count", "20", "--seed", "90000", "--quiet"], 900))
        for name in ("test_threads", "test_pool"):
            if (ROOT / f"build-tsan/tests/{name}").exists():
                out.append((f"tsan {name}", [f"build-tsan/tests/{name}"], 300))
    return out


def run(name, cmd, limit):
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0", UBSAN_OPTIONS="print_stacktrace=1", TSAN_OPTIONS="halt_on_error=1",
               LSAN_OPTIONS=f"suppressions={ROOT}/tests/lsan.supp:print_suppressions=0")
    start = time.monotonic()
    try:
        p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=limit, env=env, stdin=subprocess.DEVNULL)
        text, code = p.stdout, p.returncode
    except subprocess.TimeoutExpired as e:
        text, code = (e.stdout or b"").decode(errors="replace") + f"\nno answer in {limit} s", -1
    took = time.monotonic() - start
    counts = re.findall(r"^(\d+) passed, (\d+) failed", text, re.M)
    ok, bad = (int(counts[-1][0]), int(counts[-1][1])) if counts else (0, 0)
    if (code != 0 or not counts) and bad == 0:
        bad = 1
    said = [f"{'ok  ' if bad == 0 else 'FAIL'} {name:<32} {ok:6d} passed {bad:4d} failed {took:7.1f} s"]
    if bad:
        said += ["     | " + x[:300] for x in text.strip().splitlines()[-40:]]
    print("\n".join(said), flush=True)
    return ok, bad


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--only", default="", help="only steps whose name holds this word")
    a = ap.parse_args()
    passed = failed = 0
    wanted = [s for s in steps(a.quick) if a.only in s[0]]
    # Sanitized steps measure no time, so they may share the machine; all others run alone.
    together = [s for s in wanted if s[0].startswith("asan ")]
    counts = [run(*s) for s in wanted if s not in together]
    with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        counts += pool.map(lambda s: run(*s), together)
    passed, failed = sum(ok for ok, _ in counts), sum(bad for _, bad in counts)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
