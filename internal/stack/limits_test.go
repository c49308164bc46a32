package stack

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cpuTime returns the processor time that the tests have used. Unlike the
// clock it is not moved by what else the machine does, but it includes what
// the garbage collector does at the same time on other cores.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestHostileInput holds the promise that nothing that YAML can do hurts: an
// error within a second, and 200 MB allocated at most. The bound here is
// twice the second, of processor time.
func TestHostileInput(t *testing.T) {
	if raced {
		t.Skip("nothing runs at once here, and the race detector makes it slow")
	}
	repeat := strings.Repeat
	tests := []struct {
		name string
		src  string
		want string
	}{
		{"10 MB of one text", "a: " + repeat("x", 10<<20), "more than the 1 MB"},
		{"10 MB of keys", repeat("aaaaaaa: 1\n", 1<<20), "more than the 1 MB"},
		{"1 MB of list items", "a: [" + repeat("1,", 1<<19-10) + "]", "more than 200000 values"},
		{"as many list items as may be", "a: [" + repeat("1,", 199_000) + "]", "no projects"},
		{"1 MB of dashes", repeat("- ", 1<<19-1), "more than 200000 values"},
		{"many dashes", repeat("- ", 199_000), "nested more than 100 levels"},
		{"many equal keys", repeat("a:\n", 99_000), "problems are not shown"},
		{"many different keys", manyKeys(80_000), "problems are not shown"},
		{"many anchors", repeat("- &a x\n", 99_000), "defined twice"},
		{"many different anchors", manyAnchors(60_000), "must be a mapping"},
		{"1 MB of quotes", repeat("'", 1<<20-1), "not valid YAML"},
		{"many braces", repeat("{", 199_000), "nested more than 100 levels"},
		{"many question marks", repeat("? ", 199_000), "nested more than 100 levels"},
		{"1000 levels of flow", repeat("[", 1000) + repeat("]", 1000), "nested more than 100 levels"},
		{"1000 levels of block", blockLevels(1000), "nested more than 100 levels"},
		{"billion laughs", laughs(9, 9), "more than 200000 values"},
		{"billion laughs of mappings", "projects: &a {x: {}}\n" + repeat("", 1) + laughs(30, 2), "more than 200000 values"},
		{"merge key bomb", mergeBomb(), "more than 200000 values"},
		{"long chain of aliases", aliasChain(15_000), ""},
		{"anchor in itself", "a: &a {b: *a}", "contains itself"},
		{"NUL", "a: \x00", "NUL byte"},
		{"1 MB of NUL", repeat("\x00", 1<<20), "NUL byte"},
		{"not UTF-8", "a: \xff\xfe", "not UTF-8"},
		{"UTF-16", "\xff\xfea\x00", "UTF-16"},
		{"UTF-32 with mark", "\x00\x00\xfe\xff", "NUL byte"},
		{"tabs", "a:\n\tb: 1\n", "a tab in the indentation"},
		{"only CR as line end", "a: 1\rb: 2\rc: [", "without a line feed"},
		{"huge number", "projects: {a: {envs: {b: {vmid: 1" + repeat("0", 400) + "}}}}", "must be a whole number"},
		{"large defaults times many environments", bigDefaults(), "all environments together"},
		{"1 MB of references", "defaults: {name: \"" + repeat("${env}", 170_000) + "\"}\nprojects: {}", "no projects"},
		{"names that multiply", "projects: {a: {envs: {b: {vmid: 100, ip: 10.86.1.1/24, branch: \"" + repeat("x", 200_000) + "\", url: \"" + repeat("${branch}", 10_000) + "\"}}}}", "all texts together have more than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := cpuTime(t)
			_, list := Load("appstack.yaml", []byte(test.src))
			took := cpuTime(t) - start
			runtime.ReadMemStats(&after)

			if !list.HasErrors() {
				t.Fatal("no error")
			}
			text := render(t, list)
			if !strings.Contains(text, test.want) {
				t.Errorf("the errors don't say %q:\n%s", test.want, text[:min(len(text), 2000)])
			}
			if len(text) > 1<<20 {
				t.Errorf("the report has %d kB", len(text)>>10)
			}
			used := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%v, %d MB allocated, %d problems", took.Round(time.Millisecond), used, len(list))
			if used > 200 {
				t.Errorf("allocated %d MB", used)
			}
			if took > 2*time.Second && !raced {
				t.Errorf("took %v", took)
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "key%d: 1\n", i)
	}
	return b.String()
}

func manyAnchors(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "- &a%d x\n", i)
	}
	return b.String()
}

func blockLevels(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func laughs(levels, width int) string {
	var b strings.Builder
	b.WriteString("l0: &l0 [lol]\n")
	for i := range levels {
		fmt.Fprintf(&b, "l%d: &l%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i), width), ", "))
	}
	return b.String()
}

// mergeBomb has merge keys that multiply what they bring.
func mergeBomb() string {
	var b strings.Builder
	b.WriteString("m0: &m0 {a: {x: 1}, b: {x: 1}}\n")
	for i := range 30 {
		fmt.Fprintf(&b, "m%d: &m%d {<<: *m%d, c%d: *m%d}\n", i+1, i+1, i, i, i)
	}
	return b.String()
}

func aliasChain(n int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x]\n")
	for i := range n {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d]\n", i+1, i+1, i)
	}
	return b.String()
}

func bigDefaults() string {
	var b strings.Builder
	b.WriteString("defaults:\n  env_vars:\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "    V%d: x\n", i)
	}
	b.WriteString("projects:\n  shop:\n    envs:\n")
	for i := range 2_000 {
		fmt.Fprintf(&b, "      e%d: {vmid: %d}\n", i, 100+i)
	}
	return b.String()
}
