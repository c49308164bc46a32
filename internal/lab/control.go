package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/lab/lxc"
	"github.com/org/appstack-action/internal/lab/pveapi"
)

// serveControl opens the control port, where a person or a test in another process
// makes the lab misbehave:
//
//	POST   /faults                {"path": "/nodes/*/lxc", "status": 596, "times": 2, …}: pveapi.Fault
//	GET    /faults                the faults that wait
//	DELETE /faults                none any more
//	POST   /storages/{id}/full    and DELETE: room again
//	POST   /nodes/{name}/offline  and DELETE: back
//	POST   /guests/{vmid}/lock?as=backup  and DELETE: unlock
//	POST   /guests/{vmid}/fault   {"late_ssh": "20s", "reboot_after": "5s"}: at its next start
func (l *Lab) serveControl(ctx context.Context) error {
	l.Info.Control = "http://" + l.at(controlPort)
	return l.listenHTTP(ctx, controlPort, l.control())
}

// control is the control port's handler.
func (l *Lab) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /faults", l.addFault)
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(l.PVE.Faults())
	})
	mux.HandleFunc("DELETE /faults", func(http.ResponseWriter, *http.Request) { l.PVE.ClearFaults() })
	for method, on := range map[string]bool{"POST ": true, "DELETE ": false} {
		mux.HandleFunc(method+"/storages/{id}/full", func(_ http.ResponseWriter, r *http.Request) {
			l.PVE.FillStorage(r.PathValue("id"), on)
		})
		mux.HandleFunc(method+"/nodes/{name}/offline", func(_ http.ResponseWriter, r *http.Request) {
			l.PVE.SetOffline(r.PathValue("name"), on)
		})
	}
	mux.HandleFunc("POST /guests/{vmid}/lock", l.lockGuest)
	mux.HandleFunc("DELETE /guests/{vmid}/lock", l.lockGuest)
	mux.HandleFunc("POST /guests/{vmid}/fault", l.faultGuest)
	return mux
}

func (l *Lab) addFault(w http.ResponseWriter, r *http.Request) {
	f, err := readFault(json.NewDecoder(r.Body))
	if err == nil {
		err = l.PVE.Inject(f)
	}
	refuse(w, err)
}

// readFault takes a duration in Go's notation ("2s") where pveapi.Fault has
// nanoseconds, and refuses a field that it does not know.
func readFault(d *json.Decoder) (pveapi.Fault, error) {
	var in struct {
		pveapi.Fault
		Delay string `json:"delay"`
	}
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in.Fault, fmt.Errorf("cannot read the fault: %w", err)
	}
	if in.Delay == "" {
		return in.Fault, nil
	}
	var err error
	in.Fault.Delay, err = time.ParseDuration(in.Delay)
	return in.Fault, err
}

// ParseFault reads a fault in the form of the control port.
func ParseFault(text string) (pveapi.Fault, error) {
	return readFault(json.NewDecoder(strings.NewReader(text)))
}

func (l *Lab) lockGuest(w http.ResponseWriter, r *http.Request) {
	vmid, err := strconv.Atoi(r.PathValue("vmid"))
	if err == nil {
		err = l.PVE.SetLock(vmid, r.URL.Query().Get("as"))
	}
	refuse(w, err)
}

func (l *Lab) faultGuest(w http.ResponseWriter, r *http.Request) {
	var in struct {
		LateSSH     string `json:"late_ssh"`
		RebootAfter string `json:"reboot_after"`
	}
	vmid, err := strconv.Atoi(r.PathValue("vmid"))
	if err == nil {
		err = json.NewDecoder(r.Body).Decode(&in)
	}
	var f lxc.Fault
	for to, text := range map[*time.Duration]string{&f.LateSSH: in.LateSSH, &f.RebootAfter: in.RebootAfter} {
		if err == nil && text != "" {
			*to, err = time.ParseDuration(text)
		}
	}
	if err == nil {
		l.Guests.Misbehave(vmid, f)
	}
	refuse(w, err)
}

func refuse(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}
