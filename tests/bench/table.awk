# SPDX-License-Identifier: ISC
# The table of a benchmark's results, and below it what was aimed at.
# With two handlers, the first against the second: ~ where the middle rounds of both overlap, so
# that it may be chance; ? where that is not known.

BEGIN { FS = "\t" }

NR == 1 { next }

{
	measure = $1; label = $3
	if (!(measure in unit)) measures[++measures_len] = measure
	if (!(label in role)) labels[++labels_len] = label
	unit[measure] = $4
	role[label] = $2
	value[measure, label] = $5
	low[measure, label] = $6
	high[measure, label] = $7
}

function number(x, measure) {
	if (unit[measure] == "count") return sprintf("%d", x)

	return sprintf((x >= 100) ? "%.0f" : x >= 10 ? "%.1f" : "%.2f", x)
}

function title(measure,   text) {
	text = measure
	gsub(/_/, " ", text)
	if (text ~ /^bulk/) sub(/ 1/, " 1 stream", text) || sub(/ 8/, " 8 streams", text)
	return text
}

# The contestants in the order in which they are read best.
function sort_labels(   roles, roles_len, i, j, n, sorted) {
	roles_len = split("direct floor handler rules peer", roles, " ")
	for (i = 1; i <= roles_len; i++)
		for (j = 1; j <= labels_len; j++)
			if (role[labels[j]] == roles[i]) {
				sorted[++n] = labels[j]
				if (roles[i] == "handler") handlers[++handlers_len] = labels[j]
			}
	for (i = 1; i <= n; i++) labels[i] = sorted[i]
}

function comparison(measure,   a, b, doubt) {
	a = handlers[1]; b = handlers[2]
	if (!((measure, a) in value) || !((measure, b) in value) || value[measure, b] == 0) return ""
	doubt = ""
	if (unit[measure] == "count") doubt = ""
	else if (low[measure, a] == high[measure, a]) doubt = " ?"
	else if (low[measure, a] <= high[measure, b] && low[measure, b] <= high[measure, a]) doubt = " ~"
	return sprintf("%.2f%s", value[measure, a] / value[measure, b], doubt)
}

function cell(measure, label) {
	return ((measure, label) in value) ? number(value[measure, label], measure) : "-"
}

function table(   i, j, measure) {
	printf "%-34s", ""
	for (j = 1; j <= labels_len; j++) printf " %11s", labels[j]
	if (handlers_len > 1) printf "  %s", handlers[1] "/" handlers[2]
	print ""
	for (i = 1; i <= measures_len; i++) {
		measure = measures[i]
		printf "%-34s", title(measure) (unit[measure] == "count" ? "" : ", " unit[measure])
		for (j = 1; j <= labels_len; j++)
			printf " %11s", cell(measure, labels[j])
		if (handlers_len > 1) printf "  %s", comparison(measure)
		print ""
	}
}

function best_peer(measure,   j, best) {
	for (j = 1; j <= labels_len; j++)
		if (role[labels[j]] == "peer" && value[measure, labels[j]] > best)
			best = value[measure, labels[j]]
	return best
}

# Where less is better.
function least_peer(measure,   j, least) {
	for (j = 1; j <= labels_len; j++)
		if (role[labels[j]] == "peer" && (measure, labels[j]) in value && (!least || value[measure, labels[j]] < least))
			least = value[measure, labels[j]]
	return least
}

# One line of the aims: each handler's figure over base, if there is one, against a bound.
function aim(text, measure, base, relation, bound,   j, x) {
	if (base == 0 || !(measure in unit)) return
	printf "%-48s %s %-4s", text, relation, bound
	for (j = 1; j <= handlers_len; j++) {
		if (!((measure, handlers[j]) in value)) continue
		x = value[measure, handlers[j]] / base
		printf "  %s%s%s", (handlers_len > 1 ? handlers[j] ": " : ""), number(x, base == 1 ? measure : ""),
			((relation == "<=" ? x <= bound : x >= bound) ? "" : " (missed)")
	}
	print ""
}

# The aim for CPU time is 1.2 s/GiB where one plain stream costs 0.6; so eight are held against one
# plain stream too, though eight plain ones cost less each.
function aims(   i, measure, plain, more) {
	aim("setup p50, of the floor's", "setup_p50", value["setup_p50", "floor"], "<=", 1.3)
	for (i = 1; i <= measures_len; i++) {
		measure = measures[i]
		if (measure ~ /^bulk.*_cpu$/) {
			plain = measure
			sub(/_8/, "_1", plain)
			aim(title(measure) ", of direct's 1 stream", measure, value[plain, "direct"], "<=", 2.0)
		}
		else if (measure ~ /^udp.*_proxy_cpu$/)
			aim(title(measure) ", of the best peer's", measure, least_peer(measure), "<=", 1.0)
		else if (measure ~ /^(bulk|udp.*(_byte|_trains|_way)$)/)
			aim(title(measure) ", of the best peer's", measure, best_peer(measure), ">=", 1.0)
	}
	if (("setup_p50", "1000-rules") in value) {
		more = (value["setup_p50", "1000-rules"] - value["setup_p50", handlers[1]]) / 1000
		printf "%-48s %s %-4s  %.2f%s\n", "a thousand rules, ms more", "<=", 1, more, (more <= 1 ? "" : " (missed)")
	}
	aim("idle connection, KB", "idle_connection", 1, "<=", 80)
	aim("system calls until the reply", "syscalls", 1, "<=", 50)
	aim("minor faults until the reply", "minor_faults", 1, "<=", 45)
}

END {
	sort_labels()
	table()
	if (handlers_len > 0) { print "\naims"; aims() }
}
