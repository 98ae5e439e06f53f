#!/usr/bin/env bash
# Waivers of gates: made, listed, checked by openssl, and of no use once they are changed, over or by somebody else. Needs no
# distribution. What the gates see is in farm_test, with real packages.
. "$(dirname "$0")/lib.sh"
export NACRE_HOME=$scratch/home NACRE_OS_DIR=$scratch/os
command -v python3 >/dev/null && command -v openssl >/dev/null || skip "no python3 or no openssl"
mkdir -p "$NACRE_OS_DIR/packages"
waive() { "$NACRE" farm waive --quiet "$@"; }
today=$(date -u +%F)

check "nothing is waived yet" waive
says "  and it says so" "$out" "no gate is waived"
check "a key of a person" waive --new-key --who anna --key "$scratch/anna.pem"
same "  that nobody else may read" 600 "$(stat -c %a "$scratch/anna.pem")"
check "a waiver" waive size nginx --reason 'asked for: "x" # 1' --days 3 --key "$scratch/anna.pem"
check "  is listed" waive --json
same "  and counts" "True anna $today" "$(json '[0]["counts"]' <"$out") $(json '[0]["who"]' <"$out") $(json '[0]["from"]' <"$out")"

# ---- the signature is over a plain text

until=$(json '[0]["until"]' <"$out")
printf 'nacre waiver 1\ngate: size\nsubject: nginx\nversion: *\nwho: anna\nreason: asked for: "x" # 1\nfrom: %s\nuntil: %s\n' \
  "$today" "$until" >"$scratch/text"
sed -n 's/^ *signature: //p' "$NACRE_OS_DIR/waivers.yaml" | base64 -d >"$scratch/signature"
check "openssl agrees with the signature" \
  openssl dgst -sha256 -verify "$NACRE_OS_DIR/keys/people/anna.pub" -signature "$scratch/signature" "$scratch/text"

# ---- refusals

what="no such gate" expect_error 2 "did you mean 'size'?" -- waive siez nginx --reason x --key "$scratch/anna.pem"
what="no reason" expect_error 2 "--reason says why" -- waive size nginx --key "$scratch/anna.pem"
what="too long" expect_error 6 "91 days, the policy allows 90" -- waive size nginx --reason x --days 91 --key "$scratch/anna.pem"
printf 'gates:\n  waivers: {days: 2}\n' >"$NACRE_OS_DIR/farm.yaml"
what="too long for this policy" expect_error 6 "14 days, the policy allows 2" -- waive size nginx --reason x --key "$scratch/anna.pem"
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$scratch/eve.pem" 2>/dev/null ||
  openssl ecparam -genkey -noout -name prime256v1 -out "$scratch/eve.pem"
what="a key that is nobody's" expect_error 6 "this key is nobody's" -- waive size nginx --reason x --days 1 --key "$scratch/eve.pem"
what="a key over another" expect_error 4 "is there already" -- waive --new-key --who anna --key "$scratch/anna.pem"
what="a name that leads away" expect_error 2 "'who' is letters" -- waive --new-key --who ../eve --key "$scratch/e.pem"

# ---- what counts for nothing is named

why() { json '[0]["why"]' <"$out"; }
check "under a shorter policy" waive --json
same "  it is too long" "it is for 3 days, the policy allows 2" "$(why)"
rm "$NACRE_OS_DIR/farm.yaml"
cp "$NACRE_OS_DIR/waivers.yaml" "$scratch/good.yaml"
sed -i 's/subject: nginx/subject: glibc/' "$NACRE_OS_DIR/waivers.yaml"
check "with another subject" waive --json
same "  the signature does not fit" "its signature is not anna's over this text" "$(why)"
sed '/signature:/d' "$scratch/good.yaml" >"$NACRE_OS_DIR/waivers.yaml"
check "without a signature" waive --json
same "  it does not count" "it is not signed" "$(why)"
cp "$scratch/good.yaml" "$NACRE_OS_DIR/waivers.yaml"
openssl pkey -in "$scratch/eve.pem" -pubout -out "$NACRE_OS_DIR/keys/people/anna.pub" 2>/dev/null
check "when anna's key is another" waive --json
same "  the signature does not fit" "its signature is not anna's over this text" "$(why)"
rm "$NACRE_OS_DIR/keys/people/anna.pub"
check "when anna is gone" waive --json
same "  nor does the waiver count" "'anna' has no key in keys/people" "$(why)"
printf 'waivers:\n  - gate: size\n    subjcet: nginx\n' >"$NACRE_OS_DIR/waivers.yaml"
what="a typing error" expect_error 2 "waivers.yaml:3:5: a waiver has no key 'subjcet'" "did you mean 'subject'?" -- waive
finish
