"""The table of benchmark cases, a row each, and what a row means: the program, its inputs, the right answer.

A row says what is computed (`kind`) at which sizes. A kind says how: its parameters, its program, its inputs, and a reference in NumPy. Peers
have a function for each kind that they know (peers.py). To add a case, add a row; for a new computation, a class and the functions of peers.
"""
import dataclasses
import pathlib

import numpy as np

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
DTYPES = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "i32": np.int32, "i8": np.int8}
TOLERANCE = {"f64": 1e-12, "f32": 1e-4, "f16": 5e-3, "i32": 0.0}  # of the largest value; a wrong kernel is off by about 1


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    groups: tuple  # words: geometric means are taken over each
    kind: object
    beside: str = ""  # a case of our own that is sampled in the same rounds

    def inputs(self):
        """The arrays in the order of the program's parameters; the same in every run."""
        return self.kind.inputs(np.random.default_rng(20260801))


def aligned(shape, dtype):
    """An array on a cache line, as all contestants get them."""
    n = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = np.empty(n + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start:start + n].view(dtype).reshape(shape)


def error(got, want):
    """The largest difference, as a share of the largest value."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    if got.shape != want.shape:
        return float("inf")
    worst = float(np.abs(got - want).max(initial=0)) / max(float(np.abs(want).max(initial=0)), 1e-30)
    return worst if worst == worst else float("inf")


def normal(rng, shape, dtype="f32"):
    return rng.standard_normal(shape, dtype=np.float32).astype(DTYPES[dtype])


class Kind:
    """What is computed. Attributes: `text` the program, `op`, `dims`, `consts`; `out_shape`, `out_dtype` of its one result."""

    text, consts, out_dtype = None, {}, "f32"

    def __init__(self):
        if self.text is None:
            self.text = (EXAMPLES / "ops.te").read_text()


class Gemm(Kind):
    """C = A B over `batch` pairs; ta, tb: the operand is stored transposed. Narrow types accumulate in f32 or i32."""

    op = "matmul"

    def __init__(self, m, n, k, dtype="f32", ta=False, tb=False, batch=0):
        self.m, self.n, self.k, self.dtype, self.ta, self.tb, self.batch = m, n, k, dtype, ta, tb, batch
        self.out_dtype = {"f16": "f32", "i8": "i32"}.get(dtype, dtype)
        self.dims = dict(M=m, N=n, K=k, **(dict(Z=batch) if batch else {}))
        self.out_shape = (batch, m, n) if batch else (m, n)
        self.text = self.program()

    def program(self):
        if (self.dtype, self.ta, self.tb, self.batch) == ("f32", False, False, 0):
            return (EXAMPLES / "matmul.te").read_text()
        z, zi = ("Z,", "z,") if self.batch else ("", "")
        a, ai = ("K,M", "k,i") if self.ta else ("M,K", "i,k")
        b, bi = ("N,K", "j,k") if self.tb else ("K,N", "k,j")
        t, to = self.dtype, self.out_dtype
        x, y = (f"{v}[{zi}{i}]" if t == to else f"{to}({v}[{zi}{i}])" for v, i in (("A", ai), ("B", bi)))
        return (f"op matmul[{z}M,N,K](A: {t}[{z}{a}], B: {t}[{z}{b}]) -> (C: {to}[{z}M,N]) {{\n"
                f"  C[{zi}i,j] = sum{{k}}({x} * {y})\n}}\n")

    def inputs(self, rng):
        batch = (self.batch,) if self.batch else ()
        a, b = (self.k, self.m) if self.ta else (self.m, self.k), (self.n, self.k) if self.tb else (self.k, self.n)
        if self.dtype == "i8":  # A not negative: peers that want u8 times i8 read the same bytes
            return [rng.integers(0, 128, batch + a, np.int8), rng.integers(-127, 128, batch + b, np.int8)]
        return [normal(rng, batch + a, self.dtype), normal(rng, batch + b, self.dtype)]

    def views(self, a, b):
        """A and B as [M,K] and [K,N], with whatever strides."""
        return a.swapaxes(-1, -2) if self.ta else a, b.swapaxes(-1, -2) if self.tb else b

    def reference(self, ins):
        a, b = self.views(*(x.astype(np.float64) for x in ins))
        return np.matmul(a, b)


class Conv(Kind):
    op = "conv2d"

    def __init__(self, c, h, f, r, stride=1, pad=0):
        self.stride, self.pad, self.r = stride, pad, r
        o = (h + 2 * pad - r) // stride + 1
        self.x, self.w, self.out_shape = (1, c, h, h), (f, c, r, r), (1, f, o, o)
        self.dims, self.consts = dict(N=1, C=c, H=h, W=h, F=f, R=r, S=r), dict(st=stride, pd=pad)
        super().__init__()

    def inputs(self, rng):
        return [normal(rng, self.x), normal(rng, self.w)]

    def reference(self, ins):
        p = self.pad
        x = np.pad(ins[0].astype(np.float64), ((0, 0), (0, 0), (p, p), (p, p)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (self.r, self.r), (2, 3))[:, :, ::self.stride, ::self.stride]
        return np.tensordot(windows, ins[1].astype(np.float64), ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)


class Softmax(Kind):
    op = "softmax"

    def __init__(self, m, n):
        self.dims, self.out_shape = dict(M=m, N=n), (m, n)
        super().__init__()

    def inputs(self, rng):
        return [normal(rng, self.out_shape)]

    def reference(self, ins):
        x = ins[0].astype(np.float64)
        e = np.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)


class Layernorm(Kind):
    op = "layernorm"

    def __init__(self, m, n):
        self.dims, self.out_shape = dict(M=m, N=n), (m, n)
        super().__init__()

    def inputs(self, rng):
        return [normal(rng, self.out_shape), normal(rng, self.out_shape[1:]), normal(rng, self.out_shape[1:]), np.array(1e-5, np.float32)]

    def reference(self, ins):
        x, g, b, eps = (v.astype(np.float64) for v in ins)
        return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + eps) * g + b


class Chain(Kind):
    """Pointwise, in one pass where the compiler fuses: max(silu(A) B + C, 0)."""

    op = "chain"
    text = ("fn silu(x) = x * sigmoid(x)\nop chain[N](A: f32[N], B: f32[N], C: f32[N]) -> (Y: f32[N]) {\n"
            "  let t[i] = silu(A[i]) * B[i]\n  Y[i] = max(t[i] + C[i], 0.0)\n}\n")

    def __init__(self, n):
        self.dims, self.out_shape = dict(N=n), (n,)

    def inputs(self, rng):
        return [normal(rng, self.out_shape) for _ in range(3)]

    def reference(self, ins):
        a, b, c = (v.astype(np.float64) for v in ins)
        return np.maximum(a / (1 + np.exp(-a)) * b + c, 0)


class LinearGelu(Kind):
    """gelu(X W^T + b). In f16 the program of examples/ops.te, in f32 the same without casts."""

    op = "linear_gelu"

    def __init__(self, m, n, k, dtype="f16"):
        self.m, self.n, self.k, self.dtype = m, n, k, dtype
        self.dims, self.out_shape, self.out_dtype = dict(M=m, N=n, K=k), (m, n), dtype
        if dtype == "f32":
            self.text = ("fn gelu(x) = 0.5 * x * (1.0 + erf(x * 0.70710678))\n"
                         "op linear_gelu[M,N,K](X: f32[M,K], const W: f32[N,K], const b: f32[N]) -> (Y: f32[M,N]) {\n"
                         "  let h[i,j] = sum{k}(X[i,k] * W[j,k]) + b[j]\n  Y[i,j] = gelu(h[i,j])\n}\n")
        super().__init__()

    def inputs(self, rng):
        return [normal(rng, s, self.dtype) for s in ((self.m, self.k), (self.n, self.k), (self.n,))]

    def reference(self, ins):
        x, w, b = (v.astype(np.float64) for v in ins)
        h = x @ w.T + b
        return 0.5 * h * (1 + erf(h * np.sqrt(0.5)))


class Attention(Kind):
    """Causal attention of f16 heads."""

    op, out_dtype = "attention", "f16"

    def __init__(self, heads, length, width):
        self.shape = self.out_shape = (1, heads, length, width)
        self.dims = dict(B=1, H=heads, G=heads, S=length, L=length, D=width)
        self.scale = float(np.float32(width**-0.5))
        super().__init__()

    def inputs(self, rng):
        return [normal(rng, self.shape, "f16") for _ in range(3)] + [np.array(self.scale, np.float32)]

    def reference(self, ins):
        q, k, v, scale = (x.astype(np.float64) for x in ins)
        a = scale * q @ k.swapaxes(-1, -2)
        a = np.where(np.tri(a.shape[-1], dtype=bool), a, -np.inf)
        e = np.exp(a - a.max(-1, keepdims=True))
        return e @ v / e.sum(-1, keepdims=True)


def erf(x):
    """NumPy has none: its series, and beyond 4, where it lacks 1.6e-8, one."""
    y = np.clip(x, -4, 4)
    term, total = y.copy(), y.copy()
    for n in range(1, 80):
        term *= -y * y / n
        total += term / (2 * n + 1)
    return np.where(np.abs(x) < 4, 2 / np.sqrt(np.pi) * total, np.sign(x))


def gemm(m, n, k, groups, prefix="", **how):
    label = {"A*B^T": how.get("tb"), "A^T*B": how.get("ta"), how.get("dtype"): how.get("dtype")}
    extra = "".join(f" {word}" for word, on in label.items() if on)
    return Case(f"matmul {prefix}{m}x{n}x{k}{extra}", tuple(groups.split()), Gemm(m, n, k, **how))


CASES = [
    gemm(64, 64, 64, "matmul cubes"),
    gemm(127, 129, 131, "matmul"),
    gemm(512, 512, 512, "matmul cubes"),
    gemm(1024, 1024, 1024, "matmul"),
    gemm(1000, 1000, 1000, "matmul"),
    gemm(2048, 2048, 2048, "matmul"),
    gemm(197, 768, 768, "matmul"),
    gemm(17, 4093, 1021, "matmul"),
    gemm(128, 3072, 768, "matmul"),
    gemm(3136, 64, 576, "matmul"),
    gemm(49, 2048, 512, "matmul"),
    gemm(1, 4096, 4096, "matmul skinny"),
    gemm(4, 4096, 4096, "matmul skinny"),
    gemm(16, 4096, 4096, "matmul skinny"),
    *(gemm(n, n, n, "cubes") for n in (63, 65, 127, 128, 129, 255, 256, 257, 511, 513)),  # 64 and 512 are above
    gemm(1024, 1024, 1024, "layouts", tb=True),
    gemm(1024, 1024, 1024, "layouts", ta=True),
    gemm(197, 64, 197, "layouts", prefix="12x ", batch=12),
    gemm(1024, 1024, 1024, "types", dtype="f64"),
    gemm(1024, 1024, 1024, "types", dtype="f16"),
    gemm(1024, 1024, 1024, "types", dtype="i8"),
    Case("conv 3.224.64.7 s2", ("conv",), Conv(3, 224, 64, 7, 2, 3)),
    Case("conv 64.56.64.1", ("conv",), Conv(64, 56, 64, 1)),
    Case("conv 64.56.64.3", ("conv",), Conv(64, 56, 64, 3, pad=1)),
    Case("conv 128.28.128.3", ("conv",), Conv(128, 28, 128, 3, pad=1)),
    Case("conv 256.14.256.3", ("conv",), Conv(256, 14, 256, 3, pad=1)),
    Case("conv 512.7.512.3", ("conv",), Conv(512, 7, 512, 3, pad=1)),
    Case("conv 256.56.512.1 s2", ("conv",), Conv(256, 56, 512, 1, 2)),
    Case("softmax 4096x1024", ("rows",), Softmax(4096, 1024)),
    Case("layernorm 4096x1024", ("rows",), Layernorm(4096, 1024)),
    Case("chain 16M", ("fused",), Chain(1 << 24)),
    Case("linear_gelu 128x3072x768 f32", ("fused",), LinearGelu(128, 3072, 768, "f32"), beside="matmul 128x3072x768"),
    Case("linear_gelu 128x3072x768 f16", ("fused",), LinearGelu(128, 3072, 768), beside="matmul 128x3072x768"),
    Case("attention 12x512x64 f16", ("fused",), Attention(12, 512, 64)),
]
BY_NAME = {c.name: c for c in CASES}


def chosen(words):
    """The cases of which a word is a group or a part of the name; all where there is none."""
    return [c for c in CASES if not words or any(w in c.groups or w in c.name for w in words)]
