# Prints "N passed, N failed, N skipped" of the events in gotestsum's
# --jsonfile-timing-events, and fails when a test failed or, with ci set, was skipped.
# A package that fails without a failed test (it does not compile, say) counts as one; a
# seed that a fuzz target has no use for does not count.
{
	match($0, /"Package":"[^"]*"/)
	package = substr($0, RSTART, RLENGTH)
	match($0, /"Action":"[a-z]*"/)
	action = substr($0, RSTART + 10, RLENGTH - 11)
}
/"Test":"/ {
	if (action == "skip" && /"Test":"Fuzz/) next
	count[action]++
	if (action == "fail") explained[package] = 1
	next
}
action == "fail" && !explained[package] { count["fail"]++ }
END {
	if (status && !count["fail"]) count["fail"] = 1
	if (ci && count["skip"]) print "with CI set a skipped test is a failure"
	printf "%d passed, %d failed, %d skipped\n", count["pass"], count["fail"], count["skip"]
	exit count["fail"] > 0 || (ci != "" && count["skip"] > 0)
}
