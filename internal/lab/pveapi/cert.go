package pveapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Certificate returns the lab's self-signed TLS certificate, made on first use and kept in
// Dir as pve-ssl.pem and pve-ssl.key.
func (s *Server) Certificate() (tls.Certificate, error) {
	s.certMu.Lock()
	defer s.certMu.Unlock()
	crt, key := s.CertFile(), filepath.Join(s.opt.Dir, "pve-ssl.key")
	if _, err := os.Stat(crt); errors.Is(err, fs.ErrNotExist) {
		if err := makeCert(crt, key, s.opt.Nodes); err != nil {
			return tls.Certificate{}, fmt.Errorf("cannot make the lab's certificate: %w", err)
		}
	}
	c, err := tls.LoadX509KeyPair(crt, key)
	if err != nil {
		return c, fmt.Errorf("cannot read the lab's certificate: %w", err)
	}
	return c, nil
}

// CertFile is the path of the certificate in PEM, for clients that take a CA file.
func (s *Server) CertFile() string { return filepath.Join(s.opt.Dir, "pve-ssl.pem") }

// Fingerprint is the certificate's SHA-256 as Proxmox prints it: AA:BB:…
func (s *Server) Fingerprint() (string, error) {
	c, err := s.Certificate()
	if err != nil {
		return "", err
	}
	return fingerprint(c.Certificate[0]), nil
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

func makeCert(crtFile, keyFile string, nodes []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	tmpl := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: nodes[0], Organization: []string{"PVE Cluster Node"}},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(2, 0, 0),
		DNSNames:              append([]string{"localhost"}, nodes...),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return err
	}
	pk, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: pk})); err != nil {
		return err
	}
	return writeFile(crtFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
