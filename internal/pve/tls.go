package pve

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// CertificateError says that the API's certificate is not the one that is trusted.
type CertificateError struct {
	Got   string // SHA-256 fingerprint of the certificate that was presented
	Want  string // the pinned fingerprint; empty: authorities were asked
	cause error
}

func (e *CertificateError) Error() string {
	if e.Want != "" {
		return "cannot trust Proxmox's certificate: its fingerprint is " + e.Got + ", the stack pins " + e.Want
	}
	return fmt.Sprintf("cannot trust Proxmox's certificate with fingerprint %s: %v", e.Got, e.cause)
}

func (e *CertificateError) Unwrap() error { return e.cause }

// Hint says how to tell a renewed certificate from an attack.
func (e *CertificateError) Hint() string {
	return "on the node itself, `pvenode cert info` prints the fingerprint; if it is " + e.Got +
		", set proxmox.fingerprint to it, and if not, somebody is in between"
}

// trust returns the TLS configuration that accepts exactly the pinned certificate,
// or those that the authorities vouch for.
func trust(fingerprint string, ca []byte) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if fingerprint != "" {
		pin, err := parseFingerprint(fingerprint)
		if err != nil {
			return nil, err
		}
		// Proxmox's certificate is signed by the cluster's own authority and need not
		// name the address that it is reached by: the pin stands for both checks.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(state tls.ConnectionState) error { return verifyPin(state, pin) }
		return config, nil
	}
	if len(ca) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("cannot use proxmox.ca: it holds no PEM certificate")
		}
	}
	return config, nil
}

func verifyPin(state tls.ConnectionState, pin [sha256.Size]byte) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server has no certificate")
	}
	got := sha256.Sum256(state.PeerCertificates[0].Raw)
	if got != pin {
		return &CertificateError{Got: formatFingerprint(got), Want: formatFingerprint(pin)}
	}
	return nil
}

// parseFingerprint reads 32 bytes in hex, with or without colons, spaces and a
// leading "SHA256:" or "sha256 Fingerprint=" as the usual tools print it.
func parseFingerprint(s string) (pin [sha256.Size]byte, err error) {
	text := s
	if i := strings.LastIndexByte(text, '='); i >= 0 {
		text = text[i+1:]
	}
	text = strings.TrimSpace(text)
	if len(text) > 7 && strings.EqualFold(text[:7], "sha256:") {
		text = text[7:]
	}
	text = strings.NewReplacer(":", "", " ", "", "-", "").Replace(text)
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != sha256.Size {
		return pin, fmt.Errorf("cannot use the fingerprint %q: SHA-256 has 32 bytes in hex, such as AB:CD:…", s)
	}
	return [sha256.Size]byte(raw), nil
}

func formatFingerprint(sum [sha256.Size]byte) string {
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

// certificateError makes a failed verification say which certificate it was about.
func certificateError(err error) error {
	if e, ok := errors.AsType[*CertificateError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(e.UnverifiedCertificates) > 0 {
		return &CertificateError{Got: formatFingerprint(sha256.Sum256(e.UnverifiedCertificates[0].Raw)), cause: e.Err}
	}
	return nil
}
