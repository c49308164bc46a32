package plan

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/org/appstack-action/internal/secret"
)

// Hash returns a content's SHA-256 in hex, as sha256sum prints it.
func Hash(content secret.Value) string {
	sum := sha256.Sum256([]byte(content.Reveal()))
	return hex.EncodeToString(sum[:])
}
