package pve

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
)

// scripted answers by path.
type scripted func(path string) string

func (s scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(s(r.URL.Path)))}, nil
}

// Whatever Proxmox answers, or who passes for it, a run ends with a guest or an error.
func FuzzAnswers(f *testing.F) {
	const guests = `{"data":[{"type":"lxc","vmid":101,"node":"pve1","name":"a","status":"running"},{"type":"node","node":"pve1","status":"online"},{"type":"storage","storage":"local-lvm","node":"pve1"}]}`
	const config = `{"data":[{"key":"memory","value":1024,"pending":"2048"},{"key":"net0","value":"name=eth0,bridge=vmbr0"},{"key":"description","value":"<!-- appstack -->"}]}`
	f.Add(guests, config, `{"data":{"status":"running","digest":"x"}}`)
	f.Add(guests, `{"data":{"memory":"1"}}`, `{"data":"UPID:pve1:0000:0000:0000:vzcreate:101:root@pam:"}`)
	f.Add(`{"data":null}`, `{}`, `[]`)
	f.Add(`{"data":[{"type":"lxc","vmid":"101","node":"../x"}]}`, `{"data":[{"key":"digest"}]}`, `<html>`)
	f.Fuzz(func(t *testing.T, resources, pending, other string) {
		c, err := Dial(Options{URL: "https://pve.test", Token: secret.New(testToken)})
		if err != nil {
			t.Fatal(err)
		}
		c.http.Transport = &transport{scripted(func(path string) string {
			switch {
			case strings.HasSuffix(path, "/cluster/resources"):
				return resources
			case strings.HasSuffix(path, "/pending"):
				return pending
			}
			return other
		})}
		c.times = testTiming()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		want := &machine.Guest{VMID: 101, Node: "auto", Block: &machine.Block{Project: "shop", Env: "dev"}}
		have, err := c.Observe(ctx, want)
		if err != nil {
			return
		}
		if have == nil {
			_ = c.Place(ctx, want)
		}
		if have != nil { // the guards are left out: they probe addresses
			_ = plan.Diff("shop/dev", machine.State{Guest: have}, machine.State{Guest: want}, plan.Policy{}).String()
		}
	})
}
