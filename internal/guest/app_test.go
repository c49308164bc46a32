package guest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/machine"
)

func TestParseApp(t *testing.T) {
	got, err := parseApp([]byte(`current=bbb-b12345678
previous=aaa
failed=ccc-b12345678 web: exit status 1; a=b
a second line of it
kept=aaa
kept=bbb-b12345678
kept=bbb-b87654321
service=web active
job=shop-cron-fetch.service exit-code 3 1700000000
job=shop-cron-new.service success 0 0
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &machine.App{
		Current: "bbb", Previous: "aaa", Kept: []string{"aaa", "bbb"},
		Failed:   []machine.FailedRelease{{SHA: "ccc", Why: "web: exit status 1; a=b"}},
		Services: []machine.Service{{Name: "web", State: "active"}},
		Jobs: []machine.Job{
			{Unit: "shop-cron-fetch.service", Result: "exit-code", Exit: 3, At: time.Unix(1700000000, 0).UTC()},
			{Unit: "shop-cron-new.service"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseApp(f *testing.F) {
	f.Add([]byte("current=a\njob=x success 0 1\n"))
	f.Add([]byte("job=x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if app, err := parseApp(text); (app == nil) == (err == nil) {
			t.Errorf("got %v and %v", app, err)
		}
	})
}
