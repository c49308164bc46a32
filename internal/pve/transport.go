package pve

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// maxAnswer bounds what is read of one answer, in bytes. The largest that a big
// cluster sends, /cluster/resources, has some 500 bytes a guest.
const maxAnswer = 64 << 20

// newHTTP returns the HTTP client: our transport under go-proxmox.
func (c *Client) newHTTP(config *tls.Config, dial Dialer) *http.Client {
	if dial == nil {
		dial = (&net.Dialer{Timeout: c.times.reachable, KeepAlive: 15 * time.Second}).DialContext
	}
	base := &http.Transport{
		TLSClientConfig:     config,
		TLSHandshakeTimeout: c.times.reachable,
		// Proxmox carries a change out before it answers, and waits up to 10 s for a
		// lock; pveproxy itself gives up after 30 s (status 596).
		ResponseHeaderTimeout: 90 * time.Second,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       30 * time.Second,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, c.times.reachable)
			defer cancel()
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, &dialError{address, err}
			}
			return conn, nil
		},
	}
	return &http.Client{Transport: &transport{base}}
}

// dialError marks errors from before there was a connection: the request cannot
// have happened.
type dialError struct {
	address string
	cause   error
}

func (e *dialError) Error() string { return e.cause.Error() }
func (e *dialError) Unwrap() error { return e.cause }

// transport reads what Proxmox says when it refuses a request, before go-proxmox
// drops it: the text of a 401 or 403, and of a 500 where a proxy or HTTP/2 lost
// the reason phrase.
type transport struct{ base http.RoundTripper }

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return bounded(res)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		body = nil // the status line says enough
	}
	return nil, answerError(req, res, body)
}

// bounded reads a successful answer whole, so that one that breaks off is an error
// of the exchange and not one of its JSON.
func bounded(res *http.Response) (*http.Response, error) {
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, &brokenAnswer{err}
	}
	if len(body) > maxAnswer {
		return nil, &brokenAnswer{errTooLarge}
	}
	if !json.Valid(body) {
		return nil, &Error{Status: res.StatusCode, Message: "the answer is not JSON: " + excerpt(body)}
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// answerError turns a refusal into an [Error] with Proxmox's words.
func answerError(req *http.Request, res *http.Response, body []byte) error {
	e := &Error{Method: req.Method, Status: res.StatusCode}
	var said struct {
		Message string            `json:"message"`
		Errors  map[string]string `json:"errors"`
	}
	_ = json.Unmarshal(body, &said) // where it is none of Proxmox's, the status line speaks
	e.Message = strings.TrimSpace(said.Message)
	if e.Message == "" {
		_, reason, _ := strings.Cut(res.Status, " ")
		e.Message = strings.TrimSpace(reason)
	}
	for name, text := range said.Errors {
		if e.Params == nil {
			e.Params = make(map[string]string)
		}
		e.Params[name] = strings.TrimSpace(text)
	}
	return e
}

// excerpt is the beginning of a text that should have been JSON, on one line.
func excerpt(body []byte) string {
	const most = 80
	s := strings.Join(strings.Fields(string(body[:min(len(body), 4*most)])), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
