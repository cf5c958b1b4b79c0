#!/usr/bin/env python3
"""Docs that are true: every command that README.md and docs/*.md show is run, every complete program in a ```te fence is compiled, every
schedule in a ```sched fence is read and must be in canonical form.

A command is a line of a fence (no language, `sh` or `console`) that starts with build/tcc or `$ tcc`; it must exit 0, or with N where it ends in
`# exit N`. Commands run in a scratch folder in which examples/ and build/ are links to the real ones. A fence opened with ```te skip is a fragment.
"""
import argparse
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def fences(path):
    text = path.read_text()
    for m in re.finditer(r"^```([^\n]*)\n(.*?)^```", text, re.M | re.S):
        yield m.group(1).strip(), m.group(2), text[: m.start()].count("\n") + 1


def commands(body):
    for line in body.replace("\\\n", " ").splitlines():
        line = re.sub(r"^\$ ", "", line.strip())
        line = re.sub(r"^tcc ", "build/tcc ", line)
        if line.startswith("build/tcc "):
            want = re.search(r"#\s*exit (\d+)\s*$", line)
            yield re.sub(r"\s+#.*$", "", line), int(want.group(1)) if want else 0


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--tcc", default="build/tcc")
    a = ap.parse_args()
    tcc = pathlib.Path(a.tcc).resolve()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        (tmp / "examples").symlink_to(ROOT / "examples")
        (tmp / "build").mkdir()
        (tmp / "build/tcc").symlink_to(tcc)
        for doc in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
            for lang, body, line in fences(doc):
                todo = []
                if lang == "te":
                    (tmp / "doc.te").write_text(body)
                    for op in re.findall(r"^\s*op\s+(\w+)", body, re.M):
                        todo.append((f"build/tcc compile doc.te --op {op} --emit te", 0))
                elif lang == "sched":
                    (tmp / "doc.sched").write_text(body)
                    todo.append(("build/tcc fmt --check doc.sched", 0))
                elif lang in ("", "sh", "console"):
                    todo = list(commands(body))
                for cmd, want in todo:
                    shell = re.search(r"[<>|&;]", re.sub(r"'[^']*'|\"[^\"]*\"", "", cmd)) is not None
                    p = subprocess.run(cmd if shell else shlex.split(cmd), shell=shell, cwd=tmp, capture_output=True, text=True, timeout=120)
                    if p.returncode == want:
                        passed += 1
                    else:
                        failed += 1
                        print(f"FAIL {doc.relative_to(ROOT)}:{line}: {cmd}\n     exit {p.returncode}: {(p.stderr or p.stdout).strip()[:400]}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
