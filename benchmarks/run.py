#!/usr/bin/env python3
"""Times tcc beside peers on the same inputs, interleaved, in one run; prints medians and ratios, keeps the raw samples as JSON.

    run.py [--cases WORD] [--rounds N] [--threads N] [--out FILE.json]

The peer is PyTorch when it can be imported (`pip install torch` in a virtual environment; tests never need it), else NumPy. tcc is
called through libtensorcc's C API (ctypes), so both sides pay one call from Python for each sample of several repetitions.
"""
import argparse
import ctypes as C
import json
import os
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
import numpy as np

try:
    import torch
except ImportError:
    torch = None


class Device(C.Structure):
    _fields_ = [("type", C.c_int32), ("id", C.c_int32)]


class DType(C.Structure):
    _fields_ = [("code", C.c_uint8), ("bits", C.c_uint8), ("lanes", C.c_uint16)]


class Tensor(C.Structure):
    _fields_ = [("data", C.c_void_p), ("device", Device), ("ndim", C.c_int32), ("dtype", DType), ("shape", C.POINTER(C.c_int64)),
                ("strides", C.POINTER(C.c_int64)), ("byte_offset", C.c_uint64)]


class Value(C.Structure):
    _fields_ = [("name", C.c_char_p), ("value", C.c_char_p)]


class CompileOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("op", C.c_char_p), ("target", C.c_char_p), ("schedule", C.c_char_p),
                ("numerics", C.c_char_p), ("ndims", C.c_int32), ("nconsts", C.c_int32), ("dims", C.POINTER(Value)), ("consts", C.POINTER(Value)),
                ("threads", C.c_int32)]


class ContextOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("on_diagnostic", C.c_void_p), ("user", C.c_void_p), ("pool", C.c_void_p), ("threads", C.c_int32),
                ("colour", C.c_int32)]


class Kernel:
    """One op compiled by tcc, called on NumPy arrays."""

    def __init__(self, lib, text, op, dims, consts, threads):
        self.lib = lib
        lib.tensorcc_message.restype = C.c_char_p
        opt = ContextOptions(C.sizeof(ContextOptions), None, None, None, threads, 0)
        self.ctx, self.mod, self.k = C.c_void_p(), C.c_void_p(), C.c_void_p()
        self.must(lib.tensorcc_open(C.byref(opt), C.byref(self.ctx)))
        data = text.encode()
        self.must(lib.tensorcc_parse(self.ctx, b"bench.te", data, C.c_size_t(len(data)), C.byref(self.mod)))
        d = (Value * max(1, len(dims)))(*[Value(k.encode(), str(v).encode()) for k, v in dims.items()])
        c = (Value * max(1, len(consts)))(*[Value(k.encode(), str(v).encode()) for k, v in consts.items()])
        o = CompileOptions(C.sizeof(CompileOptions), 0, op.encode(), b"cpu", b"default", b"fast", len(dims), len(consts), d, c, threads)
        start = time.perf_counter()
        self.must(lib.tensorcc_compile(self.mod, C.byref(o), C.byref(self.k)))
        self.compile_ms = (time.perf_counter() - start) * 1e3

    def must(self, status):
        if status:
            raise RuntimeError(self.lib.tensorcc_message(self.ctx).decode())

    def bind(self, arrays):
        codes = {"f": 2, "i": 0, "u": 1}
        self.keep, tensors = [], []
        for a in arrays:
            shape = (C.c_int64 * max(1, a.ndim))(*a.shape)
            t = Tensor(a.ctypes.data, Device(1, 0), a.ndim, DType(codes[a.dtype.kind], a.itemsize * 8, 1), shape, None, 0)
            self.keep += [a, shape, t]
            tensors.append(C.pointer(t))
        args = (C.POINTER(Tensor) * len(tensors))(*tensors)
        self.keep.append(args)
        run, k, n = self.lib.tensorcc_run, self.k, len(tensors)

        def call():
            if run(k, n, args):
                self.must(1)
        return call


