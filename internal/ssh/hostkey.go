package ssh

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	xssh "golang.org/x/crypto/ssh"
)

// errNotPinned interrupts a handshake whose host key is not among the pins.
var errNotPinned = errors.New("host key is not pinned")

// families are the types of host keys by how they are asked for, preferred first.
// RSA's algorithms carry other names than its key type.
var families = [][]string{
	{xssh.KeyAlgoED25519},
	{xssh.KeyAlgoECDSA256, xssh.KeyAlgoECDSA384, xssh.KeyAlgoECDSA521},
	{xssh.KeyAlgoRSASHA512, xssh.KeyAlgoRSASHA256},
}

// pins are the host keys that a machine may show, and what it showed so far. A
// server negotiates one key type for each handshake: where the pins are of
// another type than the preferred one, the next type is asked for.
type pins struct {
	address string
	want    []string // fingerprints
	trust   bool     // accept any key
	offer   [][]string
	seen    []string // what did not match, "type fingerprint"
	last    string   // key type of the last handshake
	matched bool
	shown   string // fingerprint that matched
}

// newPins parses the pinned keys.
func newPins(o Options) (*pins, error) {
	p := &pins{address: o.address(), offer: slices.Clone(families)}
	p.trust = o.TrustOnFirstUse && len(o.HostKeys) == 0
	for _, key := range o.HostKeys {
		fingerprint, err := fingerprint(key)
		if err != nil {
			return nil, fmt.Errorf("cannot pin the host key of %s: %w", o.Address, err)
		}
		p.want = append(p.want, fingerprint)
	}
	return p, nil
}

// fingerprint returns the fingerprint of a pin, which is one or a public key.
func fingerprint(pin string) (string, error) {
	pin = strings.TrimSpace(pin)
	if strings.HasPrefix(pin, "SHA256:") && !strings.ContainsAny(pin, " \t\n") {
		return strings.TrimRight(pin, "="), nil
	}
	key, _, _, _, err := xssh.ParseAuthorizedKey([]byte(pin))
	if err != nil {
		return "", fmt.Errorf("%q is neither a SHA256:… fingerprint nor a public key", pin)
	}
	return xssh.FingerprintSHA256(key), nil
}

// check is the handshake's callback.
func (p *pins) check(_ string, _ net.Addr, key xssh.PublicKey) error {
	print := xssh.FingerprintSHA256(key)
	p.last = key.Type()
	if p.trust && p.shown == "" || p.shown == print || slices.Contains(p.want, print) {
		p.matched, p.shown = true, print
		return nil
	}
	p.matched = false
	p.seen = append(p.seen, key.Type()+" "+print)
	return errNotPinned
}

// algorithms returns what to ask the server for.
func (p *pins) algorithms() []string { return slices.Concat(p.offer...) }

// next drops the family of the key that did not match; false: none is left.
func (p *pins) next() bool {
	p.offer = slices.DeleteFunc(p.offer, func(f []string) bool {
		return slices.Contains(f, p.last) || p.last == xssh.KeyAlgoRSA && f[0] == xssh.KeyAlgoRSASHA512
	})
	return len(p.offer) > 0 && len(p.want) > 0
}

func (p *pins) failure() error {
	return &HostKeyError{Address: p.address, Want: p.want, Got: p.seen}
}

// isNoCommonHostKey recognises that the server has no key of the types asked for.
func isNoCommonHostKey(err error) bool {
	var negotiation *xssh.AlgorithmNegotiationError
	return errors.As(err, &negotiation) && strings.Contains(err.Error(), "host key")
}
