#!/usr/bin/env bash
# Guest images do not depend on where they are built: builds them from two copies of the sources, with different source,
# build and cache paths and without the compiler cache, and compares every image, PDB, certificate and the disk.
#
#   build_twice.sh <repository> <dependency cache> <LLVM tools> <scratch folder>
set -euo pipefail
root=$1 cache=$2 llvm=$3 scratch=$4

rm -rf "$scratch"
mkdir -p "$scratch"
trap 'rm -rf "$scratch"' EXIT

copy_sources() {  # <to>
  local part
  mkdir -p "$1/vtl"
  for part in cmake tools images securekernel iumdll vtl/abi; do
    [[ ! -e $root/$part ]] || cp -r "$root/$part" "$1/$part"
  done
}

build() {  # <sources> <build folder> <cache> <log>
  cmake -G Ninja -S "$1/images" -B "$2" -DCMAKE_TOOLCHAIN_FILE="$1/cmake/windows-guest.cmake" -DGUEST_LLVM="$llvm" \
    -DAIRLOCK_CACHE="$3" -DAIRLOCK_NO_CCACHE=ON >"$4" 2>&1 &&
    ninja -C "$2" >>"$4" 2>&1 || { tail -n 60 "$4"; echo "the build in $2 failed"; exit 1; }
}

first=$scratch/a second="$scratch/second/copy with a longer path"
copy_sources "$first"
copy_sources "$second"
ln -s "$cache" "$scratch/other-cache"
build "$first" "$first/build" "$cache" "$scratch/first.log"
build "$second" "$scratch/out" "$scratch/other-cache" "$scratch/second.log"

results() { (cd "$1" && find disk.img images pki -type f ! -name '*.template' | sort); }
diff <(results "$first/build") <(results "$scratch/out") || { echo "the two builds made different files"; exit 1; }
different=0 compared=0
while IFS= read -r file; do
  compared=$((compared + 1))
  if ! cmp "$first/build/$file" "$scratch/out/$file"; then
    different=$((different + 1))
  fi
done < <(results "$first/build")
images=$(find "$first/build/images" -name '*.pdb' | wc -l)
echo "$compared files compared, $images images, $different differ"
(( different == 0 && images > 0 ))
