# csvsplit compared with other readers of CSV, TSV and JSON.
load ../helper

python=/usr/bin/python3

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	[ -x "$python" ] || python=$(command -v python3) || skip "no python3"
}

# Random records written by Python's csv module with each of its quoting modes; with odd seeds all have the same width.
random_csv() {
	"$python" - "$1" >"$2" <<'END'
import csv, random, sys
seed = int(sys.argv[1])
random.seed(seed)
letters = ['a', 'b', 'é', '€', '😀', ' ', ',', '"', '\n', '\r\n', '\t', '\\', ';', "'", '\x01', 'word' * 20]
quoting = random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
out = csv.writer(open(1, 'w', newline='', encoding='utf-8'), quoting=quoting,
                 lineterminator=random.choice(['\n', '\r\n']))
for i in range(random.randrange(400)):
    width = 4 if seed % 2 or random.random() < 0.9 else random.randrange(1, 9)
    out.writerow([''.join(random.choices(letters, weights=[9] * 6 + [2] * 10, k=random.randrange(12)))
                  for i in range(width)])
END
}

# Reads a file with Python's csv module (strict) and writes its records as JSON, one per line.
read_csv() {
	"$python" -c '
import csv, json, sys
csv.field_size_limit(1 << 30)
for record in csv.reader(open(sys.argv[1], newline="", encoding="utf-8"), strict=True):
    print(json.dumps(record))' "$1"
}

# Reads JSON Lines or TSV with Python and writes the same form.
read_json() {
	"$python" -c '
import json, sys
for line in open(sys.argv[1], newline="\n", encoding="utf-8"):
    print(json.dumps(json.loads(line)))' "$1"
}

read_tsv() {
	"$python" -c '
import json, re, sys
unescape = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
for line in open(sys.argv[1], newline="\n", encoding="utf-8"):
    fields = line[:-1].split("\t")
    print(json.dumps([re.sub(r"\\(.)", lambda m: unescape[m[1]], f) for f in fields]))' "$1"
}

@test "every exact format, decoded again, has the fields that Python's csv module reads" {
	for seed in $(seq 40); do
		random_csv "$seed" in.csv
		read_csv in.csv >expected
		((seed % 2)) && strict=-S || strict=
		csvsplit $strict -O json in.csv >out.json
		csvsplit $strict -O tsv in.csv >out.tsv
		csvsplit $strict -O csv in.csv >out.csv
		read_json out.json | diff expected -
		read_tsv out.tsv | diff expected -
		read_csv out.csv | diff expected -
		csvsplit $strict -O nul in.csv >out.nul
		"$python" -c '
import json
print("".join("".join(field + "\0" for field in json.loads(line)) for line in open("expected")), end="")' |
			cmp - out.nul
	done
}

@test "selected fields agree with Python's slices" {
	for seed in $(seq 41 60); do
		random_csv "$seed" in.csv
		csvsplit -f 3,1,~1,2- -O json in.csv >got
		read_csv in.csv | "$python" -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    at = lambda i: r[i] if i < len(r) else ""
    print(json.dumps([at(2), at(0), r[-1]] + r[1:]))' >expected
		read_json got | diff expected -
		csvsplit -f 1,3 -O csv in.csv >got.csv
		csvsplit -f 1,3 -O json in.csv | sed '/^\["",""\]$/d' >got
		read_csv got.csv | sed '/^\["", ""\]$/d' | diff <(read_json got) -
	done
}

@test "every dialect that Python's csv module writes is read" {
	for seed in $(seq 60); do
		"$python" - "$seed" >in.csv 3>expected 4>options <<'END'
import csv, json, random, sys
random.seed(int(sys.argv[1]))
letters = ['a', 'b', 'é', ' ', ',', '"', '\n', '\r\n', '\t', '\\', ';', "'", '^', '|', 'word' * 20]
escape = random.choice([None, '\\', '^'])
quoting = random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL] + [csv.QUOTE_NONE] * (escape is not None))
delimiter, quote = random.choice(',;\t|'), random.choice('"\'')
out = csv.writer(open(1, 'w', newline='', encoding='utf-8'), delimiter=delimiter, quotechar=quote, escapechar=escape,
                 doublequote=escape is None or random.random() < 0.5, quoting=quoting, lineterminator='\r\n')
rows = [[''.join(random.choices(letters, k=random.randrange(9))) for i in range(3)] for i in range(random.randrange(90))]
blank = random.random() < 0.5
for row in rows:
    out.writerow(row)
    if blank and random.random() < 0.2:
        out.writerow([])
for row in rows:
    print(json.dumps(row), file=open(3, 'a', closefd=False))
options = ['-d', delimiter] + (['-e', escape] if escape else []) + ['-B'] * blank
options += ['-Q'] if quoting == csv.QUOTE_NONE else ['-q', quote]
print('\n'.join(options), file=open(4, 'w'))
END
		mapfile -t options <options
		csvsplit "${options[@]}" -O json in.csv >got
		read_json got | diff expected - || { printf '%s ' "$seed" "${options[@]}"; return 1; }
		csvsplit "${options[@]}" -O tsv in.csv | csvsplit -I tsv -O json | cmp got -
		csvsplit "${options[@]}" -O csv -D '|' in.csv >out.csv
		"$python" -c '
import csv, json
for row in csv.reader(open("out.csv", newline="", encoding="utf-8"), delimiter="|", strict=True):
    print(json.dumps(row))' | diff expected -
	done
}

@test "TSV with any escapes is read as Python reads it" {
	for seed in $(seq 20); do
		"$python" -c '
import json, random, re, sys
random.seed(int(sys.argv[1]))
text = "".join(random.choices(["a", "é", "\t", "\n", "\r\n", "\\t", "\\n", "\\r", "\\\\", "\\", "x", "\"", ","], k=900)) + "z"
open("in.tsv", "w", newline="").write(text)
undo = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
for line in re.split("\r?\n", text):
    print(json.dumps([re.sub(r"\\([tnr\\])", lambda m: undo[m[1]], f) for f in line.split("\t")]))' "$seed" >expected
		csvsplit -I tsv -O json in.tsv >got
		read_json got | diff expected -
		dd bs=$((seed * 3)) status=none <in.tsv | csvsplit -I tsv -O json | cmp got -
	done
}

@test "U+FFFD is written where Python's decoder writes it" {
	for seed in 1 2 3 4 5 6; do
		"$python" -c '
import random, sys
random.seed(int(sys.argv[1]))
parts = [b"a", b",", b"\n", b"\xe2\x82", b"\xc3\xa9", b"\xff", b"\xf0\x9f\x98", b"\x80", b"\xed\xa0\x80", b"\xf4\x90"]
open("in.csv", "wb").write(b"".join(random.choices(parts, k=3000)) + b"\n")' "$seed"
		csvsplit --replace -O json in.csv | "$python" -c '
import json, sys
got = [json.loads(line) for line in sys.stdin]
want = [[f.decode("utf-8", "replace") for f in line.split(b",")] for line in open("in.csv", "rb").read()[:-1].split(b"\n")]
assert got == want'
	done
}
