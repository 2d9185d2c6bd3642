# The pictures of tests/bench/plot. Variables: out, the directory. Columns of the TSV:
# 1 claim, 2 what, 3 curve, 4 x, 5 who, 6 better, 7 median, 12 p99, 14 ratio, 16 goal, 17 verdict.

function escaped(words) {
	gsub(/&/, "\\&amp;", words)
	gsub(/</, "\\&lt;", words)
	return words
}
function text(x, y, anchor, size, words) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\">%s</text>\n", x, y, anchor, size, escaped(words) > file
}
function line(x1, y1, x2, y2, color) {
	printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, color > file
}
function box(x, y, width, height, color) {
	printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x, y, width, height, color > file
}
function begin(name, width, height) {
	file = out "/" name ".svg"
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\">\n", \
		width, height, width, height > file
	box(0, 0, width, height, "white")
}
function finish() {
	print "</svg>" > file
	close(file)
	print file
}
function short(n) {
	return n >= 999999 ? sprintf("%.3gM", n / 1e6) : n >= 1000 ? sprintf("%.3gk", n / 1e3) : sprintf("%.3g", n)
}
function log2(x) {
	return log(x) / log(2)
}
function color(j) {
	return j == 1 ? "#06c" : sprintf("hsl(%d,60%%,45%%)", (j * 97) % 360)
}

# How far each goal was reached, as bars of the logarithm: the line is the goal.
function ratios(   i, y, x, width, zero) {
	for (i = 1; i <= goals; i++)
		zero = length(label[i]) > zero ? length(label[i]) : zero
	zero = 12 + 5.6 * zero + 105 # the labels, then the longest bar to the left
	begin("ratios", zero + 370, 56 + 16 * goals)
	text(12, 20, "start", 14, "What was reached: the line is the goal; behind the bar the figure or its ratio to the peer (and the goal)")
	line(zero, 34, zero, 44 + 16 * goals, "black")
	for (i = 1; i <= goals; i++) {
		y = 36 + 16 * i
		x = log2(reach[i]) * 48
		x = x > 200 ? 200 : x < -90 ? -90 : x
		width = x < 0 ? -x : x
		text(zero - 105, y, "end", 11, label[i])
		box(x < 0 ? zero + x : zero, y - 9, width < 1 ? 1 : width, 11, reach[i] < 1 ? "#c44" : "#48a")
		text(x < 0 ? zero + 4 : zero + 4 + x, y, "start", 11, told[i])
	}
	finish()
}

# Where in a panel a value comes to stand.
function place_x(key, value) {
	return left + 60 + 330 * log(value / low[key]) / log(high[key] / low[key])
}

function axes(key, title,   i, x, at, seen) {
	text(left + 10, top + 18, "start", 12, title)
	line(left + 60, top + 30, left + 60, top + 210, "black")
	line(left + 60, top + 210, left + 395, top + 210, "black")
	text(left + 56, top + 40, "end", 10, short(tallest[key]))
	text(left + 56, top + 210, "end", 10, floor_of[key] > 0 ? short(floor_of[key]) : "0")
	at = -100
	for (i = 1; i <= points[key]; i++) {
		x = place_x(key, px[key, i])
		if (pn[key, i] != series[key, 1] || x < at + 28)
			continue
		text(x, top + 224, "middle", 10, short(px[key, i]))
		at = x
	}
}

# Lines over a logarithmic x; y from 0, or logarithmic too where it spans much.
function panel(key, title,   i, j, x, y, path, span) {
	axes(key, title)
	for (j = 1; j <= names[key]; j++) {
		path = ""
		for (i = 1; i <= points[key]; i++) {
			if (pn[key, i] != series[key, j])
				continue
			span = floor_of[key] > 0 ? log(py[key, i] / floor_of[key]) / log(tallest[key] / floor_of[key]) : \
				py[key, i] / tallest[key]
			x = place_x(key, px[key, i])
			y = top + 210 - 175 * span
			path = path (path == "" ? "M" : "L") sprintf("%.1f %.1f", x, y)
			box(x - 2, y - 2, 4, 4, color(j))
		}
		printf "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"%d\"/>\n", path, color(j), j == 1 ? 3 : 1.5 > file
	}
	legend(key)
}

