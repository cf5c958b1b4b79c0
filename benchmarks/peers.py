"""The contestants: ours and each peer. A class per contestant, created in a process of its own (worker.py) whose environment `environment` has set.

A method named as a kind of cases.py (`gemm`, `conv`, …) takes the kind, the inputs and an aligned array for the result; it gives a function of no
arguments to be timed, or that function and another one that fetches the result. A kind without a method, or None, means: not in this case.
"""
import ctypes as C
import functools
import importlib.metadata
import os
import pathlib

import numpy as np

import tensorcc


def environment(threads):
    """What holds peers to that many threads; it must stand before they are loaded."""
    one = threads == 1
    n = str(threads)
    xla = ["--xla_cpu_multi_thread_eigen=false", "intra_op_parallelism_threads=1"] if one else []
    return dict(OMP_NUM_THREADS=n, MKL_NUM_THREADS=n, OPENBLAS_NUM_THREADS=n, MKL_DYNAMIC="FALSE", MKL_INTERFACE_LAYER="LP64",
                MKL_THREADING_LAYER="SEQUENTIAL" if one else "INTEL", XLA_FLAGS=" ".join([os.environ.get("XLA_FLAGS", ""), *xla]).strip(),
                JAX_PLATFORMS="cpu", JAX_ENABLE_X64="1", CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="2")


class Ours:
    def __init__(self, threads, lib, schedule):
        self.lib, self.threads, self.schedule = tensorcc.Library(lib), threads, schedule
        self.version = self.lib.version()
        self.idle = tensorcc.Context(self.lib, 1)

    def peak(self, seconds):
        return self.idle.peak(seconds)

    def any(self, kind, ins, out):
        k = tensorcc.Kernel(self.lib, kind.text, kind.op, kind.dims, kind.consts, self.threads, self.schedule)
        flops, size = k.work()
        call = k.bind([*ins, out])
        call.facts = dict(compile_ms=k.compile_ms(), compile_wall_ms=k.wall_ms, flops=flops, bytes=size)
        call.close = k.close
        return call

    gemm = conv = softmax = layernorm = chain = lineargelu = attention = any


class Numpy:
    def __init__(self, threads):
        self.version = np.__version__

    def gemm(self, kind, ins, out):
        if kind.dtype not in ("f32", "f64"):
            return None
        return functools.partial(np.matmul, *kind.views(*ins), out=out)


class Torch:
    """Eager: oneDNN and MKL inside."""

    def __init__(self, threads):
        import torch
        self.t, self.f, self.version = torch, torch.nn.functional, torch.__version__
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def tensors(self, ins, out):
        return [self.t.from_numpy(x) if x.ndim else x.item() for x in ins], self.t.from_numpy(out)

    @staticmethod
    def result(call):
        """A function that makes its result anew: what a call gives."""
        return call, lambda: call().numpy()

    def gemm(self, kind, ins, out):
        (a, b), o = self.tensors(ins, out)
        a, b = a.mT if kind.ta else a, b.mT if kind.tb else b
        if kind.dtype == "i8":
            return functools.partial(self.t._int_mm, a, b, out=o)
        if kind.dtype == "f16":  # its results are f16, whatever it accumulates in
            o = self.t.empty(kind.out_shape, dtype=self.t.float16)
            return functools.partial(self.t.mm, a, b, out=o), lambda: o.numpy()
        return functools.partial(self.t.bmm if kind.batch else self.t.mm, a, b, out=o)

    def conv(self, kind, ins, out):
        (x, w), _ = self.tensors(ins, out)
        return self.result(functools.partial(self.f.conv2d, x, w, None, kind.stride, kind.pad))

    def softmax(self, kind, ins, out):
        (x,), o = self.tensors(ins, out)
        return functools.partial(self.t.softmax, x, 1, out=o)

    def layernorm(self, kind, ins, out):
        (x, g, b, eps), o = self.tensors(ins, out)
        mean, rstd = (self.t.empty(x.shape[0], 1) for _ in range(2))
        return functools.partial(self.t.ops.aten.native_layer_norm.out, x, x.shape[1:], g, b, eps, out0=o, out1=mean, out2=rstd)

    def chain(self, kind, ins, out):
        (a, b, c), o = self.tensors(ins, out)
        silu = self.t.ops.aten.silu.out

        def call():
            silu(a, out=o)
            return o.mul_(b).add_(c).relu_()
        return call

    def lineargelu(self, kind, ins, out):
        (x, w, b), _ = self.tensors(ins, out)
        return self.result(lambda: self.f.gelu(self.f.linear(x, w, b)))

    def attention(self, kind, ins, out):
        (q, k, v, scale), _ = self.tensors(ins, out)
        return self.result(functools.partial(self.f.scaled_dot_product_attention, q, k, v, is_causal=True, scale=scale))


