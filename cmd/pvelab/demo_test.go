package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/runner/docker"
)

// TestDemo plays make demo to its end, with a template that has the packages already.
func TestDemo(t *testing.T) {
	labtest.RequireOrSkip(t)
	if err := docker.Missing(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs([]string{"demo", "--once", "--warm", "--source", "../..", "--bridge", "pvedemotest", "--subnet", "10.86.253.0/24"})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(ctx); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	acts := strings.Split(out.String(), "\n── ")
	for _, want := range []struct{ act, line string }{
		{"First push", `\+ create guest 101`},
		{"First push", `github-actions\[bot\]`},
		{"First push", `shop / dev is live`},
		{"First push", `deployment \d+ of [0-9a-f]{7} to shop/dev: success http://10\.86\.253\.`},
		{"First push", `answers \{.*"greeting":"Welcome"`},
		{"Second push", `0 to remove`},
		{"Second push", `\+GREETING="Good morning"`},
		{"Second push", `answers \{.*"greeting":"Good morning"`},
		{"Third push", `the run failed \(unhealthy\)`},
		{"Third push", `the till is jammed`},
		{"Third push", `shop/dev: failure`},
		{"Third push", `answers \{.*"greeting":"Good morning"`},
	} {
		found := false
		for _, act := range acts {
			found = found || strings.HasPrefix(act, want.act) && regexp.MustCompile(want.line).MatchString(act)
		}
		if !found {
			t.Errorf("%s does not show %s", want.act, want.line)
		}
	}
	if t.Failed() {
		t.Logf("%s", &out)
	}
	if strings.Contains(out.String(), "sk-demo") {
		t.Error("the output has a secret")
	}
	if _, err := os.Stat("/sys/class/net/pvedemotest"); err == nil {
		t.Error("the lab's bridge is still there")
	}
	if labs, err := lab.List(); err != nil {
		t.Error(err)
	} else {
		for _, l := range labs {
			if l.Bridge == "pvedemotest" {
				t.Error("the lab is still known")
			}
		}
	}
}
