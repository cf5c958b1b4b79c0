#!/usr/bin/env python3
"""The timing model against the machine file: microbenchmarks in G9 text measure latencies, intervals, bandwidths, bank conflicts, sectors, capacities and
occupancy, and must find the file's numbers within 3%; on the shipped machines and on one whose numbers were changed. A measurement is a slope, between a
short and a long run, so that launch, start and end cancel out. Prints a table.
"""
import argparse
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WITHIN = 0.03
passed, failed, table = 0, 0, []


def check(ok, what):
    global passed, failed
    passed += bool(ok)
    failed += not ok
    if not ok:
        print("FAIL", what)
    return ok


def read_machine(text):
    """The part of YAML that machine files use."""
    m, section = {"mma": []}, None
    for line in text.splitlines():
        line = line.split("#")[0].rstrip()
        row = re.fullmatch(r"\s+- \{(.*)\}", line)
        pipe = re.fullmatch(r"  (\w+): \{(.*)\}", line)
        pairs = lambda s: {k: int(v) if v.isdigit() else v for k, v in re.findall(r"(\w+): (\w+)", s)}
        if row:
            m["mma"].append(pairs(row[1]))
        elif pipe:
            m[section][pipe[1]] = pairs(pipe[2])
        elif m2 := re.fullmatch(r"(\w+):", line):
            section = m2[1]
            if section != "mma":
                m[section] = {}
        elif m2 := re.fullmatch(r"  (\w+): (\d+)", line):
            m[section][m2[1]] = int(m2[2])
    return m


class Machine:
    def __init__(self, tcc, name, path, folder):
        self.tcc, self.name, self.path, self.folder = tcc, name, path, folder
        self.m = read_machine(pathlib.Path(path).read_text())
        self.warp, self.subs = self.m["chip"]["warp"], self.m["sm"]["subcores"]

    def run(self, text, grid=1, block=None, extra=()):
        """What `tcc sim --timing --exact --json` says of a kernel."""
        file = self.folder / "bench.s"
        file.write_text(text)
        cmd = [self.tcc, "sim", str(file), "--machine", str(self.path), "--grid", str(grid), "--block", str(block or self.warp), "--timing", "--exact",
               "--json", *extra]
        p = subprocess.run(cmd, capture_output=True, text=True, timeout=300)
        if p.returncode:
            raise RuntimeError(f"{' '.join(cmd)}: {p.stderr[:1000]}\n{text[:600]}")
        return json.loads(p.stdout)

    def cycles(self, *a, **k):
        return self.run(*a, **k)["cycles"]

    def slope(self, make, short, long, **k):
        return (self.cycles(make(long), **k) - self.cycles(make(short), **k)) / (long - short)

    def expect(self, what, want, got, within=WITHIN):
        off = got / want - 1 if want else got
        table.append((self.name, what, want, got, off))
        check(abs(off) <= within, f"{self.name}: {what}: {got:.3f}, the machine file says {want:.3f}")


def kernel(body, head="", after=""):
    return f".kernel bench\n{head}\n{body}\n{after}  exit\n"


def repeat(n, *lines):
    """Instruction i is lines[i % len(lines)] with {i} filled in."""
    return "\n".join("  " + lines[i % len(lines)].replace("{i}", str(i)) for i in range(n))


# An instruction of each pipe, as a chain and as independent ones: d is its destination, and its own source in the chain.
PIPES = {
    "int": "iadd3.u32 r{d}, r{s}, r1, rz", "imul": "imul.u32 r{d}, r{s}, r1", "fp32": "fadd.f32 r{d}, r{s}, r1", "fp16": "fadd.f16x2 r{d}, r{s}, r1",
    "fp64": "fadd.f64 r{d}, r{s}, r2", "sfu": "ex2.f32 r{d}, r{s}", "uniform": "uadd3.u32 ur{d}, ur{s}, ur1, urz",
}


