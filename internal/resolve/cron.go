package resolve

// Cron jobs are systemd timers, not files in /etc/cron.d. A unit never runs
// twice at once; it has a time limit, the services' sandbox and env files, a result
// that `systemctl show` tells, its output in the journal, and OnFailure= to mail
// about it; a timer makes up for a run that was missed. In cron.d each of these
// would be a wrapper of ours, and cron one more daemon.

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/robfig/cron/v3"
)

// onCalendar returns what OnCalendar= of systemd.time(7) has to say for a schedule
// in the syntax of crontab(5).
//
// Where both day fields are restricted, cron runs a job on the days that either
// names, while systemd wants both to hold: that takes two lines. As in Debian's
// cron, a field that begins with * does not restrict in this sense.
func onCalendar(schedule string) ([]string, error) {
	parsed, err := cron.ParseStandard(schedule)
	if err != nil {
		return nil, fmt.Errorf("cannot read the schedule %q: %w", schedule, err)
	}
	s, ok := parsed.(*cron.SpecSchedule)
	if !ok || strings.Contains(schedule, "=") {
		return nil, fmt.Errorf("cannot read the schedule %q: it has no place in a calendar", schedule)
	}
	var (
		at       = " " + bits(s.Hour, 0, 23, 2) + ":" + bits(s.Minute, 0, 59, 2) + ":00"
		month    = "*-" + bits(s.Month, 1, 12, 2) + "-"
		day      = bits(s.Dom, 1, 31, 2)
		weekdays = weekdays(s.Dow)
	)
	if weekdays != "" && day != "*" && eitherDay(schedule) {
		return []string{weekdays + month + "*" + at, month + day + at}, nil
	}
	return []string{weekdays + month + day + at}, nil
}

// eitherDay tells whether both day fields are restricted in cron's sense.
func eitherDay(schedule string) bool {
	f := strings.Fields(schedule)
	return len(f) == 5 && !strings.HasPrefix(f[2], "*") && !strings.HasPrefix(f[4], "*")
}

// bits returns the set bits from low to high as a list with ranges, or "*".
func bits(set uint64, low, high, width int) string {
	var parts []string
	for i := low; i <= high; i++ {
		if set&(1<<i) == 0 {
			continue
		}
		first := i
		for i < high && set&(1<<(i+1)) != 0 {
			i++
		}
		part := fmt.Sprintf("%0*d", width, first)
		switch {
		case first == low && i == high:
			return "*"
		case i == first+1:
			part += fmt.Sprintf(",%0*d", width, i)
		case i > first:
			part += fmt.Sprintf("..%0*d", width, i)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}

// weekdays returns the days of the week and a space, or nothing for all of them.
func weekdays(set uint64) string {
	days := [...]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}
	// systemd's week begins on Monday, so that Sun ends a range.
	list := bits(set>>1&0x3f|set&1<<6, 0, 6, 1)
	if list == "*" {
		return ""
	}
	var b strings.Builder
	for _, r := range list {
		if n, err := strconv.Atoi(string(r)); err == nil {
			b.WriteString(days[(n+1)%7])
			continue
		}
		b.WriteRune(r)
	}
	return b.String() + " "
}
