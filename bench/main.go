// Command bench does the same work with appstack, with Ansible and with plain scripts,
// on guests of a lab, and writes down what it took: results.json and the page
// docs/performance.md. `make bench` runs it.
//
// The work is done by the programs that a user runs: the appstack binary,
// ansible-playbook with the roles in bench/ansible, and the scripts in bench/floor over
// OpenSSH's client. Each measured call is a process of its own that knows nothing of the
// call before. What is compared is measured in turn, one call each, over and over, so
// that a machine that gets slower does so for all.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/org/appstack-action/bench/page"
	"github.com/org/appstack-action/bench/results"
)

// part is what can be asked for by name.
type part struct {
	name, about string
	run         func(context.Context, *bench) error
}

var parts = []part{
	{"first", "first configure of a fresh guest", first},
	{"ready", "the guests of the next two parts, without measuring", ready},
	{"steady", "no-op, a changed variable, a new commit, on one guest each", steady},

	{"slow", "the same over a network with 40 ms RTT; bytes, execs and round trips", slow},
	{"pote", "no-op of the Python app with its database", pote},
	{"many", "16 environments in one run", many},
	{"provision", "a guest from nothing to SSH-ready", provision},
	{"scale", "10, 50 and 100 environments", scale},
	{"image", "the action's image: size and cold start", image},
	{"start", "start-up of the program; 600 environments validate", start},
}

// bench is one run of this program.
type bench struct {
	root  string // of the repository
	work  string // temporary files
	runs  int
	slow  int // samples of Ansible, which takes long
	found *results.Results
	head  string // appstack's commit
	bin   string // the program that is measured
	tools tools

	every  bool   // measure each rival at each work
	more   bool   // add to the samples that are there
	works  string // those of steady and slow that are wanted, separated by commas
	ways   string // of Ansible that are wanted, separated by commas; empty: all
	before string // command that comes between setting up and measuring
	keep   string // directory of guests that stay; empty: they go
	shared *trio  // nil: not needed yet
	ends   []func() error
}

// settled is called when all is set up and measuring begins.
func (b *bench) settled(ctx context.Context) error {
	if b.before == "" {
		return nil
	}
	_, err := call{args: []string{"sh", "-c", b.before}}.do(ctx)
	return err
}

// later has something done at the end.
func (b *bench) later(end func() error) { b.ends = append(b.ends, end) }

// end does what was put off, the newest first.
func (b *bench) end() error {
	var errs []error
	for _, end := range slices.Backward(b.ends) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	wanted := flags.String("parts", "", "parts to run, separated by commas; default all")
	runs := flags.Int("runs", 5, "samples of each series")
	slow := flags.Int("ansible-runs", 0, "samples of each series of Ansible's; default as many as of the others")
	file := flags.String("results", "bench/results.json", "where the samples are kept")
	document := flags.String("page", "docs/performance.md", "where the page is written")
	every := flags.Bool("every", false, "measure each of Ansible's ways at each work, not only where it is quick")
	more := flags.Bool("more", false, "add to the samples that are there, if they are of the same commit")
	keep := flags.String("keep", "", "leave the guests of steady and slow to the next run with this directory")
	ways := flags.String("ansible", "", "ways to run Ansible: ansible, pipelining, mitogen, or none; default all")
	before := flags.String("before", "", "command to run between setting up and measuring, such as one that waits for a quiet moment")
	works := flags.String("works", "noop,variable,deploy", "what of steady and slow to measure")
	onlyRender := flags.Bool("render", false, "write the page again from the samples that are there")
	if err := flags.Parse(args); err != nil {
		return err
	}
	found, err := results.Load(*file)
	if err != nil {
		return err
	}
	if !*onlyRender {
		chosen, err := choose(*wanted)
		if err != nil {
			return err
		}
		b := &bench{runs: *runs, slow: min(cmp.Or(*slow, *runs), *runs), found: found, every: *every, more: *more, keep: *keep, before: *before, works: *works, ways: *ways}
		if err := errors.Join(b.measure(ctx, chosen, *file), b.end()); err != nil {
			return err
		}
	}
	return page.Write(*document, found)
}

// choose returns the parts of a list of names.
func choose(names string) ([]part, error) {
	if names == "" {
		return parts, nil
	}
	var chosen []part
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no part %q; there are:\n%s", name, listParts())
		}
		chosen = append(chosen, parts[i])
	}
	return chosen, nil
}

func listParts() string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "  %-10s %s\n", p.name, p.about)
	}
	return b.String()
}

// measure runs parts and saves what they found.
func (b *bench) measure(ctx context.Context, chosen []part, file string) (err error) {
	defer func() { err = errors.Join(err, b.found.Save(file)) }() // also what an interrupted part found
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "appstack-bench-*"); err != nil {
		return err
	}
	b.later(func() error { return os.RemoveAll(b.work) })
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for _, p := range chosen {
		say("== %s: %s", p.name, p.about)
		if err := b.noteLoad(p.name); err != nil {
			return err
		}
		if err := p.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// prepare builds the program, sees what rivals are there, and notes the machine.
func (b *bench) prepare(ctx context.Context) error {
	b.bin = filepath.Join(b.work, "appstack")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", b.bin, "./cmd/appstack")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build appstack: %w\n%s", err, out)
	}
	b.tools = findTools()
	b.head = commit(ctx)
	return b.describe(ctx)
}

// clear forgets what was measured of a work before, whoever did it.
func (b *bench) clear(name string) {
	if b.more {
		return
	}
	for series := range b.found.Series {
		if strings.HasPrefix(series, name+"/") {
			b.found.Clear(series)
		}
	}
}

// add notes a sample and shows it.
func (b *bench) add(name, unit string, sample float64) {
	b.found.Add(name, unit, b.head, sample)
	say("%-28s %10.1f %s", name, sample, unit)
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
