package machine

import "time"

// App is what a guest knows of its app: the deploy script's --status. It is only
// observed.
type App struct {
	Current  string          `json:"current,omitempty"`  // release that serves
	Previous string          `json:"previous,omitempty"` // release that served before
	Kept     []string        `json:"kept,omitempty"`     // releases that can serve again
	Failed   []FailedRelease `json:"failed,omitempty"`
	Services []Service       `json:"services,omitempty"`
	Jobs     []Job           `json:"jobs,omitempty"`
}

// FailedRelease is a release that did not come to serve.
type FailedRelease struct {
	SHA string `json:"sha"`
	Why string `json:"why,omitempty"`
}

// Service is one of the app's services.
type Service struct {
	Name  string `json:"name"`
	State string `json:"state"` // systemd's ActiveState: "active", "failed"
}

// Job is one of the app's cron jobs with its last run, or the timer's dump of the database.
type Job struct {
	Unit   string    `json:"unit"`
	Result string    `json:"result"`      // systemd's Result: "success", "exit-code", "timeout"; "" before the first run
	Exit   int       `json:"exit"`        // exit status of the last run
	At     time.Time `json:"at,omitzero"` // end of the last run
}
