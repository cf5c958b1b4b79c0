"""libtensorcc by ctypes: an op compiled and called on NumPy arrays. The structs are those of include/tensorcc.h."""
import ctypes as C
import functools
import pathlib
import time


class Device(C.Structure):
    _fields_ = [("type", C.c_int32), ("id", C.c_int32)]


class DType(C.Structure):
    _fields_ = [("code", C.c_uint8), ("bits", C.c_uint8), ("lanes", C.c_uint16)]


class Tensor(C.Structure):
    _fields_ = [("data", C.c_void_p), ("device", Device), ("ndim", C.c_int32), ("dtype", DType), ("shape", C.POINTER(C.c_int64)),
                ("strides", C.POINTER(C.c_int64)), ("byte_offset", C.c_uint64)]


class Value(C.Structure):
    _fields_ = [("name", C.c_char_p), ("value", C.c_char_p)]


class ContextOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("on_diagnostic", C.c_void_p), ("user", C.c_void_p), ("pool", C.c_void_p), ("threads", C.c_int32),
                ("colour", C.c_int32)]


class CompileOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("op", C.c_char_p), ("target", C.c_char_p), ("schedule", C.c_char_p),
                ("numerics", C.c_char_p), ("ndims", C.c_int32), ("nconsts", C.c_int32), ("dims", C.POINTER(Value)), ("consts", C.POINTER(Value)),
                ("threads", C.c_int32), ("nsets", C.c_int32), ("sets", C.POINTER(Value))]


class KernelInfo(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("op", C.c_char_p), ("target", C.c_char_p), ("schedule", C.c_char_p), ("schedule_source", C.c_char_p),
                ("numerics", C.c_char_p), ("compile_ms", C.c_double), ("code_bytes", C.c_int64)]


class Work(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flops", C.c_double), ("bytes", C.c_double), ("terms", C.c_double)]


class Peak(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("gflops_f32", C.c_double), ("gflops_f64", C.c_double), ("gbs", C.c_double)]


def values(table):
    return (Value * max(1, len(table)))(*[Value(str(k).encode(), str(v).encode()) for k, v in table.items()])


def sized(struct):
    return struct(struct_size=C.sizeof(struct))


class Library:
    def __init__(self, path):
        self.c = C.CDLL(str(pathlib.Path(path).resolve()))
        for name in ("tensorcc_message", "tensorcc_toolchain", "tensorcc_kernel_dim"):
            getattr(self.c, name).restype = C.c_char_p
        self.c.tensorcc_kernel_entry.restype = C.c_void_p

    def version(self):
        return self.c.tensorcc_toolchain().decode()


class Context:
    def __init__(self, lib, threads):
        self.lib, self.c, self.handle, self.threads = lib, lib.c, C.c_void_p(), threads
        self.must(self.c.tensorcc_open(C.byref(ContextOptions(C.sizeof(ContextOptions), threads=threads)), C.byref(self.handle)))

    def must(self, status):
        if status:
            raise RuntimeError(self.c.tensorcc_message(self.handle).decode() or f"status {status}")

    def peak(self, seconds):
        """GFLOP/s of f32 and f64 multiply-adds and GB/s of memory, of one core."""
        p = sized(Peak)
        self.must(self.c.tensorcc_measure_peak(self.handle, C.c_double(seconds), C.byref(p)))
        return dict(gflops_f32=p.gflops_f32, gflops_f64=p.gflops_f64, gbs=p.gbs)

    def close(self):
        self.c.tensorcc_close(self.handle)


class Kernel:
    """One op for fixed sizes. Made in a context of its own, so that nothing is left over from an earlier one."""

    def __init__(self, lib, text, op, dims, consts, threads, schedule="default", code=True):
        self.handle, module, start = C.c_void_p(), C.c_void_p(), time.perf_counter()
        self.ctx = Context(lib, threads)
        c, must, data = lib.c, self.ctx.must, text.encode()
        must(c.tensorcc_parse(self.ctx.handle, b"bench.te", data, C.c_size_t(len(data)), C.byref(module)))
        o = sized(CompileOptions)
        o.op, o.target, o.schedule, o.numerics, o.threads = op.encode(), b"cpu", schedule.encode(), b"fast", threads
        o.ndims, o.dims, o.nconsts, o.consts = len(dims), values(dims), len(consts), values(consts)
        must(c.tensorcc_compile(module, C.byref(o), C.byref(self.handle)))
        # Compiling stops before machine code, which the first run would make: made here, so that the time counts.
        if code and not c.tensorcc_kernel_entry(self.handle, None):
            must(70)
        self.wall_ms = (time.perf_counter() - start) * 1e3
        c.tensorcc_module_free(module)

    def compile_ms(self):
        """What `tcc compile --json` calls compile_ms."""
        info = sized(KernelInfo)
        self.ctx.must(self.ctx.c.tensorcc_kernel_describe(self.handle, C.byref(info)))
        return info.compile_ms

    def work(self):
        """Operations and bytes of a call, as `tcc bench` counts them."""
        c, w, size = self.ctx.c, sized(Work), C.c_int64()
        sizes = []
        for i in range(c.tensorcc_kernel_dims(self.handle)):
            c.tensorcc_kernel_dim(self.handle, i, C.byref(size))
            sizes.append(size.value)
        self.ctx.must(c.tensorcc_kernel_work(self.handle, (C.c_int64 * max(1, len(sizes)))(*sizes), C.byref(w)))
        return w.flops, w.bytes

    def params(self):
        return self.ctx.c.tensorcc_kernel_params(self.handle)

    def bind(self, arrays):
        """A function of no arguments that runs the kernel on `arrays` and returns a status; called once here, and checked."""
        codes = {"f": 2, "i": 0, "u": 1}
        keep, tensors = [], []
        for a in arrays:
            shape = (C.c_int64 * max(1, a.ndim))(*a.shape)
            t = Tensor(a.ctypes.data, Device(1, 0), a.ndim, DType(codes[a.dtype.kind], a.itemsize * 8, 1), shape, None, 0)
            keep += [a, shape, t]
            tensors.append(C.pointer(t))
        args = (C.POINTER(Tensor) * len(tensors))(*tensors)
        call = functools.partial(self.ctx.c.tensorcc_run, self.handle, C.c_int32(len(tensors)), args)
        self.keep = keep
        self.ctx.must(call())
        return call

    def close(self):
        self.ctx.c.tensorcc_kernel_free(self.handle)
        self.ctx.close()

