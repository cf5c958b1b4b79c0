#!/usr/bin/env python3
"""Draws the JSON of run.py as SVG: ours beside the best peer, and the share of the machine's peak, a bar for each case.

    plot.py FILE.json FILE.svg
"""
import json
import pathlib
import sys


def draw(out, path):
    """Returns what happened, as a line."""
    try:
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        return "no plot: matplotlib is not here (pip install matplotlib)"
    rows = [r for r in out["results"] if "failed" not in r][::-1]
    if not rows:
        return "no plot: no results"
    names = [r["case"] for r in rows]
    fig, (left, right) = plt.subplots(1, 2, sharey=True, figsize=(11, 1.2 + 0.24 * len(rows)), gridspec_kw=dict(width_ratios=(3, 2)))
    ratios = [r["ratio"] or 1.0 for r in rows]
    left.barh(names, [v - 1 for v in ratios], left=1, color=["tab:green" if v >= 1 else "tab:red" for v in ratios])
    for i, r in enumerate(rows):
        if r["best"]:
            left.text(max(r["ratio"], 1), i, f" {r['ratio']:.2f} {r['best']}", va="center", fontsize=7)
    left.set_xscale("log")
    left.axvline(1, color="black", linewidth=0.8)
    low, high = min([*ratios, 0.5]), max([*ratios, 2])
    left.set_xlim(low / 1.2, high * 1.8)
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low / 1.2 <= t <= high * 1.8]
    left.set_xticks(ticks, [f"{t:g}" for t in ticks])
    left.minorticks_off()
    left.set_xlabel("speed, ours ÷ best peer")
    left.tick_params(axis="y", labelsize=7)
    right.barh(names, [r["of_peak"] or 0 for r in rows], color=["tab:blue" if r["limit"] == "fma" else "tab:orange" for r in rows])
    right.axvline(1, color="black", linewidth=0.8)
    right.set_xlabel("of peak (blue: FMA, orange: memory)")
    left.margins(y=0.01)
    machine = out["machine"]
    fig.suptitle(f"{out['versions']['tcc']}; {machine['model']}, {machine['threads']} thread{'s' * (machine['threads'] > 1)}", fontsize=9)
    fig.tight_layout()
    fig.savefig(path, metadata={"Date": None})
    return f"plot: {path}"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(draw(json.loads(pathlib.Path(sys.argv[1]).read_text()), sys.argv[2]))
