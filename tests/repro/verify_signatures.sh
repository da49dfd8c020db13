#!/usr/bin/env bash
# A second opinion on our signatures: osslsigncode, which shares no code with the guest's verifier, accepts every signed
# image under its root, none under another root, and none with one byte changed.
#
#   verify_signatures.sh <osslsigncode> <guest build folder> <scratch folder>
set -euo pipefail
osslsigncode=$1 guests=$2 scratch=$3
mkdir -p "$scratch"

accepts() {  # <root> <image>
  "$osslsigncode" verify -CAfile "$guests/pki/$1.root.pem" -in "$2" >"$scratch/log" 2>&1
}

signed=0 unsigned=0 wrong=0
complain() { echo "$*"; tail -n 5 "$scratch/log"; wrong=$((wrong + 1)); }
for image in "$guests"/images/*.{exe,dll,sys,efi}; do
  [[ -e $image ]] || continue
  accepted=
  for root in production test foreign; do
    if accepts "$root" "$image"; then accepted+="$root "; fi
  done
  if grep -q "No signature found" "$scratch/log"; then
    unsigned=$((unsigned + 1))
    continue
  fi
  signed=$((signed + 1))
  [[ $accepted =~ ^[a-z]+\ $ ]] || { complain "$image: accepted by '${accepted}', not by exactly one root"; continue; }
  cp "$image" "$scratch/flipped"
  offset=$(($(stat -c %s "$image") / 4))
  byte=$(od -An -tu1 -j "$offset" -N 1 "$image")
  # shellcheck disable=SC2059
  printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$scratch/flipped" bs=1 seek="$offset" conv=notrunc status=none
  if accepts "${accepted% }" "$scratch/flipped"; then complain "$image: accepted with byte $offset changed"; fi
done
echo "$signed signed images, $unsigned unsigned, $wrong wrong"
(( signed > 0 && wrong == 0 ))
