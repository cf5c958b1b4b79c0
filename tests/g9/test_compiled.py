#!/usr/bin/env python3
"""Programs compiled for gpgpu: tests/golden/g9/NAME.te beside NAME.g9s, the assembly that comes out (`--update` writes it), each run against the
interpreter, as a program, as a .g9 file, and by tcc sim; what --json says; faults of the data; what is refused.
The first line of a program may hold options: `# options: --dim N=5`.
"""
import argparse
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "golden" / "g9"
passed, failed = 0, []


def check(ok, what):
    global passed
    passed += bool(ok)
    if not ok:
        failed.append(what)


def tcc(a, *args):
    return subprocess.run([a.tcc, *map(str, args)], capture_output=True, text=True, cwd=GOLDEN)


def options(path):
    first = path.read_text().split("\n", 1)[0]
    m = re.match(r"# options: (.*)", first)
    return shlex.split(m[1]) if m else []


def inputs(a, path):
    """Made-up inputs, and the numbers for scalars."""
    p = tcc(a, "compile", path.name, "--target", "interp")
    out = []
    for name, shape in re.findall(r"^  (?:const input|input|inout) +(\w+): \w+(\[.*\])?", p.stdout, re.M):
        out += ["--input", f"{name}={'random:3' if shape else 2}"]
    return out


def golden(a, path):
    p = tcc(a, "compile", path.name, "--target", "gpgpu", "--emit", "g9asm", *options(path))
    check(p.returncode == 0, f"{path.name}: {p.stderr}")
    text = re.sub(r'\.toolchain .*\n|\.plan "toolchain.*\n', "", p.stdout)
    want = path.with_suffix(".g9s")
    if a.update:
        want.write_text(text)
    check(want.exists() and want.read_text() == text, f"{path.name}: other assembly than {want.name}; --update writes it")


def runs(a, path, tmp):
    opts, given = options(path), inputs(a, path)
    for mode in (["--numerics", "ordered"], []):
        for target in ("gpgpu", "gpgpu:tiny"):
            p = tcc(a, "run", path.name, "--target", target, "--check", *mode, *opts, *given)
            check(p.returncode == 0 and "fail" not in p.stdout, f"{path.name} on {target} {mode}: {p.stdout}{p.stderr}")
    g9 = tmp / f"{path.stem}.g9"
    p = tcc(a, "compile", path.name, "--target", "gpgpu", "-o", g9, *opts)
    check(p.returncode == 0, f"{path.name} to {g9.name}: {p.stderr}")
    sizes = [x for o in opts if o != "--dim" and not o.endswith("=?") for x in ("--dim", o)] if "--dim" in opts else []
    p = tcc(a, "run", g9, "--check", *given, *sizes)
    check(p.returncode == 0, f"{g9.name}: {p.stdout}{p.stderr}")
    text = tmp / f"{path.stem}.s"
    check(tcc(a, "disasm", g9, "-o", text).returncode == 0 and tcc(a, "asm", text, "-o", tmp / "again.g9").returncode == 0 and
          (tmp / "again.g9").read_bytes() == g9.read_bytes(), f"{g9.name}: text and back")


def faults(a, tmp):
    (tmp / "pick.te").write_text("op pick[N, M](x: f32[N], id: i32[M]) -> (y: f32[M]) {\n  y[i] = x[id[i]]\n}\n")
    p = tcc(a, "run", tmp / "pick.te", "--target", "gpgpu", "--dim", "N=4", "--dim", "M=9", "--input", "x=ones", "--input", "id=iota")
    check(p.returncode == 1 and "R026" in p.stderr and "`pick`" in p.stderr and "x[id[i]]" in p.stderr and "4" in p.stderr, f"gather: {p.stderr}")
    (tmp / "by.te").write_text("op by[N](x: i32[N], y: i32[N]) -> (z: i32[N]) {\n  z[i] = x[i] / y[i]\n}\n")
    p = tcc(a, "run", tmp / "by.te", "--target", "gpgpu", "--dim", "N=4", "--input", "x=ones", "--input", "y=zeros")
    check(p.returncode == 1 and "R027" in p.stderr, f"division: {p.stderr}")


def tools(a, tmp):
    p = tcc(a, "bench", "axpy.te", "--target", "gpgpu", "--json")
    d = json.loads(p.stdout or "{}")
    want = "op target dims threads schedule schedule_source compile_ms ns_median ns_min ns_mad reps flops bytes gflops gbs peak_gflops peak_gbs " \
           "fraction_of_roof cycles instructions mma_utilisation dram_bytes occupancy stalls"
    check(p.returncode == 0 and not set(want.split()) - set(d), f"bench --json: {sorted(d)} {p.stderr}")
    check(abs(sum(d.get("stalls", {}).values()) - 1) < 1e-6 and d.get("cycles", 0) > 5000, f"bench: {d}")
    p = tcc(a, "run", "axpy.te", "--target", "gpgpu", "--json", *inputs(a, GOLDEN / "axpy.te"))
    check(p.returncode == 0 and json.loads(p.stdout)["cycles"] == d["cycles"], f"run --json: {p.stdout}{p.stderr}")
    tcc(a, "compile", "axpy.te", "--target", "gpgpu", "-o", tmp / "axpy.g9")
    for how in ("--check", "--timing"):
        p = tcc(a, "sim", tmp / "axpy.g9", "--grid", "32", how, "--input", "a=ones", "--input", "x=iota", "--input", "y=ones", "--input", "fault=zeros", "--dim",
                "N=1000")
        check("z: f32[1000]  range 1 .. 1000" in p.stdout, f"sim {how}: {p.stdout}{p.stderr}")
    for kind, code in (("llvm", "R045"), ("so", "R045")):
        p = tcc(a, "compile", "axpy.te", "--target", "gpgpu", "--emit", kind, "-o", tmp / "x")
        check(p.returncode == 1 and code in p.stderr, f"--emit {kind}: {p.stderr}")
    p = tcc(a, "compile", "axpy.te", "--emit", "g9asm")
    check(p.returncode == 1 and "R046" in p.stderr, f"--emit g9asm for cpu: {p.stderr}")
    broken = bytearray((tmp / "axpy.g9").read_bytes())
    broken[len(broken) // 2] ^= 1
    (tmp / "broken.g9").write_bytes(broken)
    p = tcc(a, "run", tmp / "broken.g9")
    check(p.returncode == 1 and "R033" in p.stderr, f"a broken file: {p.stderr}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--tcc", required=True)
    ap.add_argument("--update", action="store_true")
    a = ap.parse_args()
    a.tcc = str(pathlib.Path(a.tcc).resolve())
    with tempfile.TemporaryDirectory() as name:
        tmp = pathlib.Path(name)
        for path in sorted(GOLDEN.glob("*.te")):
            golden(a, path)
            runs(a, path, tmp)
        faults(a, tmp)
        tools(a, tmp)
    for line in failed:
        print("FAIL", line)
    print(f"{passed} passed, {len(failed)} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
