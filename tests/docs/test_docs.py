#!/usr/bin/env python3
"""Docs that are true: what README.md and docs/*.md show is tried, page by page, in the order of the page.

A command is a line of a fence (no language, `sh` or `console`) that starts with build/tcc or `$ tcc`; it must exit 0, or with N where it ends in
`# exit N`. In a `console` fence the lines below a command are lines of its output, in this order, others may stand between them; `…` stands for
anything. Commands run in a scratch folder in which examples/ and build/ are links to the real ones.
Each op of a ```te fence is compiled; ```te NAME.te also leaves the program in the scratch folder, ```te skip marks a fragment.
Each ```sched fence is read and must be in canonical form; ```sched NAME.sched also leaves it in the scratch folder.
Links to files and headings of the repository lead somewhere.
A ```c fence with a main is compiled against include/ and libtensorcc and run; ```c FILE links FILE from the scratch folder instead.
"""
import argparse
import os
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
        words = m.group(1).split()
        yield words[0] if words else "", words[1:], m.group(2), text[: m.start()].count("\n") + 1


def commands(body, outputs):
    """(command, exit status, lines of its output that the page shows)"""
    found = []
    for line in body.replace("\\\n", " ").splitlines():
        cmd = re.sub(r"^tcc ", "build/tcc ", re.sub(r"^\$ ", "", line.strip()))
        if cmd.startswith("build/tcc "):
            want = re.search(r"#\s*exit (\d+)\s*$", cmd)
            found.append((re.sub(r"\s+#.*$", "", cmd), int(want.group(1)) if want else 0, []))
        elif outputs and found and line.strip():
            found[-1][2].append(line.strip())
    return found


def missing_line(shown, output):
    """The first line of `shown` that does not follow in the output, or None."""
    lines = iter(line.strip() for line in output.splitlines())
    for want in shown:
        pattern = ".*".join(re.escape(part) for part in want.split("…"))
        if not any(re.fullmatch(pattern, line) for line in lines):
            return want
    return None


def c_program(tcc, link):
    """The command that compiles and runs doc.c."""
    lib = tcc.parent / "libtensorcc.so"
    code = lib.read_bytes()
    flags = [f for mark, f in ((b"__asan_init", "-fsanitize=address,undefined"), (b"__tsan_init", "-fsanitize=thread")) if mark in code]
    library = [str(p) for p in link] or ["-L", str(lib.parent), "-ltensorcc", f"-Wl,-rpath,{lib.parent}"]
    cc = [*shlex.split(os.environ.get("CC") or "cc"), "-std=c17", "-Wall", "-Wextra", "-Werror", *flags, "-I", str(ROOT / "include")]
    return shlex.join([*cc, "doc.c", "-o", "doc", "-Wl,-rpath,.", *library, "-lm", "-pthread"]) + " && ./doc"


def dead_links(doc):
    """Links whose file or heading is not there. A heading's anchor is made as GitHub makes it."""
    for path, _, anchor in (link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", doc.read_text())):
        if "://" in path:
            continue
        to = doc.parent / path if path else doc
        heads = re.findall(r"^#+ (.*)$", to.read_text(), re.M) if anchor and to.exists() else []
        anchors = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
        if not to.exists() or (anchor and anchor not in anchors):
            yield f"{path}#{anchor}" if anchor else path


def run(cmd, cwd):
    shell = re.search(r"[<>|&;]", re.sub(r"'[^']*'|\"[^\"]*\"", "", cmd)) is not None
    return subprocess.run(cmd if shell else shlex.split(cmd), shell=shell, cwd=cwd, capture_output=True, text=True, timeout=120)


def steps(tcc, tmp, lang, words, body):
    if lang == "te" and "skip" not in words:
        name = words[0] if words else "doc.te"
        (tmp / name).write_text(body)
        return [(f"build/tcc compile {name} --op {op} --emit te", 0, []) for op in re.findall(r"^\s*op\s+(\w+)", body, re.M)]
    if lang == "sched" and "skip" not in words:
        name = words[0] if words else "doc.sched"
        (tmp / name).write_text(body)
        return [(f"build/tcc fmt --check {name}", 0, [])]
    if lang == "c" and re.search(r"\bmain\(", body):
        (tmp / "doc.c").write_text(body)
        return [(c_program(tcc, words), 0, [])]
    if lang in ("", "sh", "console"):
        return commands(body, lang == "console")
    return []


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--tcc", default="build/tcc")
    a = ap.parse_args()
    tcc = pathlib.Path(a.tcc).resolve()
    passed = failed = 0
    for doc in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for link in dead_links(doc):
            failed += 1
            print(f"FAIL {doc.relative_to(ROOT)}: `{link}` leads nowhere")
        with tempfile.TemporaryDirectory() as scratch:
            tmp = pathlib.Path(scratch)
            (tmp / "examples").symlink_to(ROOT / "examples")
            (tmp / "build").mkdir()
            (tmp / "build/tcc").symlink_to(tcc)
            for lang, words, body, line in fences(doc):
                for cmd, want, shown in steps(tcc, tmp, lang, words, body):
                    p = run(cmd, tmp)
                    lacks = missing_line(shown, p.stdout + p.stderr)
                    if p.returncode == want and lacks is None:
                        passed += 1
                        continue
                    failed += 1
                    print(f"FAIL {doc.relative_to(ROOT)}:{line}: {cmd}")
                    if p.returncode != want:
                        print(f"     exit {p.returncode}: {(p.stderr or p.stdout).strip()[:400]}")
                    else:
                        print(f"     the output has no line `{lacks}`: {(p.stdout + p.stderr).strip()[:400]}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
