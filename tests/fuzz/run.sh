#!/usr/bin/env bash
# Builds every fuzz target with clang's libFuzzer, ASan and UBSan and runs each for SECONDS (60) in turn, or one: run.sh SECONDS NAME.
# New inputs that reach new code go to build-fuzz/corpus/NAME; crashes to build-fuzz/crash-*.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
only=${2:-}
llvm=$({ ls -d /usr/lib/llvm-{22,21,20,19} 2>/dev/null || true; } | head -1)
mkdir -p build-fuzz
flags=(-std=gnu17 -g -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -ffp-contract=off -I. -Iinclude
    -isystem "$llvm/include" "-DTCC_LLVM_VERSION=\"$(basename "$llvm")\"")
objects=()
for f in $(git ls-files 'ir/*.c' 'isa/*.c' 'frontend/*.c' 'schedule/*.c' 'runtime/*.c' 'codegen/*.c' 'api/*.c'); do
    o=build-fuzz/$(echo "$f" | tr / _).o
    if [ ! -e "$o" ] || [ -n "$(find ir isa frontend schedule runtime codegen api include -newer "$o" -name '*.[ch]' -o -newer "$o" -name '*.def' | head -1)" ]; then
        clang "${flags[@]}" -c "$f" -o "$o"
    fi
    objects+=("$o")
done
for t in tests/fuzz/fuzz_*.c; do
    name=$(basename "$t" .c)
    name=${name#fuzz_}
    [ -z "$only" ] || [ "$only" = "$name" ] || continue
    clang "${flags[@]}" -fsanitize=fuzzer,address,undefined "$t" "${objects[@]}" -o "build-fuzz/fuzz_$name" \
        -L"$llvm/lib" -lLLVM -lisl -ljansson -lyaml -lm -lpthread
    mkdir -p "build-fuzz/corpus/$name"
    echo "== $name for $seconds s"
    "build-fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=4096 -artifact_prefix="build-fuzz/crash-$name-" \
        -print_final_stats=1 "build-fuzz/corpus/$name" "tests/corpus/$name" 2>&1 | tail -12
done
