package resolve

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/robfig/cron/v3"
)

var calendars = []struct {
	schedule string
	want     []string
}{
	{"* * * * *", []string{"*-*-* *:*:00"}},
	{"*/15 * * * *", []string{"*-*-* *:00,15,30,45:00"}},
	{"0 3 * * *", []string{"*-*-* 03:00:00"}},
	{"5-7,20 9-17 * * *", []string{"*-*-* 09..17:05..07,20:00"}},
	{"10-30/10 */6 * * *", []string{"*-*-* 00,06,12,18:10,20,30:00"}},
	{"0 8 * * 1-5", []string{"Mon..Fri *-*-* 08:00:00"}},
	{"0 8 * * sat,sun", []string{"Sat,Sun *-*-* 08:00:00"}},
	{"0 8 * * 0", []string{"Sun *-*-* 08:00:00"}},
	{"0 8 * * MON,wed-FRI", []string{"Mon,Wed..Fri *-*-* 08:00:00"}},
	{"0 8 * * */2", []string{"Tue,Thu,Sat,Sun *-*-* 08:00:00"}},
	{"0 0 1 jan,JUL *", []string{"*-01,07-01 00:00:00"}},
	{"0 0 1,15 * *", []string{"*-*-01,15 00:00:00"}},
	// Either day: two lines.
	{"30 4 1,15 * 5", []string{"Fri *-*-* 04:30:00", "*-*-01,15 04:30:00"}},
	{"0 0 13 2-4 fri", []string{"Fri *-02..04-* 00:00:00", "*-02..04-13 00:00:00"}},
	// A field that begins with * does not restrict: both have to hold.
	{"0 0 */10 * 1", []string{"Mon *-*-01,11,21,31 00:00:00"}},
	{"0 0 1-7 * */7", []string{"Sun *-*-01..07 00:00:00"}},
	{"@hourly", []string{"*-*-* *:00:00"}},
	{"@daily", []string{"*-*-* 00:00:00"}},
	{"@weekly", []string{"Sun *-*-* 00:00:00"}},
	{"@monthly", []string{"*-*-01 00:00:00"}},
	{"@yearly", []string{"*-01-01 00:00:00"}},
}

func TestOnCalendar(t *testing.T) {
	for _, tt := range calendars {
		got, err := onCalendar(tt.schedule)
		if err != nil {
			t.Errorf("%s: %v", tt.schedule, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.schedule, diff)
		}
	}
}

func TestOnCalendarRefuses(t *testing.T) {
	for _, schedule := range []string{"", "* * * *", "60 * * * *", "* * * * * *", "@reboot", "@every 5m", "TZ=UTC 0 0 * * *", "x"} {
		if got, err := onCalendar(schedule); err == nil {
			t.Errorf("%q: accepted as %v", schedule, got)
		}
	}
}

// TestOnCalendarMeansTheSame asks systemd for the next moment after several ones and
// compares it with the cron library's.
func TestOnCalendarMeansTheSame(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not here")
	}
	starts := []time.Time{
		time.Date(2026, 1, 1, 0, 0, 30, 0, time.UTC), time.Date(2027, 2, 27, 23, 59, 30, 0, time.UTC),
		time.Date(2028, 2, 12, 3, 30, 30, 0, time.UTC), time.Date(2026, 11, 22, 12, 0, 30, 0, time.UTC),
	}
	for _, tt := range calendars {
		if strings.Contains(tt.schedule, "*/10 * 1") || strings.Contains(tt.schedule, "* */7") {
			continue // the library takes */n for a restriction, Debian's cron does not
		}
		parsed, err := cron.ParseStandard(tt.schedule)
		if err != nil {
			t.Fatal(err)
		}
		calendar, err := onCalendar(tt.schedule)
		if err != nil {
			t.Fatal(err)
		}
		for _, start := range starts {
			if want, got := parsed.Next(start), systemdNext(t, calendar, start); !got.Equal(want) {
				t.Errorf("%s after %v: systemd says %v, cron %v", tt.schedule, start, got, want)
			}
		}
	}
}

// systemdNext returns the first moment after start that systemd finds in a calendar.
func systemdNext(t *testing.T, calendar []string, start time.Time) time.Time {
	t.Helper()
	args := append([]string{"calendar", "--base-time=" + start.Format("2006-01-02 15:04:05 UTC")}, calendar...)
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "TZ=UTC", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze %v: %v\n%s", args, err, out)
	}
	var next time.Time
	for line := range strings.Lines(string(out)) {
		_, at, ok := strings.Cut(strings.TrimSpace(line), "Next elapse: ")
		if !ok {
			continue
		}
		moment, err := time.Parse("Mon 2006-01-02 15:04:05 MST", at)
		if err != nil {
			t.Fatal(err)
		}
		if next.IsZero() || moment.Before(next) {
			next = moment
		}
	}
	return next
}

func FuzzOnCalendar(f *testing.F) {
	for _, tt := range calendars {
		f.Add(tt.schedule)
	}
	f.Fuzz(func(t *testing.T, schedule string) {
		lines, err := onCalendar(schedule)
		if (len(lines) == 0) == (err == nil) {
			t.Fatalf("%q: %v, %v", schedule, lines, err)
		}
		for _, line := range lines {
			if strings.ContainsAny(line, "\n=%") {
				t.Fatalf("%q: %q", schedule, line)
			}
		}
	})
}
