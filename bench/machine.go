package main

import (
	"compress/flate"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// tools are the rivals that this machine has.
type tools struct {
	ansible bool
	mitogen string // directory of its strategy plugins; empty: it is not there
}

// mitogenStrategies is where Debian's package ansible-mitogen has its plugins.
const mitogenStrategies = "/usr/lib/python3/dist-packages/ansible_mitogen/plugins/strategy"

func findTools() tools {
	var t tools
	_, err := exec.LookPath("ansible-playbook")
	t.ansible = err == nil
	if _, err := os.Stat(mitogenStrategies); err == nil {
		t.mitogen = mitogenStrategies
	}
	return t
}

// commit is appstack's, with a mark when the work tree differs from it.
func commit(ctx context.Context) string {
	head := output(ctx, "git", "rev-parse", "--short=10", "HEAD")
	if output(ctx, "git", "status", "--porcelain", "--untracked-files=no", "--", "cmd", "internal", "templates") != "" {
		head += "+"
	}
	return head
}

// describe notes what is measured on, and in which versions.
func (b *bench) describe(ctx context.Context) error {
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return err
	}
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return err
	}
	m := b.found.Machine
	m["processor"] = field(string(cpu), `model name\s*: (.*)`)
	m["cores"] = strconv.Itoa(runtime.NumCPU())
	m["all cores over one"] = fmt.Sprintf("%.2f×", together())
	kib, _ := strconv.Atoi(field(string(memory), `MemTotal:\s*(\d+)`))
	m["memory"] = strconv.Itoa(kib>>20) + " GiB"
	m["kernel"] = output(ctx, "uname", "-sr")
	m["system"] = field(output(ctx, "cat", "/etc/os-release"), `PRETTY_NAME="(.*)"`)
	v := b.found.Versions
	v["appstack"], v["Go"] = b.head, strings.TrimPrefix(runtime.Version(), "go")
	v["Ansible"] = output(ctx, "dpkg-query", "-W", "-f", "${Version}", "ansible-core")
	v["mitogen"] = output(ctx, "dpkg-query", "-W", "-f", "${Version}", "ansible-mitogen")
	v["OpenSSH"] = field(output(ctx, "dpkg-query", "-W", "-f", "${Version}", "openssh-client"), `(?:1:)?(.*)`)
	v["Python"] = field(output(ctx, "python3", "--version"), `Python (.*)`)
	return nil
}

// together is how much all processors do at once over what one does alone. It is less than
// their number where they are threads of one core: then what runs at the same time takes
// longer than their number lets one expect.
func together() float64 {
	var ratios []float64
	for range 5 {
		alone := squeeze(1)
		ratios = append(ratios, squeeze(runtime.NumCPU())/alone)
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// squeeze is how often so many at once compress a text within a fifth of a second.
func squeeze(n int) float64 {
	text := []byte(strings.Repeat("what runs at the same time on one core shares it; ", 400))
	var times atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(200 * time.Millisecond)
	for range n {
		all.Go(func() {
			w, _ := flate.NewWriter(io.Discard, flate.DefaultCompression) // a level that there is
			for time.Now().Before(end) {
				w.Reset(io.Discard)
				_, _ = w.Write(text)
				_ = w.Close()
				times.Add(1)
			}
		})
	}
	all.Wait()
	return float64(times.Load())
}

// noteLoad notes for the reader that the machine does other work when a part begins.
func (b *bench) noteLoad(part string) error {
	share, err := busy(time.Second)
	if err != nil {
		return err
	}
	delete(b.found.Notes, "load of "+part)
	if share >= 0.2 {
		b.found.Notes["load of "+part] = fmt.Sprintf("The part `%s` was measured on a machine that did other work: "+
			"%.0f %% of its processors were busy when it began. Trust its ratios less than others.", part, 100*share)
	}
	return nil
}

// busy looks for a while which share of the processors' time is used, 0 to 1.
func busy(during time.Duration) (float64, error) {
	idleBefore, allBefore, err := processorTime()
	if err != nil {
		return 0, err
	}
	time.Sleep(during)
	idle, all, err := processorTime()
	if err != nil || all == allBefore {
		return 0, err
	}
	return 1 - (idle-idleBefore)/(all-allBefore), nil
}

// processorTime is what /proc/stat has counted since boot: idle or waiting for a disk,
// and in all.
func processorTime() (idle, all float64, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, f := range strings.Fields(line)[1:] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, 0, err
		}
		if i == 3 || i == 4 {
			idle += n
		}
		all += n
	}
	return idle, all, nil
}

// field returns what the first group of a pattern matches.
func field(text, pattern string) string {
	if found := regexp.MustCompile(pattern).FindStringSubmatch(text); found != nil {
		return strings.TrimSpace(found[1])
	}
	return ""
}

// output returns what a command prints; empty: it failed.
func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
