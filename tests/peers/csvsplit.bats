# csvsplit compared with other readers of CSV, TSV and JSON.
load ../helper

python=/usr/bin/python3

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	[ -x "$python" ] || python=$(command -v python3) || skip "no python3"
}

# Random records in a random dialect of Python's csv module, in.csv; the options of csvsplit for it, and the records in
# each format and of some fields. Records that -S accepts have the same width.
random_records() {
	"$python" - "$1" <<'END'
import csv, json, random, sys
random.seed(int(sys.argv[1]))
letters = ['a', 'b', 'é', '€', '😀', ' ', ',', '"', '\n', '\r\n', '\t', '\\', ';', "'", '^', '|', '\x01', 'word' * 20]
escape = random.choice([None, '\\', '^'])
quoting = random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL] + [csv.QUOTE_NONE] * (escape is not None))
delimiter, quote, end = random.choice(',;\t|'), random.choice('"\''), random.choice(['\n', '\r\n'])
blank = random.random() < 0.5
strict = random.random() < 0.5 and (quoting != csv.QUOTE_NONE or end == '\r\n') # else a CR is not escaped
uneven = not strict and quoting != csv.QUOTE_NONE
rows = [[''.join(random.choices(letters, [6] * 6 + [2] * 12, k=random.randrange(12)))
         for i in range(random.choice([4, 4, 4, 1, 9]) if uneven else 4)] for i in range(random.randrange(200))]
with open('in.csv', 'w', newline='', encoding='utf-8') as file:
    out = csv.writer(file, delimiter=delimiter, quotechar=quote, escapechar=escape,
                     doublequote=escape is None or random.random() < 0.5, quoting=quoting, lineterminator=end)
    for row in rows:
        out.writerows([row] + [[]] * (blank and random.random() < 0.2))
options = ['-d', delimiter] + (['-e', escape] if escape else []) + ['-B'] * blank + ['-S'] * strict
options += ['-Q'] if quoting == csv.QUOTE_NONE else ['-q', quote]
put = lambda name, text: open(name, 'w', newline='', encoding='utf-8').write(text)
as_json = lambda rows: ''.join(json.dumps(r, ensure_ascii=False, separators=(',', ':')) + '\n' for r in rows)
at = lambda r, i: r[i] if i < len(r) else ''
put('options', ''.join(o + '\n' for o in options))
put('json', as_json(rows))
put('selected', as_json([at(r, 2), r[0], r[-1]] + r[1:] for r in rows))
put('nul', ''.join(f + '\0' for r in rows for f in r))
put('tsv', ''.join('\t'.join(f.translate({92: '\\\\', 9: '\\t', 10: '\\n', 13: '\\r'}) for f in r) + '\n' for r in rows))
END
}

@test "records in each dialect of Python's csv module are the same in every format, and selected as Python's slices" {
	for seed in $(seq 80); do
		random_records "$seed"
		mapfile -t options <options
		for format in json tsv nul; do
			csvsplit "${options[@]}" -O $format in.csv | cmp - $format || { printf '%s ' "$seed" "${options[@]}"; return 1; }
		done
		csvsplit "${options[@]}" -f 3,1,~1,2- -O json in.csv | cmp - selected
		csvsplit -I tsv -O json tsv | cmp - json
		csvsplit "${options[@]}" -O csv -D '|' in.csv | "$python" -c '
import csv, json, sys
for row in csv.reader(open(0, newline="", encoding="utf-8"), delimiter="|", strict=True):
    print(json.dumps(row, ensure_ascii=False, separators=(",", ":")))' | cmp - json
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
    print(json.dumps([re.sub(r"\\([tnr\\])", lambda m: undo[m[1]], f) for f in line.split("\t")], ensure_ascii=False,
                     separators=(",", ":")))' "$seed" >expected
		csvsplit -I tsv -O json in.tsv >got
		cmp got expected
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
