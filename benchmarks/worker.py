#!/usr/bin/env python3
"""One contestant in a process of its own, so that libraries, their threads and their environment stay apart. run.py starts it and stops it
(SIGSTOP) while others are timed.

    worker.py NAME THREADS CPUS [LIB SCHEDULE]

Reads a JSON object a line: {"do": "open", "slot", "case", "dir"}, {"do": "sample", "slot", "seconds"}, {"do": "peak", "seconds"}, {"do": "close"};
answers each with a line; the first line says whether the contestant is there.
"""
import ctypes
import gc
import itertools
import json
import os
import pathlib
import signal
import sys
import time


def serve(name, threads, more):
    try:
        import cases
        import peers
        this = peers.Ours(threads, *more) if name == "tcc" else peers.PEERS[name][0](threads)
    except (ImportError, OSError) as e:
        yield dict(missing=str(e))
        return
    slots = {}
    ask = yield dict(version=this.version)
    while True:
        try:
            if ask["do"] == "open":
                answer = start(this, cases, ask, slots)
            elif ask["do"] == "sample":
                answer = sample(slots[ask["slot"]][0], ask["seconds"])
            elif ask["do"] == "peak":
                answer = this.peak(ask["seconds"])
            else:
                for call, *_ in slots.values():
                    getattr(call, "close", lambda: None)()
                slots.clear()
                gc.collect()
                answer = {}
        except Exception as e:  # whatever a library raises is the answer: others go on
            answer = dict(error=f"{type(e).__name__}: {e}"[:500])
        ask = yield answer


def start(this, cases, ask, slots):
    """Prepares a case, runs it and compares."""
    import numpy as np
    case, at = cases.BY_NAME[ask["case"]], pathlib.Path(ask["dir"])
    method = getattr(this, type(case.kind).__name__.lower(), None)
    if not method:
        return dict(absent=True)
    ins = []
    for path in sorted(at.glob("in*.npy")):
        x = np.load(path)
        ins.append(cases.aligned(x.shape, x.dtype))
        ins[-1][...] = x
    out = cases.aligned(case.kind.out_shape, cases.DTYPES[case.kind.out_dtype])
    out.fill(0)
    call = method(case.kind, ins, out)
    if call is None:
        return dict(absent=True)
    call, fetch = call if isinstance(call, tuple) else (call, lambda: out)
    ns = once(call)
    off = cases.error(fetch(), np.load(at / "want.npy"))
    if ns < 1e9:  # the first call may have had to make something
        ns = once(call)
    slots[ask["slot"]] = call, ins, out  # both kept as long as the call
    return dict(error_of_result=off, ns=ns, **getattr(call, "facts", {}))


def once(call):
    begin = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - begin


def sample(call, seconds):
    """ns of one call: the mean of as many as fill `seconds`, after one that is not counted unless it is long."""
    one = once(call)
    if one > 5e7:
        return dict(ns=one, calls=1)
    n = max(1, min(100000, int(seconds * 1e9 / max(one, 1))))
    begin = time.perf_counter_ns()
    for _ in itertools.repeat(None, n):
        call()
    return dict(ns=(time.perf_counter_ns() - begin) / n, calls=n)


def main():
    name, threads, cpus, *more = sys.argv[1:]
    if cpus:
        os.sched_setaffinity(0, {int(c) for c in cpus.split(",")})
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: no stopped process is left behind
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print does not belong among the answers
    loop = serve(name, int(threads), more)
    answer = next(loop)
    while True:
        to.write(json.dumps(answer) + "\n")
        to.flush()
        line = sys.stdin.readline()
        if not line:
            return
        try:
            answer = loop.send(json.loads(line))
        except StopIteration:
            return


if __name__ == "__main__":
    main()