class Jax:
    """XLA. Compiled before it is timed; each call makes its result anew."""

    def __init__(self, threads):
        import jax
        self.j, self.n, self.version = jax, jax.numpy, jax.__version__
        jax.config.update("jax_cpu_enable_async_dispatch", False)

    def compiled(self, f, ins):
        at = [self.j.device_put(x) for x in ins]
        run = self.j.jit(f).lower(*at).compile()
        return lambda: run(*at).block_until_ready(), lambda: np.asarray(run(*at))

    def gemm(self, kind, ins, out):
        return self.compiled(lambda a, b: self.n.matmul(*kind.views(a, b), preferred_element_type=out.dtype), ins)

    def conv(self, kind, ins, out):
        def f(x, w):
            return self.j.lax.conv_general_dilated(x, w, (kind.stride,) * 2, ((kind.pad,) * 2,) * 2, dimension_numbers=("NCHW", "OIHW", "NCHW"))
        return self.compiled(f, ins)

    def softmax(self, kind, ins, out):
        return self.compiled(lambda x: self.j.nn.softmax(x, axis=1), ins)

    def layernorm(self, kind, ins, out):
        def f(x, g, b, eps):
            d = x - x.mean(1, keepdims=True)
            return d * self.j.lax.rsqrt((d * d).mean(1, keepdims=True) + eps) * g + b
        return self.compiled(f, ins)

    def chain(self, kind, ins, out):
        return self.compiled(lambda a, b, c: self.n.maximum(self.j.nn.silu(a) * b + c, 0), ins)

    def lineargelu(self, kind, ins, out):
        def f(x, w, b):
            h = self.n.matmul(x, w.T, preferred_element_type=np.float32) + b.astype(np.float32)
            return self.j.nn.gelu(h, approximate=False).astype(out.dtype)
        return self.compiled(f, ins)

    def attention(self, kind, ins, out):
        def f(q, k, v, scale):
            a = scale * self.n.einsum("bhqd,bhtd->bhqt", q, k, preferred_element_type=np.float32)
            p = self.j.nn.softmax(self.n.where(self.n.tri(a.shape[-1], dtype=bool), a, -np.inf), axis=-1)
            return self.n.einsum("bhqt,bhtd->bhqd", p.astype(q.dtype), v, preferred_element_type=np.float32).astype(q.dtype)
        return self.compiled(f, ins)


class Blas:
    """Row-major cblas by ctypes: `name` a format for its functions, `integer` its integers."""

    DATA = {"f32": ("sgemm", C.c_float), "f64": ("dgemm", C.c_double)}

    def library(self, package, file):
        found = [p for p in importlib.metadata.files(package) or [] if p.name.startswith(file)]
        if not found:
            raise ImportError(f"{package} has no {file}")
        self.version = importlib.metadata.version(package)
        return C.CDLL(str(pathlib.Path(found[0].locate()).resolve()))

    def call(self, routine, kind, ins, out, scalar, strides=False, offsets=False):
        f = getattr(self.lib, self.name.format(routine), None)
        if not f:
            return None
        f.restype = None
        i, (m, n, k) = self.integer, (kind.m, kind.n, kind.k)
        a, b, c = (C.c_void_p(x.ctypes.data) for x in (*ins, out))
        step = (lambda rows, cols: [i(rows * cols)]) if strides else lambda rows, cols: []
        zero = [C.c_int8(0)] if offsets else []
        args = [C.c_int(101), C.c_int(112 if kind.ta else 111), C.c_int(112 if kind.tb else 111), *([C.c_int(173)] if offsets else []), i(m), i(n), i(k),
                scalar(1), a, i(m if kind.ta else k), *(step(m, k) or zero), b, i(k if kind.tb else n), *(step(k, n) or zero), scalar(0), c, i(n),
                *step(m, n)]
        none = np.zeros(1, np.int32)
        if strides:
            args.append(i(kind.batch))
        if offsets:
            args.append(C.c_void_p(none.ctypes.data))
        call = functools.partial(f, *args)
        call.keep = [*ins, out, none]
        return call

    def gemm(self, kind, ins, out):
        routine, scalar = self.DATA.get(kind.dtype, ("", None))
        if not routine:
            return None
        return self.call(routine + ("_batch_strided" if kind.batch else ""), kind, ins, out, scalar, strides=bool(kind.batch))


class Mkl(Blas):
    DATA = {**Blas.DATA, "f16": ("gemm_f16f16f32", C.c_float)}
    name, integer = "cblas_{}", C.c_int

    def __init__(self, threads):
        self.lib = self.library("mkl", "libmkl_rt.so")

    def gemm(self, kind, ins, out):
        if kind.dtype == "i8":
            return self.call("gemm_s8u8s32", kind, ins, out, C.c_float, offsets=True)
        return super().gemm(kind, ins, out)


class OpenBlas(Blas):
    name, integer = "scipy_cblas_{}64_", C.c_int64

    def __init__(self, threads):
        self.lib = self.library("scipy-openblas64", "libscipy_openblas64_.so")


# name: class, what to install. NumPy takes part where it is asked for, or where there is no other.
PEERS = {"torch": (Torch, "torch"), "jax": (Jax, "jax"), "mkl": (Mkl, "mkl"), "openblas": (OpenBlas, "scipy-openblas64"), "numpy": (Numpy, "numpy")}
