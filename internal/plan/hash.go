package plan

import "github.com/org/appstack-action/internal/secret"

// Hash returns a content's SHA-256 in hex, as sha256sum prints it.
func Hash(content secret.Value) string { return hashText(content.Reveal()) }
