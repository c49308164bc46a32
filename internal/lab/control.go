package lab

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
)

// serveControl opens the control port, where a person or a test in another process makes
// the lab misbehave: what [pveapi.Server.Control] takes, and below /github what
// [githubapi.Server.Control] takes.
func (l *Lab) serveControl(ctx context.Context) error {
	l.Info.Control = "http://" + l.at(controlPort)
	mux := http.NewServeMux()
	mux.Handle("/", l.PVE.Control())
	mux.Handle("/github/", http.StripPrefix("/github", l.GitHub.Control()))
	return l.listenHTTP(ctx, controlPort, machineOnly(mux))
}

// machineOnly refuses guests: what is deployed into a lab has no business with its faults.
func machineOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ours(r.RemoteAddr) {
			http.Error(w, "the control port serves this machine only", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// ours tells whether a connection's far end is an address of this machine.
func ours(remote string) bool {
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	addrs, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(addrs, func(a net.Addr) bool {
		own, err := netip.ParsePrefix(a.String())
		return err == nil && own.Addr() == from.Addr().Unmap()
	})
}
