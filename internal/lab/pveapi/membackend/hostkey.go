package membackend

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	mathrand "math/rand/v2"
	"sync"

	"golang.org/x/crypto/ssh"
)

// hostKeys makes fresh keys of the three kinds that Debian's sshd makes.
func hostKeys() ([]ssh.Signer, error) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	rs, err := rsaKey()
	if err != nil {
		return nil, err
	}
	var keys []ssh.Signer
	for _, k := range []any{ec, ed, rs} {
		s, err := ssh.NewSignerFromKey(k)
		if err != nil {
			return nil, err
		}
		keys = append(keys, s)
	}
	return keys, nil
}

// modulus is one for all RSA keys, because finding primes takes longer than all else here.
var modulus = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 1024) })

// rsaKey makes a key that differs from others in its exponent: good enough for guests
// in memory, with a fingerprint of its own.
func rsaKey() (*rsa.PrivateKey, error) {
	base, err := modulus()
	if err != nil {
		return nil, err
	}
	one := big.NewInt(1)
	phi := one
	for _, p := range base.Primes {
		phi = new(big.Int).Mul(phi, new(big.Int).Sub(p, one))
	}
	for {
		e := mathrand.IntN(1<<23)<<1 | 1 // SSH's readers refuse more than 24 bits
		d := new(big.Int).ModInverse(big.NewInt(int64(e)), phi)
		if e < 3 || d == nil {
			continue
		}
		k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: base.N, E: e}, D: d, Primes: base.Primes}
		k.Precompute()
		return k, k.Validate()
	}
}
