package labtest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Pveum does what the pveum commands of a shell script do on a node, through the API
// that api serves and as the owner of the token, user@realm!id=uuid. It knows the
// commands that make a token with its privileges, and returns the token that was made
// in the same form.
func Pveum(t testing.TB, api http.Handler, as, script string) (token string) {
	t.Helper()
	for line := range strings.Lines(script) {
		words := strings.Fields(strings.ReplaceAll(line, "'", ""))
		if len(words) == 0 || words[0] != "pveum" {
			continue
		}
		r, form := pveumCall(t, words[1:])
		var answer struct {
			Data struct {
				ID    string `json:"full-tokenid"`
				Value string `json:"value"`
			}
		}
		w := httptest.NewRecorder()
		req := httptest.NewRequest(r.method, "https://pve1/api2/json"+r.path, strings.NewReader(form.Encode()))
		req.Header.Set("Authorization", "PVEAPIToken="+as)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if api.ServeHTTP(w, req); w.Code != http.StatusOK {
			t.Fatalf("labtest: %s: %d %s", strings.TrimSpace(line), w.Code, w.Body)
		}
		if json.Unmarshal(w.Body.Bytes(), &answer) == nil && answer.Data.Value != "" {
			token = answer.Data.ID + "=" + answer.Data.Value
		}
	}
	return token
}

type apiCall struct{ method, path string }

// pveumCall is the request that a command makes: its words after pveum. Proxmox's
// pveum is made from the same tables as its API (PVE::CLI::pveum).
func pveumCall(t testing.TB, words []string) (apiCall, url.Values) {
	t.Helper()
	form := url.Values{}
	var names []string
	for i := 0; i < len(words); i++ {
		if option, ok := strings.CutPrefix(words[i], "--"); ok && i+1 < len(words) {
			i++
			form.Set(option, words[i])
			continue
		}
		names = append(names, words[i])
	}
	command := func(n int, text string) bool {
		return len(names) == n && strings.HasPrefix(strings.Join(names, " "), text)
	}
	switch {
	case command(3, "pool add "):
		form.Set("poolid", names[2])
		return apiCall{http.MethodPost, "/pools"}, form
	case command(3, "user add "):
		form.Set("userid", names[2])
		return apiCall{http.MethodPost, "/access/users"}, form
	case command(5, "user token add "):
		return apiCall{http.MethodPost, "/access/users/" + names[3] + "/token/" + names[4]}, form
	case command(3, "role add "):
		form.Set("roleid", names[2])
		return apiCall{http.MethodPost, "/access/roles"}, form
	case command(3, "acl modify "):
		form.Set("path", names[2])
		return apiCall{http.MethodPut, "/access/acl"}, form
	}
	t.Fatalf("labtest: pveum %s is not known here", strings.Join(words, " "))
	return apiCall{}, nil
}
