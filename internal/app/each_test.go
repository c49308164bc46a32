package app

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/resolve"
)

// Several environments are worked on at a time, up to the bound; one that fails stops no
// other, and the reports keep the stack's order.
func TestEachIsBounded(t *testing.T) {
	for _, tt := range []struct{ parallel, atOnce, rounds int }{{0, 1, 10}, {1, 1, 10}, {3, 3, 4}, {64, 10, 1}} {
		t.Run(fmt.Sprint(tt.parallel), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				targets := make([]resolve.Target, 10)
				for i := range targets {
					targets[i].Name = fmt.Sprint(i)
				}
				var busy, most atomic.Int32
				began := time.Now()
				r := &Run{Parallel: tt.parallel}
				reports := r.each(targets, func(target resolve.Target) report.Report {
					most.Store(max(most.Load(), busy.Add(1)))
					defer busy.Add(-1)
					time.Sleep(time.Second)
					status := report.Live
					if target.Name == "0" {
						status = report.Failed
					}
					return report.Report{Project: target.Name, Status: status}
				})
				if got := time.Since(began); got != time.Duration(tt.rounds)*time.Second {
					t.Errorf("ten take %s, not %d rounds", got, tt.rounds)
				}
				if int(most.Load()) != tt.atOnce {
					t.Errorf("%d at once, not %d", most.Load(), tt.atOnce)
				}
				for i, r := range reports {
					if r.Project != fmt.Sprint(i) || (r.Status == report.Live) != (i > 0) {
						t.Errorf("report %d is %+v", i, r)
					}
				}
			})
		})
	}
}
