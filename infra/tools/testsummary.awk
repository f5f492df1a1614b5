# Prints "N passed, N failed, N skipped" of files of events, each gotestsum's
# --jsonfile-timing-events of one run of tests, and fails when a test failed or, with ci
# set, was skipped. Of a test that a run tried again the second result counts, and it is
# named. A test that several runs have counts once: as failed when one of them failed, as
# skipped when none did it.
# A package that fails without a failed test (it does not compile, say) counts as one; a
# seed that a fuzz target has no use for does not count.
function field(name) {
	if (!match($0, "\"" name "\":\"([^\"\\\\]|\\\\.)*\"")) return ""
	return substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 5)
}
BEGIN { rank["skip"] = 1; rank["pass"] = 2; rank["fail"] = 3 }
/"Action":"(pass|fail|skip)"/ {
	action = field("Action")
	package = field("Package")
	test = field("Test")
	if (action == "skip" && (test == "" || test ~ /^Fuzz/)) next
	key = FILENAME SUBSEP package SUBSEP test
	if (result[key] == "fail" && test != "") again[key] = 1
	result[key] = action
}
END {
	for (key in result) {
		split(key, part, SUBSEP)
		if (part[3] == "") continue
		name = part[2] " " part[3]
		if (rank[result[key]] > rank[best[name]]) best[name] = result[key]
		if (result[key] == "fail") explained[part[1], part[2]] = 1
		else if (key in again) print "failed, and passed when it ran once more: " name
	}
	for (name in best) count[best[name]]++
	for (key in result) {
		split(key, part, SUBSEP)
		if (part[3] == "" && result[key] == "fail" && !((part[1], part[2]) in explained)) count["fail"]++
	}
	if (status && !count["fail"]) count["fail"] = 1
	if (ci && count["skip"]) print "with CI set a skipped test is a failure"
	printf "%d passed, %d failed, %d skipped\n", count["pass"], count["fail"], count["skip"]
	exit count["fail"] > 0 || (ci != "" && count["skip"] > 0)
}
