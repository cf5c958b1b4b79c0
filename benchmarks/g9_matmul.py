#!/usr/bin/env python3
"""The speed of the timing model: a matrix product written by hand for an A100 (128x128x32 tiles, four warps of 64x64, STAGES asynchronous stages,
swizzled shared memory), whose text this writes, timed with `tcc sim --timing`. Prints clocks, use of the matrix unit, and what the host took.

    g9_matmul.py [--tcc build/tcc] [--size N] [--machine M] [--threads N] [--exact] [--text]
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

STAGES, STAGE = 4, 16384  # a stage: 128 rows of 64 bytes of A, 32 rows of 256 bytes of B


def program():
    """Chunks of 16 bytes are swizzled: chunk c of row r of A lies at c ^ (r / 2 & 3), of B at c ^ (r & 7), so that eight rows of one chunk, and eight
    chunks of one row, are in different banks."""
    o = []

    def e(*lines):
        o.extend("  " + l if not l.startswith(".") and not l.endswith(":") else l for l in lines)

    e(".kernel matmul",
      ".param A: f16*[M,K]",
      ".param B: f16*[K,N]",
      ".param C: f32*[M,N]",
      ".param N: u32",
      ".param K: u32",
      ".block 128",
      f".shared s: {STAGES * STAGE}")
    e("s2r.b32 r0, tid.x",
      "lop3.b32 r1, r0, 31, rz, 0xc0 # lane",
      "shr.u32 r2, r0, 5 # warp",
      "lop3.b32 r3, r2, 1, rz, 0xc0 # wn",
      "shr.u32 r4, r2, 1 # wm")
    # ldm A bases r10 (s=0), r11 (s=1)
    e("lop3.b32 r5, r1, 15, rz, 0xc0",
      "lea.u32 r5, r4, r5, 6 # row",
      "shr.u32 r6, r1, 1",
      "lop3.b32 r6, r6, 3, rz, 0xc0",
      "shr.u32 r7, r1, 4")
    e("lop3.b32 r8, r7, r6, rz, 0x3c",
      "shl.u32 r8, r8, 4",
      "lea.u32 r10, r5, r8, 6",
      "lop3.b32 r11, r10, 32, rz, 0x3c")
    # ldm B bases r12..15
    e("shr.u32 r5, r1, 3 # tile",
      "lop3.b32 r6, r5, 1, rz, 0xc0",
      "lop3.b32 r7, r1, 7, rz, 0xc0",
      "lea.u32 r8, r6, r7, 3 # krow",
      "shr.u32 r9, r5, 1",
      "lop3.b32 r9, r9, r7, rz, 0x3c",
      "lea.u32 r9, r3, r9, 3 # chunk",
      "shl.u32 r9, r9, 4",
      "lea.u32 r12, r8, r9, 8",
      "iadd3.u32 r12, r12, 8192, rz")
    for j in (1,2,3): e(f"lop3.b32 r{12+j}, r12, {32*j}, rz, 0x3c")
    # copies: A dst r16, B dst r17
    e("shr.u32 r5, r0, 2",
      "lop3.b32 r6, r0, 3, rz, 0xc0",
      "shr.u32 r7, r5, 1",
      "lop3.b32 r7, r7, 3, rz, 0xc0",
      "lop3.b32 r7, r7, r6, rz, 0x3c",
      "shl.u32 r7, r7, 4",
      "lea.u32 r16, r5, r7, 6")
    e("s2r.b32 r8, ctaid.y",
      "lea.u32 r5, r8, r5, 7 # row of A",
      "imul.u32 r9, r5, p[K]",
      "lea.u32 r9, r6, r9, 3",
      "shl.u32 r20, r9, 1",
      "mov.b32 r9, p[K]",
      "shl.u32 r9, r9, 6")
    for q in (1,2,3): e(f"iadd3.u32 r{20+q}, r{19+q}, r9, rz")
    e("shr.u32 r5, r0, 4",
      "lop3.b32 r6, r0, 15, rz, 0xc0",
      "lop3.b32 r7, r5, r6, rz, 0x3c",
      "shl.u32 r7, r7, 4",
      "lea.u32 r17, r5, r7, 8",
      "iadd3.u32 r17, r17, 8192, rz")
    e("s2r.b32 r8, ctaid.x",
      "imul.u32 r9, r5, p[N]",
      "lea.u32 r9, r8, r9, 7",
      "lea.u32 r9, r6, r9, 3",
      "shl.u32 r24, r9, 1",
      "mov.b32 r9, p[N]",
      "shl.u32 r9, r9, 4")
    for q in (1,2,3): e(f"iadd3.u32 r{24+q}, r{23+q}, r9, rz")
    e("umov.b64 ur2, p[A]",
      "umov.b64 ur4, p[B]",
      "umov.b32 ur6, p[N]",
      "ushl.u32 ur6, ur6, 6 # B step",
      "umov.b32 ur7, 0",
      "umov.b32 ur8, 0 # write stage",
      "umov.b32 ur9, 0 # read stage",
      "umov.b32 ur10, p[K] # left to load")
    def load(tag):
        e(f"usetp.eq.u32 p1, ur10, 0",
      f"@p1 bra.uni skip{tag}",
      "iadd3.u32 r18, r16, ur8, rz",
      "iadd3.u32 r19, r17, ur8, rz")
        for q in range(4): e(f"cpa.b128.cg [r18+{2048*q}], [ur2+r{20+q}]")
        for q in range(4): e(f"cpa.b128.cg [r19+{2048*q}], [ur4+r{24+q}]")
        e("uadd3.u64 ur2, ur2, 64, urz",
      "uadd3.u64 ur4, ur4, ur6, urz",
      "uadd3.u32 ur10, ur10, -32, urz",
      "uadd3.u32 ur8, ur8, 16384, urz",
      f"usetp.eq.u32 p2, ur8, {STAGES * STAGE}",
      "usel.b32 ur8, urz, ur8, p2")
        e(f"skip{tag}:",
      "cpcommit")
    for i in range(0,128,2): e(f"mov.b64 r{64+i}, 0")
    for st in range(STAGES - 1): load(st)
    e("umov.b32 ur11, p[K]")
    e("loop:",
      f"cpwait {STAGES - 2}",
      "bar.sync 0")
    load("L")
    for s in range(2):
        for i in range(4): e(f"ldm.x4.b16 r{28+4*i}, [ur9+r{10+s}+{1024*i}]")
        for j in range(4): e(f"ldm.x4.t.b16 r{44+4*j}, [ur9+r{12+j}+{4096*s}]")
        for j in range(8):
            for i in range(4):
                a=64+4*(8*i+j)
                e(f"mma.m16n8k16.f32.f16.f16 r{a}, r{28+4*i}, r{44+2*j}, r{a}")
    e("uadd3.u32 ur9, ur9, 16384, urz",
      f"usetp.eq.u32 p2, ur9, {STAGES * STAGE}",
      "usel.b32 ur9, urz, ur9, p2",
      "uadd3.u32 ur11, ur11, -32, urz",
      "usetp.ne.u32 p0, ur11, 0",
      "@p0 bra.uni loop")
    # epilogue: row = bm*128 + wm*64 + lane/4 (+16i, +8), col = bn*128 + wn*64 + (lane&3)*2 + 8j
    e("s2r.b32 r5, ctaid.y",
      "shl.u32 r5, r5, 7",
      "lea.u32 r5, r4, r5, 6",
      "shr.u32 r6, r1, 2",
      "iadd3.u32 r5, r5, r6, rz",
      "s2r.b32 r7, ctaid.x",
      "shl.u32 r7, r7, 7",
      "lea.u32 r7, r3, r7, 6",
      "lop3.b32 r8, r1, 3, rz, 0xc0",
      "lea.u32 r7, r8, r7, 1",
      "imad.u32 r7, r5, p[N], r7",
      "shl.u32 r7, r7, 2",
      "umov.b64 ur12, p[C]",
      "mov.b32 r9, p[N]",
      "shl.u32 r9, r9, 5")
    for i in range(4):
        for h in range(2):
            for j in range(8):
                a=64+4*(8*i+j)+2*h
                e(f"stg.b64 [ur12+r7+{32*j}], r{a}")
            e("iadd3.u32 r7, r7, r9, rz")
    e("exit")
    return "\n".join(o) + "\n"


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--tcc", default="build/tcc")
    ap.add_argument("--size", type=int, default=4096, help="a multiple of 128")
    ap.add_argument("--machine", default="a100")
    ap.add_argument("--threads", default="1")
    ap.add_argument("--exact", action="store_true")
    ap.add_argument("--text", action="store_true", help="print the program and do nothing else")
    arg = ap.parse_args()
    if arg.text:
        print(program(), end="")
        return
    n = str(arg.size)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "matmul.s"
        file.write_text(program())
        cmd = [arg.tcc, "sim", str(file), "--machine", arg.machine, "--grid", f"{arg.size // 128},{arg.size // 128}", "--threads", arg.threads, "--timing", "--json"]
        cmd += ["--dim", "M=" + n, "--dim", "N=" + n, "--dim", "K=" + n, "--input", "A=zeros", "--input", "B=zeros"] + ["--exact"] * arg.exact
        start = time.monotonic()
        r = json.loads(subprocess.run(cmd, capture_output=True, text=True, check=True).stdout)
    timed = r["instructions"] * r["blocks_timed"] / r["blocks"]
    print(f"{n}^3 on {arg.machine}: {r['cycles']} clocks, {2 * arg.size**3 / r['ns'] / 1000:.1f} TFLOP/s, matrix unit {100 * r['mma_utilisation']:.1f}%")
    print(f"  {time.monotonic() - start:.1f} s of the host for {r['blocks_timed']} of {r['blocks']} blocks: {timed / r['host_ns'] * 1000:.2f} M instructions/s;"
          f" estimated error {100 * r['error_estimate']:.1f}%")


if __name__ == "__main__":
    main()
