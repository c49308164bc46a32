package pveapi_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func (r *replay) login(t *testing.T) {
	if r.ticket == "" {
		res := r.call(t, "POST", "/access/ticket", url.Values{"username": {"root@pam"}, "password": {"pvepvepve"}})
		data, _ := res.Data.(map[string]any)
		r.ticket, _ = data["ticket"].(string)
		r.csrf, _ = data["CSRFPreventionToken"].(string)
	}
}

// body is a request's content and its type.
func (r *replay) body(st step) (string, string, bool) {
	q := st.Request
	const form = "application/x-www-form-urlencoded"
	switch {
	case q.RawBody != nil:
		ct := ""
		if q.RawType != nil {
			ct = *q.RawType
		}
		return r.m.fill(*q.RawBody), ct, true
	case q.FormPairs != nil:
		var parts []string
		for _, p := range q.FormPairs {
			parts = append(parts, url.QueryEscape(p[0])+"="+url.QueryEscape(r.m.fill(p[1])))
		}
		return strings.Join(parts, "&"), form, true
	case q.Form != nil:
		v := url.Values{}
		for k, text := range q.Form {
			v.Set(k, longText(r.m.fill(text)))
		}
		return v.Encode(), form, true
	}
	return "", "", false
}

// send writes the request as it was recorded, byte by byte where that matters.
func (r *replay) send(t *testing.T, st step) (int, string, http.Header, []byte, error) {
	q := st.Request
	path := r.m.fill(q.Path)
	if q.AbsolutePath != "" {
		path = r.m.fill(q.AbsolutePath)
	} else {
		path = "/api2/json" + path
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: lab\r\n", q.Method, strings.ReplaceAll(path, " ", "%20"))
	for k, v := range q.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", k, longText(r.m.fill(v)))
	}
	switch {
	case strings.HasPrefix(st.As, "ticket"):
		r.login(t)
		fmt.Fprintf(&b, "Cookie: PVEAuthCookie=%s\r\n", url.QueryEscape(r.ticket))
		if st.As == "ticket" && q.Method != "GET" {
			fmt.Fprintf(&b, "CSRFPreventionToken: %s\r\n", r.csrf)
		}
		if st.As == "ticket-bad-csrf" {
			fmt.Fprintf(&b, "CSRFPreventionToken: 00000000:AAAA\r\n")
		}
	case st.As != "none" && r.tokens[st.As] != "":
		fmt.Fprintf(&b, "Authorization: PVEAPIToken=%s\r\n", r.tokens[st.As])
	}
	if body, ct, ok := r.body(st); ok {
		if ct != "" {
			fmt.Fprintf(&b, "Content-Type: %s\r\n", ct)
		}
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	} else {
		if q.Method != "GET" && q.Method != "DELETE" {
			b.WriteString("Content-Length: 0\r\n")
		}
		b.WriteString("\r\n")
	}
	return r.roundTrip(b.Bytes(), q.Method)
}

func (r *replay) roundTrip(request []byte, method string) (int, string, http.Header, []byte, error) {
	conn, err := tls.Dial("tcp", strings.TrimPrefix(r.url, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return 0, "", nil, nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	go func() { _, _ = conn.Write(request) }() // the server may answer and close before it has read all
	var raw bytes.Buffer
	res, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &raw)), &http.Request{Method: method})
	if err != nil {
		return 0, "", nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", nil, nil, err
	}
	if m := connection.FindStringSubmatch(raw.String()); m != nil {
		res.Header.Set("Connection", m[1]) // net/http takes it away
	}
	_, reason, _ := strings.Cut(res.Status, " ")
	return res.StatusCode, reason, res.Header, body, nil
}
