package stack

import (
	_ "embed"
	"slices"
)

// The file is written from the types and their comments; the copy at the top
// of the repository is what `$schema` in a stack file points to.
//
//go:generate go test -run ^TestSchema$ -update
//go:embed appstack.schema.json
var schema []byte

// Schema returns the JSON schema of the stack file.
func Schema() []byte { return slices.Clone(schema) }
