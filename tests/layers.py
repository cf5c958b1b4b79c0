#!/usr/bin/env python3
"""The layers of docs/architecture.md, and one home for each heavy dependency, checked on the includes.

Each folder may include only from the folders to its right:  cli -> api -> tuner -> schedule, codegen, runtime -> frontend -> ir, isa.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAY = {
    "ir": {"ir"},
    "isa": {"isa"},
    "frontend": {"frontend", "ir"},
    "schedule": {"schedule", "frontend", "ir"},
    "codegen": {"codegen", "frontend", "ir", "isa", "include"},
    "runtime": {"runtime", "isa", "include"},
    "tuner": {"tuner", "schedule", "codegen", "runtime", "frontend", "ir", "include"},
    "api": {"api", "tuner", "schedule", "codegen", "runtime", "frontend", "ir", "isa", "include"},
    "cli": {"cli", "include"},
    "include": {"include"},
}
HOMES = [  # header pattern, the only places that may include it
    (r"llvm-c/|llvm/", ("codegen/llvm/",)),
    (r"isl/", ("schedule/poly",)),
    (r"sqlite3", ("tuner/db",)),
    (r"xgboost/", ("tuner/model_xgb",)),
    (r"yaml", ("isa/machine",)),
    (r"jansson", ("cli/", "api/artifact")),
]
passed, failed = 0, []
for folder, may in MAY.items():
    for path in sorted((ROOT / folder).rglob("*.[ch]")):
        name = path.relative_to(ROOT).as_posix()
        bad = []
        for kind, inc in re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', path.read_text(), re.M):
            if kind == '"':
                first = inc.split("/")[0] if "/" in inc else ("include" if (ROOT / "include" / inc).exists() else folder)
                if first not in may:
                    bad.append(f"{name} includes {inc}: {folder} may use only {', '.join(sorted(may))}")
            for pattern, homes in HOMES:
                if re.match(pattern, inc) and not name.startswith(homes):
                    bad.append(f"{name} includes {inc}: its home is {' or '.join(homes)}")
        failed += bad
        passed += not bad
for line in failed:
    print("FAIL", line)
print(f"{passed} passed, {len(failed)} failed")
sys.exit(bool(failed))
