package pveapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Control is the handler of the lab's control port, for tests in other processes. It has
// no authentication: serve it on a loopback address only.
//
//	POST   /faults            a fault: see [Fault]'s JSON; "delay" may be text such as 2s
//	GET    /faults            the faults that wait
//	DELETE /faults            none any more; full storages and offline nodes recover, too
//	POST   /storages/ID/full  the storage is full; DELETE gives it room
//	POST   /nodes/NAME/offline  the node does not answer; DELETE brings it back
//	POST   /guests/VMID/lock?lock=backup  sets the setting "lock"; DELETE removes it
//	POST   /guests/VMID/hold?for=20s      holds the file lock for that long
//	GET    /requests          the log of requests; DELETE empties it
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /faults", s.controlFault)
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Faults(), nil) })
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) { s.ClearFaults(); reply(w, nil, nil) })
	mux.HandleFunc("/storages/{id}/full", s.controlFull)
	mux.HandleFunc("/nodes/{name}/offline", s.controlOffline)
	mux.HandleFunc("/guests/{vmid}/lock", s.controlLock)
	mux.HandleFunc("POST /guests/{vmid}/hold", s.controlHold)
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Requests(), nil) })
	mux.HandleFunc("DELETE /requests", func(w http.ResponseWriter, _ *http.Request) { s.ResetRequests(); reply(w, nil, nil) })
	return mux
}

// reply answers JSON, or 400 with the error's text.
func reply(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		v = map[string]string{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

func (s *Server) controlFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&f); err != nil {
		reply(w, nil, fmt.Errorf("cannot read the fault: %w", err))
		return
	}
	reply(w, map[string]bool{"ok": true}, s.Inject(f))
}

// on tells whether a request sets something (POST) or takes it back (DELETE).
func on(r *http.Request) (bool, error) {
	switch r.Method {
	case "POST":
		return true, nil
	case "DELETE":
		return false, nil
	}
	return false, errors.New("POST sets, DELETE takes back")
}

func (s *Server) controlFull(w http.ResponseWriter, r *http.Request) {
	set, err := on(r)
	if err == nil {
		s.FillStorage(r.PathValue("id"), set)
	}
	reply(w, nil, err)
}

func (s *Server) controlOffline(w http.ResponseWriter, r *http.Request) {
	set, err := on(r)
	if err == nil {
		s.SetOffline(r.PathValue("name"), set)
	}
	reply(w, nil, err)
}

func (s *Server) controlLock(w http.ResponseWriter, r *http.Request) {
	set, err := on(r)
	vmid, nerr := strconv.Atoi(r.PathValue("vmid"))
	if err = errors.Join(err, nerr); err == nil {
		lock := ""
		if set {
			lock = r.URL.Query().Get("lock")
		}
		err = s.SetLock(vmid, lock)
	}
	reply(w, nil, err)
}

func (s *Server) controlHold(w http.ResponseWriter, r *http.Request) {
	vmid, err := strconv.Atoi(r.PathValue("vmid"))
	d, derr := time.ParseDuration(r.URL.Query().Get("for"))
	if err = errors.Join(err, derr); err == nil {
		time.AfterFunc(d, s.HoldLock(vmid))
	}
	reply(w, nil, err)
}

// UnmarshalJSON takes the delay as text (2s) or in nanoseconds.
func (f *Fault) UnmarshalJSON(raw []byte) error {
	type plain Fault
	var text struct {
		plain
		Delay any `json:"delay"`
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&text); err != nil {
		return err
	}
	*f = Fault(text.plain)
	switch d := text.Delay.(type) {
	case string:
		var err error
		f.Delay, err = time.ParseDuration(d)
		return err
	case float64:
		f.Delay = time.Duration(d)
	}
	return nil
}
