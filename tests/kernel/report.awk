# Prints what became of each program, and fails unless all of them passed. Reads, by the
# variable `part`: the manifest, in fields that end with a tab; what rustdoc printed while
# it built the doc-tests; the console. `fault` is what was wrong with the machine.

function wrong(what) { faults[++red] = what }

part == "manifest" {
    split($0, field, "\t")
    # Seconds and directory, assignments, and then the program.
    for (i = 3; field[i] ~ /=/; i++) ;
    manifest[++expected] = field[i]
    if (field[i] ~ /^\/programs\/doc-tests/)
        alone++
    next
}

# Of those that must not compile, rustdoc is the judge. It counts those that stand alone
# as well, having taken the collector's exit for theirs.
part == "rustdoc" && /^test result: / { compiled += $4; next }

$1 == "@up" { release = $2 }

$1 == "@start" {
    path = $3
    name = path
    sub(/^\/tests\//, "", name)
    if ($2 != ++started || path != manifest[started])
        wrong("program " started " of the manifest is " manifest[started] ", not " path)
    announced = summaries = passed = failed = ignored = left_out = 0
}

# Of libtest.
/^running [0-9]+ tests?$/ { announced += $2 }
/^test result: / { summaries++; passed += $4; failed += $6; ignored += $8 }

/LEFT OUT: / {
    left_out++
    omission = $0
    sub(/.*LEFT OUT: /, "", omission)
    omissions[++omitted] = (name ? name ": " : "") omission
}

$1 == "@end" {
    ended++
    remark = $0
    sub(/^@end [0-9]+ /, "", remark)
    if ($2 != started || remark !~ /^exited 0 after [0-9]+ ms$/)
        wrong(name " " remark)
    if (path ~ /^\/tests\//) {
        if (summaries != 1)
            wrong(name " printed " summaries " summaries, not 1")
        if (announced != passed + failed + ignored)
            wrong(name " announced " announced " tests, but counts " passed + failed + ignored)
        if (failed)
            wrong(name " failed " failed " tests")
    } else if (remark ~ /^exited 0 /)
        passed = 1
    else
        failed = 1
    row(name, passed, failed, ignored, left_out, $6)
}

$1 == "@done" { done = $2 }
$0 == "exit code 0, power off" { off = 1 }

function row(name, passed, failed, ignored, left_out, millis) {
    rows = rows sprintf("%-28s %6d %6d %7d %8d %8.1f s\n", \
        name, passed, failed, ignored, left_out, millis / 1000)
    all_passed += passed; all_failed += failed; all_ignored += ignored; time += millis
}

END {
    if (ended != expected || done != expected)
        wrong("the manifest has " expected " programs, " ended + 0 " ended, and the init counts " done + 0)
    if (fault)
        wrong(fault)
    if (!off)
        wrong("the init did not come to its end")
    if (compiled > alone)
        row("doc, refused by rustc", compiled - alone, 0, 0, 0, 0)
    row("total", all_passed, all_failed, all_ignored, omitted, time)
    printf "\n%-28s %6s %6s %7s %8s %10s\n%s", \
        "on Linux " release, "passed", "failed", "ignored", "left out", "time", rows
    for (i = 1; i <= omitted; i++)
        print "LEFT OUT: " omissions[i]
    for (i = 1; i <= red; i++)
        print "FAILED: " faults[i]
    exit red > 0
}
