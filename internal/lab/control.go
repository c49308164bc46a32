package lab

import (
	"context"
	"net"
	"net/http"
)

// serveControl opens the control port, where a person or a test in another process makes
// the lab misbehave: what [pveapi.Server.Control] takes, and below /github what
// [githubapi.Server.Control] takes.
func (l *Lab) serveControl(ctx context.Context) error {
	l.Info.Control = "http://" + l.at(controlPort)
	mux := http.NewServeMux()
	mux.Handle("/", l.PVE.Control())
	mux.Handle("/github/", http.StripPrefix("/github", l.GitHub.Control()))
	return l.listenHTTP(ctx, controlPort, l.machineOnly(mux))
}

// machineOnly refuses guests: what is deployed into a lab has no business with its faults.
func (l *Lab) machineOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A process of this machine comes from the very address that it goes to.
		if from, _, err := net.SplitHostPort(r.RemoteAddr); err != nil || from != l.net.Gateway().String() {
			http.Error(w, "the control port serves this machine only", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}
