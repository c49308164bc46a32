package lab

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestControlServesThisMachineOnly(t *testing.T) {
	h := machineOnly(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for from, want := range map[string]int{"127.0.0.1:1": 200, "192.0.2.255:1": 403, "10.86.1.77:1": 403, "": 403} {
		r := httptest.NewRequest("GET", "/faults", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("from %q: %d, want %d", from, w.Code, want)
		}
	}
}
