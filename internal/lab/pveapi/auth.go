package pveapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// identity is who asks.
type identity struct {
	authuser string // root@pam or root@pam!ci; "" for nobody
}

// root tells whether it is root@pam itself; a token of root@pam is not.
func (i identity) root() bool { return i.authuser == "root@pam" }

const (
	noTicket   = "No ticket"
	authFailed = "Authentication failed!"
	badCSRF    = "Permission denied - invalid csrf token"
)

var tokenHeader = regexp.MustCompile(`^PVEAPIToken(?:=| )(.+)$`)

// authenticate finds out who asks; the error is the reason of a 401.
func (s *Server) authenticate(r *http.Request, rt *route) (identity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := tokenHeader.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		id, secret, ok := strings.Cut(m[1], "=")
		if !ok || !s.tokenValid(id, secret) {
			return identity{}, fmt.Errorf(authFailed)
		}
		return identity{id}, nil
	}
	if rt != nil && rt.Perm.Op == "world" {
		return identity{}, nil
	}
	cookie, err := r.Cookie("PVEAuthCookie")
	if err != nil {
		return identity{}, fmt.Errorf(noTicket)
	}
	ticket, err := url.QueryUnescape(strings.ReplaceAll(cookie.Value, "+", "%2B"))
	if err != nil {
		return identity{}, fmt.Errorf(authFailed)
	}
	name, ok := s.ticketUser("PVE", ticket, "")
	if !ok || !s.userActive(name) {
		return identity{}, fmt.Errorf(authFailed)
	}
	if r.Method != "GET" && !s.csrfValid(name, r.Header.Get("CSRFPreventionToken")) {
		return identity{}, fmt.Errorf(badCSRF)
	}
	return identity{name}, nil
}

// refuse answers 401 after Proxmox's delay and closes the connection.
func (s *Server) refuse(a *answer, err error) {
	s.delay(a.r)
	a.closing().text(http.StatusUnauthorized, err.Error(), "")
}

// delay slows down whoever guesses.
func (s *Server) delay(r *http.Request) {
	if s.opt.AuthDelay <= 0 {
		return
	}
	t := time.NewTimer(s.opt.AuthDelay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

func (s *Server) userActive(name string) bool {
	u := s.st.Users[name]
	return u != nil && u.Enable && (u.Expire == 0 || u.Expire > s.now().Unix())
}

func (s *Server) tokenValid(id, secret string) bool {
	name, tid, ok := strings.Cut(id, "!")
	if !ok || !s.userActive(name) {
		return false
	}
	t := s.st.Users[name].Tokens[tid]
	if t == nil || (t.Expire != 0 && t.Expire <= s.now().Unix()) {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(t.Secret), []byte(secret)) == 1
}

// ticketLife is how long a ticket counts, as in Proxmox.
const ticketLife = 2 * time.Hour

// ticket signs "KIND:data:TIME", with extra bytes under the signature.
func (s *Server) ticket(kind, data, extra string) string {
	head := fmt.Sprintf("%s:%s:%08X", kind, data, s.now().Unix())
	return head + "::" + s.sign(head+":"+extra)
}

func (s *Server) sign(text string) string {
	mac := hmac.New(sha256.New, s.st.Secret)
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// ticketUser checks a ticket and returns what it was given for.
func (s *Server) ticketUser(kind, ticket, extra string) (string, bool) {
	head, sig, ok := strings.Cut(ticket, "::")
	if !ok || !hmac.Equal([]byte(sig), []byte(s.sign(head+":"+extra))) {
		return "", false
	}
	rest, ok := strings.CutPrefix(head, kind+":")
	i := strings.LastIndexByte(rest, ':')
	if !ok || i < 0 {
		return "", false
	}
	at, err := strconv.ParseInt(rest[i+1:], 16, 64)
	age := s.now().Sub(time.Unix(at, 0))
	return rest[:i], err == nil && age > -5*time.Minute && age < ticketLife
}

func (s *Server) csrf(user string) string {
	at := fmt.Sprintf("%08X", s.now().Unix())
	return at + ":" + s.sign("csrf:"+at+":"+user)
}

func (s *Server) csrfValid(user, got string) bool {
	at, sig, ok := strings.Cut(got, ":")
	return ok && hmac.Equal([]byte(sig), []byte(s.sign("csrf:"+at+":"+user)))
}

func hashPassword(pw string) []byte {
	h, err := bcrypt.GenerateFromPassword([]byte(pw), bcrypt.MinCost)
	if err != nil { // longer than bcrypt takes: nobody can log in with it
		return nil
	}
	return h
}

// getTicket is GET /access/ticket, the login page's probe.
func getTicket(*call) (any, error) { return nil, nil }

// createTicket is POST /access/ticket.
func createTicket(c *call) (any, error) {
	name := c.p.str("username")
	if realm := c.p.str("realm"); realm != "" {
		name += "@" + realm
	}
	pw := c.p.str("password")
	if who, ok := c.ticketUser("PVE", pw, ""); ok && who == name && c.userActive(name) {
		return c.loggedIn(name), nil
	}
	u := c.st.Users[name]
	if u == nil || u.Password == nil || !c.userActive(name) || bcrypt.CompareHashAndPassword(u.Password, []byte(pw)) != nil {
		c.unlocked(func() { c.delay(c.req) })
		return nil, &apiError{status: http.StatusUnauthorized, msg: "authentication failure"}
	}
	return c.loggedIn(name), nil
}

func (c *call) loggedIn(name string) any {
	return map[string]any{
		"username": name, "ticket": c.ticket("PVE", name, ""),
		"CSRFPreventionToken": c.csrf(name), "cap": c.capabilities(name),
	}
}

// unlocked runs f, which may take its time, without s.mu.
func (s *Server) unlocked(f func()) {
	s.mu.Unlock()
	defer s.mu.Lock()
	f()
}
