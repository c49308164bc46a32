//go:build small

package githubapi

import "errors"

// Description is GitHub's own API description, which a program that is built with the tag
// small cannot read: make demo needs none, and compiling what reads it takes a while.
type Description struct{}

// LoadDescription fails.
func LoadDescription(string) (*Description, error) {
	return nil, errors.New("cannot load GitHub's API description: this program was built with the tag small")
}

func (*Description) request(*call, route) error    { return nil }
func (*Description) response(*call, route, *reply) {}