function legend(key,   j, x, y, width) {
	x = left + 60
	y = top + 241
	for (j = 1; j <= names[key]; j++) {
		width = 24 + 6 * length(series[key, j])
		if (x + width > left + 415) {
			x = left + 60
			y += 15
		}
		box(x, y - 9, 9, 9, color(j))
		text(x + 12, y, "start", 11, series[key, j])
		x += width
	}
}

function curves(picture,   k, n, parts) {
	for (k = 1; k <= keys; k++)
		n += drawn(key_of[k], picture)
	if (n == 0)
		return
	begin(picture, 840, 275 * int((n + 1) / 2))
	n = 0
	for (k = 1; k <= keys; k++) {
		if (!drawn(key_of[k], picture))
			continue
		split(key_of[k], parts, SUBSEP)
		left = n % 2 * 420
		top = int(n / 2) * 275
		n++
		floor_of[key_of[k]] = tallest[key_of[k]] > 50 * smallest[key_of[k]] ? smallest[key_of[k]] : 0
		panel(key_of[k], parts[2])
	}
	finish()
}

# Few pictures of related things.
function picture_of(claim) {
	return claim == "csvsplit" ? "csv" : claim == "websocket" || claim == "hub" ? "websocket" : "tcp"
}

function drawn(key, picture,   parts) {
	split(key, parts, SUBSEP)
	return parts[1] == picture && high[key] > low[key] && tallest[key] > 0
}

function point(key, name, x, y,   j) {
	if (!(key in points)) {
		key_of[++keys] = key
		points[key] = 0
		low[key] = x
		smallest[key] = y
	}
	for (j = 1; j <= names[key] && series[key, j] != name; j++)
		;
	if (j > names[key])
		series[key, names[key] = j] = name
	# In the order of x, whatever the order of the runs.
	for (j = ++points[key]; j > 1 && px[key, j - 1] > x; j--) {
		pn[key, j] = pn[key, j - 1]
		px[key, j] = px[key, j - 1]
		py[key, j] = py[key, j - 1]
	}
	pn[key, j] = name
	px[key, j] = x
	py[key, j] = y
	if (x < low[key]) low[key] = x
	if (x > high[key]) high[key] = x
	if (y > tallest[key]) tallest[key] = y
	if (y < smallest[key]) smallest[key] = y
}

# What stands in a curve's legend: of a command that reads a file its first word.
function named(who) {
	sub(/ .*/, "", who)
	return who
}

/^#/ || $1 == "claim" {
	next
}

$3 != "" && $7 + 0 > 0 {
	point(picture_of($1) SUBSEP $3, named($5), $4 + 0, $7 + 0)
	if ($12 + 0 > 0 && $6 == "more")
		point(picture_of($1) SUBSEP $3 ": p99, us", named($5), $4 + 0, $12 + 0)
}

# Of the peers of one figure the one that is hardest to reach.
$17 == "met" || $17 == "SHORT" {
	wanted = $16
	gsub(/[^0-9.]/, "", wanted)
	reached = $14 == "" ? $7 : $14
	share = $14 == "" && $6 == "less" ? wanted / reached : reached / wanted
	if ($1 SUBSEP $2 != key)
		goals++
	else if (share >= reach[goals])
		next
	key = $1 SUBSEP $2
	reach[goals] = share
	label[goals] = $1 ": " $2
	told[goals] = short(reached) ($14 == "" ? "" : "x " named($5)) "  (" $16 ")"
}

END {
	if (goals > 0)
		ratios()
	curves("tcp")
	curves("websocket")
	curves("csv")
}