def pipes(x):
    for pipe, text in PIPES.items():
        t = x.m["pipes"][pipe]
        chain = text.replace("{d}", "4").replace("{s}", "4")
        x.expect(f"{pipe} latency", t["latency"], x.slope(lambda n: kernel(repeat(n, chain)), 50, 150))
        many = [text.replace("{d}", str(8 + 2 * i)).replace("{s}", "4") for i in range(16)]
        warps = 4 * x.subs
        got = x.slope(lambda n: kernel(repeat(n, *many)), 64, 192, block=warps * x.warp) * x.subs / warps
        x.expect(f"{pipe} interval", max(t["interval"] / t["count"], 1 / x.m["sm"]["issue"]), got)
    jumps = lambda n: kernel("\n".join(f"  bra l{i}\nl{i}:" for i in range(n)))
    x.expect("jump latency", x.m["pipes"]["control"]["latency"], x.slope(jumps, 50, 150))
    x.expect("launch", x.m["chip"]["launch"] + 1, x.cycles(kernel("")))


def register_banks(x):
    banks, reads, t = x.m["sm"]["banks"], x.m["sm"]["reads"], x.m["pipes"]["fp32"]
    for name, regs in (("one bank", [banks * i for i in range(1, 4)]), ("two banks", [banks, 2 * banks, banks + 1 if banks > 1 else banks])):
        most = max(sum(r % banks == s % banks for r in set(regs)) for s in regs)
        line = f"ffma.f32 r{{d}}, r{regs[0]}, r{regs[1]}, r{regs[2]}"
        many = [line.replace("{d}", str(40 + i)) for i in range(16)]
        warps = 4 * x.subs
        got = x.slope(lambda n: kernel(repeat(n, *many)), 64, 192, block=warps * x.warp) * x.subs / warps
        x.expect(f"ffma, operands in {name}", t["interval"] + (most - 1) // reads, got)


def registers(x, row, f):
    """Registers of a fragment."""
    bits = {"f16": 16, "bf16": 16, "tf32": 32, "f32": 32, "s32": 32, "s8": 8, "u8": 8, "s4": 4, "u4": 4, "e4m3": 8, "e5m2": 8}
    m, n, k = (int(v) for v in re.fullmatch(r"m(\d+)n(\d+)k(\d+)", row["shape"]).groups())
    elements = {"d": m * n, "a": m * k, "b": n * k}[f]
    return max(1, elements * bits[row[f]] // 32 // x.warp)


MANY = ".registers 248"


def matrices(x):
    seen = set()
    for row in x.m["mma"]:
        if row.get("sparse") or (row["shape"], bool(row.get("group"))) in seen:
            continue
        seen.add((row["shape"], bool(row.get("group"))))
        if row.get("group"):
            group_products(x, row)
            continue
        text = "mma.{shape}.{d}.{a}.{b}".format(**row)
        chain = f"{text} r64, r32, r48, r64"
        x.expect(f"{text} latency", row["latency"], x.slope(lambda n: kernel(repeat(n, chain), MANY), 20, 60))
        step = (registers(x, row, "d") + 3) // 4 * 4
        many = [f"{text} r{64 + step * i}, r32, r48, r{64 + step * i}" for i in range(min(8, 180 // step))]
        got = x.slope(lambda n: kernel(repeat(n, *many), MANY), 64, 192, block=x.subs * x.warp)
        x.expect(f"{text} interval", row["interval"] / x.m["pipes"]["mma"]["count"], got)


def group_products(x, row):
    text = "wgmma.{shape}.{d}.{a}.{b}".format(**row)
    head = ".shared s: 65536\n"
    setup = "  mov.b64 r4, 0\n"
    one = f"  {text} r64, r4, r4, pt\n"
    together = lambda n: kernel(setup + "  wgfence\n" + one * n + "  wgcommit\n  wgwait 0\n", head)
    x.expect(f"{text} interval", row["interval"], x.slope(together, 20, 60, block=4 * x.warp))
    apart = lambda n: kernel(setup + ("  wgfence\n" + one + "  wgcommit\n  wgwait 0\n") * n, head)
    got = x.slope(apart, 20, 60, block=4 * x.warp)
    t = x.m["pipes"]["mma"]
    check(row["latency"] <= got <= row["latency"] + 3 * t["interval"] + 4, f"{x.name}: {text} latency: {got}, the machine file says {row['latency']}")


BASE = ".param x: f32*[N]\n  umov.b64 ur2, p[x]\n  mov.b32 r4, 0\n"


def latencies(x):
    l1, l2, dram = x.m["l1"]["latency"], x.m["l2"]["latency"], x.m["dram"]["latency"]
    data = ("--dim", "N=262144", "--input", "x=zeros")
    x.expect("shared latency", x.m["shared"]["latency"], x.slope(lambda n: kernel(repeat(n, "lds.b32 r4, [r4]"), ".shared s: 128\n  mov.b32 r4, 0"), 50, 150))
    x.expect("L1 latency", l1, x.slope(lambda n: kernel(repeat(n, "ldg.b32 r4, [ur2+r4]"), BASE), 50, 150, extra=data))
    x.expect("L2 latency", l2, x.slope(lambda n: kernel(repeat(n, "ldg.b32.cg r4, [ur2+r4]"), BASE), 50, 150, extra=data))
    step = 4 * x.m["l2"]["line"]
    far = lambda n: kernel("\n".join(f"  ldg.b32.cg r4, [ur2+r4+{i * step}]" for i in range(n)), BASE)
    x.expect("DRAM latency", l2 + dram, x.slope(far, 50, 150, extra=data))
    if x.m["chip"]["copy"]:
        copy = lambda n: kernel("  cpa.b32.cg [r4], [ur2+r4]\n  cpcommit\n  cpwait 0\n" * n, ".shared s: 128\n" + BASE)
        got = x.slope(copy, 50, 150, extra=data)
        check(l2 <= got <= l2 + 2 * x.m["pipes"]["async"]["interval"] + 6, f"{x.name}: copy latency {got}, that of the second level is {l2}")


LANE = "  s2r.b32 r5, laneid\n  s2r.b32 r6, warpid\n"


def shared_banks(x):
    """Clocks of one load of a warp whose lanes are `stride` words apart."""
    banks, lsu = x.m["shared"]["banks"], x.m["pipes"]["lsu"]
    for stride in (0, 1, 2, 3, 4, 8, banks, banks + 1):
        words = {}
        lanes_at_once = min(x.warp, banks)
        for lane in range(lanes_at_once):
            words.setdefault(lane * stride % banks, set()).add(lane * stride)
        clocks = max(len(w) for w in words.values()) * (x.warp // lanes_at_once)
        if 4 * stride * x.warp > x.m["shared"]["block"]:
            continue
        head = f".shared s: {max(4 * stride * x.warp, 128)}\n{LANE}  imul.u32 r5, r5, {4 * stride}\n"
        many = [f"lds.b32 r{16 + i}, [r5]" for i in range(16)]
        warps = 4 * x.subs
        r = [x.run(kernel(repeat(n, *many), head), block=warps * x.warp) for n in (64, 192)]
        got = (r[1]["cycles"] - r[0]["cycles"]) / 128 / warps
        x.expect(f"shared load of stride {stride}", max(clocks, lsu["interval"] / lsu["count"] / x.subs), got)
        check(r[1]["counters"]["shared_clocks"] == 192 * warps * clocks, f"{x.name}: stride {stride}: shared_clocks")


def bandwidths(x):
    c, l1, l2, dram = x.m["chip"], x.m["l1"], x.m["l2"], x.m["dram"]
    fit = x.m["sm"]["registers"] // x.subs // (-(-48 * x.warp // x.m["sm"]["unit"]) * x.m["sm"]["unit"]) * x.subs
    sms, warps = c["sms"], min(x.m["sm"]["warps"], x.m["sm"]["threads"] // x.warp, fit)
    block, at_once = warps * x.warp, x.warp * 16
    lsu = x.m["pipes"]["lsu"]
    issue = at_once * lsu["count"] * x.subs / lsu["interval"]
    # A thread's part of x: 16 bytes of each `block * grid` of them.
    head = (".param x: f32*[N]\n  s2r.b32 r0, ctaid.x\n  s2r.b32 r1, ntid.x\n  s2r.b32 r2, tid.x\n  imad.u32 r0, r0, r1, r2\n  shl.u32 r0, r0, 4\n"
            "  umov.b64 ur2, p[x]\n")
    many = [f"ldg.b128 r{16 + 4 * i}, [ur2+r2]" for i in range(8)]
    in_l1 = lambda n: kernel(repeat(n, *many), head + "  s2r.b32 r2, laneid\n  shl.u32 r2, r2, 4\n")
    got = at_once * warps / x.slope(in_l1, 64, 192, block=block, extra=("--dim", f"N={4 * x.warp}", "--input", "x=zeros"))
    x.expect("L1 bytes a clock", min(l1["width"], issue), got)
    total, per_step = sms * block, sms * block * 16

    def streams(steps, hint, wrap):
        return kernel("\n".join(f"  ldg.b128{hint} r{16 + 4 * (i % 8)}, [ur2+r0+{i % wrap * per_step}]" for i in range(steps)), head)

    steps = max(1, l2["bytes"] // 2 // per_step)
    got = per_step / x.slope(lambda n: streams(n, ".cg", steps), 12 * steps, 36 * steps, block=block, grid=sms,
                             extra=("--dim", f"N={4 * total * steps}", "--input", "x=zeros"))
    x.expect("L2 bytes a clock", min(l2["slices"] * l2["width"], sms * l2["port"], sms * l1["width"]), got)
    n = max(16, 2 * x.m["l2"]["bytes"] // per_step)
    n = min(n, (1 << 30) // per_step)
    got = per_step / x.slope(lambda k: streams(k, "", 1 << 30), n // 4, n, block=block, grid=sms, extra=("--dim", f"N={4 * total * n}", "--input", "x=zeros"))
    x.expect("DRAM GB/s", dram["gbs"], got * c["mhz"] / 1000)


def sectors(x):
    for stride in (1, 2, 4, 8, 16, 32, 33):
        lines = {lane * stride * 4 // x.m["l1"]["sector"] for lane in range(x.warp)}
        r = x.run(kernel("  ldg.b32 r6, [ur2+r5]\n", BASE + LANE + f"  imul.u32 r5, r5, {4 * stride}\n"), extra=("--dim", "N=8192", "--input", "x=zeros"))
        check(r["sectors_per_request"] == len(lines), f"{x.name}: stride {stride}: {r['sectors_per_request']} sectors, not {len(lines)}")
        check(r["dram_bytes"] == len(lines) * x.m["l2"]["sector"], f"{x.name}: stride {stride}: {r['dram_bytes']} bytes of DRAM")


def capacities(x):
    """Two passes over what fits find everything again; over twice as much, nothing (the oldest line goes first)."""
    for level, hint, rate in (("l1", "", "l1_hit_rate"), ("l2", ".cg", "l2_hit_rate")):
        size, line = x.m[level]["bytes"], x.m[level]["line"]
        if size > 1 << 20:
            continue
        for part, want in ((1, 0.5), (2, 0)):
            n = part * size // line
            body = "\n".join(f"  ldg.b32{hint} r{16 + i % 64}, [ur2+r4+{i * line}]" for _ in range(2) for i in range(n))
            r = x.run(kernel(body, BASE), extra=("--dim", f"N={n * line // 4}", "--input", "x=zeros"))
            check(abs(r[rate] - want) < 0.02, f"{x.name}: {level}, {part} times its size: {r[rate]} found, not {want}")


def atomics(x):
    lanes = "  redg.add.u32 [ur2+r4], r5\n"
    got = x.slope(lambda n: kernel(lanes * n, BASE), 64, 192, block=4 * x.warp, extra=("--dim", "N=32", "--input", "x=zeros")) / 4
    lsu = x.m["pipes"]["lsu"]
    x.expect("atomics on one word, each lane", x.m["l2"]["atomic"], got / x.warp)
    got = x.slope(lambda n: kernel("  reds.add.u32 [r4], r5\n" * n, ".shared s: 128\n  mov.b32 r4, 0"), 64, 192, block=4 * x.warp) / 4
    x.expect("shared atomics on one word", max(1 + (x.warp - 1) * x.m["shared"]["atomic"], lsu["interval"] / x.subs), got)


def occupancy(x):
    sm, shared = x.m["sm"], x.m["shared"]
    for regs, warps, bytes_ in itertools.product((16, 40, 64, 128, 250), (1, 2, 4, 5), (0, 3000)):
        per_warp = -(-regs * x.warp // sm["unit"]) * sm["unit"]
        by_regs = sm["registers"] // x.subs // per_warp * x.subs // warps
        want = min(sm["warps"] // warps, sm["blocks"], by_regs)
        if bytes_:
            want = min(want, shared["bytes"] // (-(-bytes_ // shared["unit"]) * shared["unit"]))
        if not want:
            continue
        head = f".registers {regs}\n" + (f".shared s: {bytes_}\n" if bytes_ else "")
        work = kernel(repeat(300, "fadd.f32 r4, r4, r4"), head)
        full = x.m["chip"]["sms"] * want
        one = x.run(work, grid=full, block=warps * x.warp)
        check(one["blocks_per_multiprocessor"] == want, f"{x.name}: {regs} registers, {warps} warps: {one['blocks_per_multiprocessor']} blocks, not {want}")
        if regs == 64 and not bytes_:
            launch = x.m["chip"]["launch"]
            two = x.run(work, grid=full + 1, block=warps * x.warp)
            more = (two["cycles"] - one["cycles"]) / (300 * x.m["pipes"]["fp32"]["latency"])
            check(more > 0.97, f"{x.name}: a block more than fit adds {more} times a block's time")
            check(one["cycles"] > launch, f"{x.name}: launch")


def consistent(x):
    """Shares add up to 1, clocks do not depend on host threads, and the trace is one."""
    program, extra = ROOT / "examples/g9/matmul_tiled.s", ("--dim", "M=64", "--dim", "N=64", "--dim", "K=64", "--input", "A=random:1", "--input", "B=random:2")
    if x.m["sm"]["threads"] < 256:
        program, extra = ROOT / "examples/g9/vadd.s", ("--dim", "N=4000", "--input", "a=iota", "--input", "b=ones")
    trace, got = x.folder / "trace.json", []
    for threads in ("1", "2", "1"):
        cmd = [x.tcc, "sim", str(program), "--machine", str(x.path), "--grid", "4,4" if "tiled" in program.name else "63", "--timing", "--exact", "--json",
               "--threads", threads, "--trace", str(trace), *extra]
        p = subprocess.run(cmd + (["--block", "64"] if "vadd" in program.name else []), capture_output=True, text=True, timeout=100)
        if not check(p.returncode == 0, p.stderr):
            return
        got.append({k: v for k, v in json.loads(p.stdout).items() if k != "host_ns"} | {"trace": trace.read_text()})
    check(got[0] == got[1] == got[2], f"{x.name}: another history on two threads")
    check(abs(sum(got[0]["stalls"].values()) - 1) < 1e-9, f"{x.name}: stalls add up to {sum(got[0]['stalls'].values())}")
    events = json.loads(got[0]["trace"])["traceEvents"]
    last, rows = {}, 0
    for e in sorted((e for e in events if e.get("cat") in ("instruction", "stall")), key=lambda e: e["ts"]):
        row = (e["pid"], e["tid"])
        check(e["ts"] >= last.get(row, 0) - 1e-5, f"{x.name}: {e} overlaps what was before it")
        last[row] = e["ts"] + e["dur"]
        rows += 1
    check(rows > 100 and any(e.get("cat") == "block" for e in events), f"{x.name}: the trace lacks instructions or blocks")


def extrapolated(x):
    """A large uniform launch: near what --exact says, within the stated error or 3%, and said to be so."""
    head = BASE + "  s2r.b32 r0, ctaid.x\n  s2r.b32 r1, ntid.x\n  s2r.b32 r2, tid.x\n  imad.u32 r0, r0, r1, r2\n  shl.u32 r0, r0, 2\n"
    body = repeat(40, "ffma.f32 r{i}, r4, r4, r4".replace("{i}", "6")) + "\n  ldg.b32 r8, [ur2+r0]\n  fadd.f32 r8, r8, r6\n  stg.b32 [ur2+r0], r8\n"
    block, grid = 4 * x.warp, 45000
    extra = ("--dim", f"N={block * grid}", "--input", "x=zeros")
    exact = x.run(kernel(body, head), grid=grid, block=block, extra=extra)
    for output in ((), ("--output", f"x={x.folder}/x.npy")):
        file = x.folder / "bench.s"
        cmd = [x.tcc, "sim", str(file), "--machine", str(x.path), "--grid", str(grid), "--block", str(block), "--timing", "--json", *extra, *output]
        r = json.loads(subprocess.run(cmd, capture_output=True, text=True, timeout=300, check=True).stdout)
        off = r["cycles"] / exact["cycles"] - 1
        check(r["extrapolated"] and r["blocks_timed"] < r["blocks"] == grid, f"{x.name}: not extrapolated: {r['blocks_timed']} of {r['blocks']}")
        check(abs(off) <= max(r["error_estimate"], WITHIN), f"{x.name}: extrapolation is off by {off}, estimated {r['error_estimate']}")
        check(abs(r["instructions"] / exact["instructions"] - 1) < 1e-3, f"{x.name}: {r['instructions']} instructions, not {exact['instructions']}")
        check(abs(r["dram_bytes"] / exact["dram_bytes"] - 1) < 0.05, f"{x.name}: {r['dram_bytes']} bytes of DRAM, not {exact['dram_bytes']}")
        table.append((x.name, "extrapolated launch, cycles", exact["cycles"], r["cycles"], off))
    check(not exact["extrapolated"] and exact["blocks_timed"] == grid and exact["error_estimate"] == 0, f"{x.name}: --exact is not")


def refused(tcc):
    """Options that make no sense together."""
    for options, code, says in ((["--exact"], 2, "C049"), (["--trace", "t.json"], 2, "C049"), (["--timing", "--check"], 1, "checked or timed")):
        p = subprocess.run([tcc, "sim", str(ROOT / "examples/g9/bitonic.s"), "--input", "x=random:1", *options], capture_output=True, text=True, timeout=60)
        check(p.returncode == code and says in p.stderr, f"{options}: {p.returncode}: {p.stderr}")


def documented():
    """Every row of timings.def stands in docs/timing.md."""
    rows, doc = (ROOT / "runtime/sim/timings.def").read_text(), (ROOT / "docs/timing.md").read_text().splitlines()
    found = re.findall(r'^(\w+)\((\w+),\s+(?:"(\w+)",\s+)?"(.*)"\)$', rows, re.M)
    check(len(found) == len(re.findall(r"^[A-Z]+\(", rows, re.M)), "a row of timings.def has another form")
    for kind, ident, name, what in found:
        row = f"| `{name}` | {what} |" if name else f"| {ident.lower()} | {what} |"
        check(row in doc, f"docs/timing.md lacks: {row}")


def changed(text):
    """Other numbers than any shipped machine has."""
    pairs = [("launch: 100", "launch: 777"), ("  latency: 10\n", "  latency: 17\n"), ("  latency: 12\n", "  latency: 31\n"), ("  latency: 60\n", "  latency: 101\n"),
             ("  latency: 40\n", "  latency: 77\n"), ("gbs: 32", "gbs: 23"), ("int: {count: 1, latency: 4, interval: 2}", "int: {count: 2, latency: 9, interval: 6}"),
             ("sfu: {count: 1, latency: 12, interval: 8}", "sfu: {count: 1, latency: 19, interval: 5}"), ("name: tiny", "name: changed"),
             ("latency: 10, interval: 4}", "latency: 23, interval: 7}"), ("  warps: 16", "  warps: 12")]
    for a, b in pairs:
        assert a in text, a
        text = text.replace(a, b)
    return text


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--tcc", default="build/tcc")
    ap.add_argument("--table", action="store_true", help="print all measurements")
    ap.add_argument("--machine", help="only this one")
    arg = ap.parse_args()
    documented()
    refused(str(pathlib.Path(arg.tcc).resolve()))
    tcc = str(pathlib.Path(arg.tcc).resolve())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "changed.yaml").write_text(changed((ROOT / "isa/machines/tiny.yaml").read_text()))
        files = {n: ROOT / f"isa/machines/{n}.yaml" for n in ("tiny", "v100", "a100", "h100")} | {"changed": folder / "changed.yaml"}
        for name, path in files.items():
            if arg.machine and name != arg.machine:
                continue
            x = Machine(tcc, name, path, folder)
            for part in (pipes, register_banks, matrices, latencies, shared_banks, bandwidths, sectors, capacities, atomics, occupancy, consistent,
                         *([extrapolated] if name == "tiny" else [])):
                try:
                    part(x)
                except RuntimeError as e:
                    check(False, f"{name}: {part.__name__}: {e}")
    if arg.table or failed:
        for name, what, want, got, off in table:
            print(f"{name:8} {what:40} {want:10.2f} {got:10.2f} {100 * off:+6.1f}%")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
