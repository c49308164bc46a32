package pveapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// Control is the handler of the lab's control port, for a person and for tests in other
// processes. It has no authentication: serve it to this machine only. What has nothing to
// tell answers 204, what is refused 400 and {"error": …}.
//
//	POST   /faults              a fault in JSON: see [ParseFault]
//	GET    /faults              the faults that wait, full storages and offline nodes
//	DELETE /faults              none any more
//	POST   /storages/ID/full    the storage is full; DELETE gives it room
//	POST   /nodes/NAME/offline  the node does not answer; DELETE brings it back
//	POST   /guests/VMID/lock?as=backup  sets the setting "lock"; DELETE removes it
//	GET    /requests            the log of requests; DELETE empties it
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /faults", s.controlFault)
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Faults(), nil) })
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) { s.ClearFaults(); reply(w, nil, nil) })
	mux.HandleFunc("POST /storages/{id}/full", func(w http.ResponseWriter, r *http.Request) {
		reply(w, nil, s.Inject(Fault{Storage: r.PathValue("id")}))
	})
	mux.HandleFunc("DELETE /storages/{id}/full", func(w http.ResponseWriter, r *http.Request) {
		s.FillStorage(r.PathValue("id"), false)
		reply(w, nil, nil)
	})
	mux.HandleFunc("POST /nodes/{name}/offline", func(w http.ResponseWriter, r *http.Request) {
		reply(w, nil, s.Inject(Fault{Node: r.PathValue("name")}))
	})
	mux.HandleFunc("DELETE /nodes/{name}/offline", func(w http.ResponseWriter, r *http.Request) {
		s.SetOffline(r.PathValue("name"), false)
		reply(w, nil, nil)
	})
	mux.HandleFunc("POST /guests/{vmid}/lock", s.controlLock)
	mux.HandleFunc("DELETE /guests/{vmid}/lock", s.controlLock)
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Requests(), nil) })
	mux.HandleFunc("DELETE /requests", func(w http.ResponseWriter, _ *http.Request) { s.ResetRequests(); reply(w, nil, nil) })
	return mux
}

// reply answers JSON, nothing for nil, or 400 with the error's text.
func reply(w http.ResponseWriter, v any, err error) {
	if v == nil && err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		v = map[string]string{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

func (s *Server) controlFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&f)
	if err != nil {
		err = fmt.Errorf("cannot read the fault: %w", err)
	} else {
		err = s.Inject(f)
	}
	reply(w, nil, err)
}

// controlLock takes POST with ?as= and DELETE.
func (s *Server) controlLock(w http.ResponseWriter, r *http.Request) {
	vmid, err := strconv.Atoi(r.PathValue("vmid"))
	lock := r.URL.Query().Get("as")
	if err == nil && (r.Method == http.MethodPost) != (lock != "") {
		err = errors.New("POST takes ?as=backup or another lock's name, DELETE does not")
	}
	if err == nil {
		err = s.SetLock(vmid, lock)
	}
	reply(w, nil, err)
}
