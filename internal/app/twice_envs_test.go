package app_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/report"
)

// other writes the stack file of the second environment.
func (w *memWorld) other(properties string) {
	w.t.Helper()
	w.guest(properties)
	text, err := os.ReadFile(filepath.Join(w.dir, "appstack.yaml"))
	w.must(err)
	w.write("appstack.yaml", strings.NewReplacer("dev: {name: shop-dev", "qa: {name: shop-qa", "vmid: 101", "vmid: 102", memAddr, otherAddr, "branch: dev", "branch: qa").Replace(string(text)))
}

// TestTwoEnvironmentsAtOnce creates and changes two environments by two runs at once: each
// ends as if it had been alone.
func TestTwoEnvironmentsAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("the matrix takes half a minute: not with -short")
	}
	for _, kind := range guestKinds() {
		want := ""
		synctest.Test(t, func(t *testing.T) {
			w := newMemWorld(t, kind)
			defer w.end()
			for _, properties := range []string{kind.first, kind.changed} {
				w.side((*memWorld).guest, properties)
				w.side((*memWorld).other, properties)
			}
			want = w.state()
		})
		for seed := range interleavings() {
			t.Run(fmt.Sprintf("%s, seed %d", kind.name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { twoEnvironments(newMemWorld(t, kind), seed, want) })
			})
		}
	}
}

// side runs provision for one of the environments.
func (w *memWorld) side(write func(*memWorld, string), properties string) {
	w.elsewhere(func(mine *memWorld) report.Report {
		write(mine, properties)
		mine.finish("provision")
		return report.Report{}
	})
}

func twoEnvironments(w *memWorld, seed uint64, want string) {
	defer w.end()
	random := rand.New(rand.NewPCG(seed, 2))
	w.gate.disturb(func(int, *http.Request) mishap {
		return mishap{delay: time.Duration(random.IntN(2000)) * time.Millisecond}
	})
	var both sync.WaitGroup
	for i, write := range []func(*memWorld, string){(*memWorld).guest, (*memWorld).other} {
		begin := time.Duration(random.IntN(4000)) * time.Millisecond
		alone := *w // its count of runs is its own
		alone.runs = 100 * (i + 1)
		both.Go(func() {
			time.Sleep(begin)
			for _, properties := range []string{w.kind.first, w.kind.changed} {
				alone.side(write, properties)
			}
		})
	}
	both.Wait()
	w.gate.disturb(nil)
	w.settle()
	if diff := cmp.Diff(want, w.state()); diff != "" {
		w.t.Errorf("the state (-one after the other +at once):\n%s", diff)
	}
}