def f32(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


def cases(threads):
    """name, op file, op, dims, consts, inputs, outputs, work (flops), bytes, the peer's function over torch tensors"""
    matmul = (ROOT / "examples/matmul.te").read_text()
    ops = (ROOT / "examples/ops.te").read_text()
    for m, n, k in [(64, 64, 64), (127, 129, 131), (512, 512, 512), (1024, 1024, 1024), (1000, 1000, 1000), (197, 768, 768), (17, 4093, 1021),
                    (128, 3072, 768), (1, 4096, 4096), (4, 4096, 4096), (16, 4096, 4096)]:
        A, B, O = f32(m, k), f32(k, n), np.empty((m, n), np.float32)
        yield (f"matmul {m}x{n}x{k}", matmul, "matmul", dict(M=m, N=n, K=k), {}, [A, B], [O], 2.0 * m * n * k, 4.0 * (m * k + k * n + m * n),
               lambda t, o: torch.mm(t[0], t[1], out=o[0]), lambda a, o: np.matmul(a[0], a[1], out=o[0]))
    m, n = 4096, 1024
    X, O = f32(m, n), np.empty((m, n), np.float32)
    yield ("softmax 4096x1024", ops, "softmax", dict(M=m, N=n), {}, [X], [O], 5.0 * m * n, 8.0 * m * n,
           lambda t, o: torch.softmax(t[0], 1, out=o[0]), None)
    g, b = f32(n), f32(n)
    yield ("layernorm 4096x1024", ops, "layernorm", dict(M=m, N=n), {}, [X, g, b, np.array(1e-5, np.float32)], [O], 8.0 * m * n, 8.0 * m * n,
           lambda t, o: torch.nn.functional.layer_norm(t[0], (n,), t[1], t[2], 1e-5), None)
    chain = ("fn silu(x) = x * sigmoid(x)\nop chain[N](A: f32[N], B: f32[N], C: f32[N]) -> (Y: f32[N]) {\n"
             "  let t[i] = silu(A[i]) * B[i]\n  Y[i] = max(t[i] + C[i], 0.0)\n}\n")
    n = 1 << 24
    A, B, D, O1 = f32(n), f32(n), f32(n), np.empty(n, np.float32)
    yield ("pointwise chain 16M", chain, "chain", dict(N=n), {}, [A, B, D], [O1], 8.0 * n, 16.0 * n,
           lambda t, o: torch.relu(torch.nn.functional.silu(t[0]) * t[1] + t[2]), None)
    for (nn, c, h, w, f, r, s, st, pd) in [(1, 3, 224, 224, 64, 7, 7, 2, 3), (1, 64, 56, 56, 64, 1, 1, 1, 0), (1, 64, 56, 56, 64, 3, 3, 1, 1), (1, 128, 28, 28, 128, 3, 3, 1, 1),
                                           (1, 256, 14, 14, 256, 3, 3, 1, 1), (1, 512, 7, 7, 512, 3, 3, 1, 1)]:
        X, K = f32(nn, c, h, w), f32(f, c, r, s)
        oh, ow = (h + 2 * pd - r) // st + 1, (w + 2 * pd - s) // st + 1
        O2 = np.empty((nn, f, oh, ow), np.float32)
        yield (f"conv {c}.{h}.{f}.{r} s{st}", ops, "conv2d", dict(N=nn, C=c, H=h, W=w, F=f, R=r, S=s), dict(st=st, pd=pd), [X, K], [O2],
               2.0 * nn * f * oh * ow * c * r * s, 4.0 * (X.size + K.size + O2.size),
               lambda t, o, st=st, pd=pd: torch.nn.functional.conv2d(t[0], t[1], stride=st, padding=pd), None)


def sample(call, seconds=0.02):
    """ns of one call: as many as fill `seconds`, averaged."""
    start = time.perf_counter_ns()
    call()
    one = time.perf_counter_ns() - start
    n = max(1, min(1000, int(seconds * 1e9 / max(one, 1))))
    start = time.perf_counter_ns()
    for _ in range(n):
        call()
    return (time.perf_counter_ns() - start) / n


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cases", default="")
    ap.add_argument("--rounds", type=int, default=15)
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--out", default=str(ROOT / "build/bench.json"))
    ap.add_argument("--lib", default=str(ROOT / "build/libtensorcc.so"))
    a = ap.parse_args()
    lib = C.CDLL(a.lib)
    if torch:
        torch.set_num_threads(a.threads)
        torch.set_grad_enabled(False)
    else:
        print("no PyTorch here: only NumPy's matmul is a peer", file=sys.stderr)
        os.environ.setdefault("OPENBLAS_NUM_THREADS", str(a.threads))
    raw = []
    print(f"{'case':<26}{'GFLOP/s':>10}{'GB/s':>8}{'peer':>10}{'ratio':>8}{'compile':>9}")
    for name, text, op, dims, consts, ins, outs, flops, nbytes, peer_torch, peer_numpy in cases(a.threads):
        if a.cases not in name:
            continue
        k = Kernel(lib, text, op, dims, consts, a.threads)
        ours = k.bind(ins + outs)
        peer = None
        if torch:
            t, o = [torch.from_numpy(x) if x.ndim else x for x in ins], [torch.from_numpy(np.empty_like(x)) for x in outs]
            peer = lambda: peer_torch(t, o)
        elif peer_numpy:
            o = [np.empty_like(x) for x in outs]
            peer = lambda: peer_numpy(ins, o)
        mine, theirs = [], []
        for _ in range(a.rounds):
            mine.append(sample(ours))
            if peer:
                theirs.append(sample(peer))
        ns = statistics.median(mine)
        pns = statistics.median(theirs) if theirs else 0
        ratio = statistics.median(p / m for m, p in zip(mine, theirs)) if theirs else 0
        raw.append(dict(case=name, ours_ns=mine, peer_ns=theirs, flops=flops, bytes=nbytes, compile_ms=k.compile_ms))
        print(f"{name:<26}{flops / ns:>10.1f}{nbytes / ns:>8.1f}{flops / pns if pns else 0:>10.1f}{ratio:>8.2f}{k.compile_ms:>7.0f}ms", flush=True)
    pathlib.Path(a.out).write_text(json.dumps(raw))


if __name__ == "__main__":
    main()
