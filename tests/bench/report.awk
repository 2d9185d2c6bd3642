# One contest as a table and as lines of TSV. On stdin `I RUN FIGURE CPU P50 P99 P999
# FAULTS` for each run of contestant I, `I failed WHY`; their names, NAME[@GOAL] in
# order, in the file `names`. Exits with 1 if the program of fittings failed.
# Variables: claim what better goal field names tsv, header (print the header of the table).

function figure(n) {
	return n == "" ? "" : sprintf(n >= 100 ? "%.0f" : n >= 10 ? "%.1f" : "%.2f", n)
}

# Sets median, low and high of v[1..n].
function spread(v, n,   i, j, t) {
	median = low = high = ""
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j] < v[j - 1]; j--) {
			t = v[j]
			v[j] = v[j - 1]
			v[j - 1] = t
		}
	if (n == 0)
		return
	median = v[int((n + 1) / 2)]
	low = v[1]
	high = v[n]
}

# The median of field f of contestant i; "" without a value.
function middle(i, f,   r, n, v) {
	for (r in runs)
		if ((i, r, f) in got && (got[i, r, f] > 0 || f == field))
			v[++n] = got[i, r, f] + 0
	spread(v, n)
	return median
}

# The median ratio of the first contestant to contestant i, run by run, above 1 if the first is better.
function ratio(i, f, more,   r, n, v) {
	for (r in runs)
		if (got[1, r, f] > 0 && got[i, r, f] > 0)
			v[++n] = more ? got[1, r, f] / got[i, r, f] : got[i, r, f] / got[1, r, f]
	spread(v, n)
	return median == "" ? "" : sprintf("%.2f", median)
}

function columns(a, b, c, d, e, f, g, h) {
	return sprintf("   %-44s %9s %20s %8s %9s %8s  %-20s %s", a, b, c, d, e, f, g, h)
}

# The goal for contestant i, as text, and whether it is met.
function judge(i, value, wanted,   reached) {
	shown = verdict = ""
	if (wanted == "-" || wanted == "")
		return
	shown = i == 1 ? (better == "more" ? ">= " : "<= ") wanted : ">= " wanted "x"
	if (value == "")
		return
	reached = i == 1 && better == "less" ? value + 0 <= wanted + 0 : value + 0 >= wanted + 0
	verdict = reached ? "met" : "SHORT"
}

function put(i,   name, own, r, cpu, lean, times, p50, p99, p999, m) {
	name = who[i]
	own = i == 1 ? "-" : goal
	if (match(name, /@[^@]*$/)) {
		own = substr(name, RSTART + 1)
		name = substr(name, 1, RSTART - 1)
	}
	if (i in failure) {
		judge(i, "", own)
		printf "%s\n", columns(name, "failed", failure[i], "", "", "", "", shown)
		print claim, what, name, better, "failed", "", "", "", "", "", "", "", "", shown, "failed" >> tsv
		return
	}
	cpu = middle(i, 2)
	p50 = middle(i, 3)
	p99 = middle(i, 4)
	p999 = middle(i, 5)
	r = i == 1 ? "" : ratio(i, field, better == "more")
	lean = i == 1 ? "" : ratio(i, 2, 0)
	m = middle(i, field)
	judge(i, i == 1 ? m : r, own)
	times = p50 == "" ? "" : figure(p50) "/" figure(p99) "/" figure(p999)
	if (field > 1)
		cpu = lean = times = "" # printed only once
	printf "%s\n", columns(name, figure(m), figure(low) " .. " figure(high), r == "" ? "" : r "x", figure(cpu), \
		lean == "" ? "" : lean "x", times, shown == "" ? "" : shown " " verdict)
	print claim, what, name, better, m, low, high, cpu, p50, p99, p999, r, lean, shown, verdict >> tsv
}

BEGIN {
	OFS = "\t"
	while ((getline line < names) > 0)
		who[++contestants] = line
}

$2 == "failed" {
	i = $1
	sub(/^[0-9]+ failed /, "")
	failure[i] = $0
	next
}

{
	runs[$2] = 1
	for (f = 3; f <= NF; f++)
		got[$1, $2, f - 2] = $f
}

END {
	if (header)
		print columns("", "median", "spread", "ratio", "CPU us", "ratio", "p50/p99/p999 us", "goal")
	print what
	for (i = 1; i <= contestants; i++) {
		if (middle(i, field) == "" && !(i in failure))
			failure[i] = "no figure"
		put(i)
	}
	exit (1 in failure)
}
