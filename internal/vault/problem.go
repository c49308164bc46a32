package vault

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is an error that a person can do something about.
type Problem struct {
	Summary string // what is wrong, with the file or source that it is wrong in
	Advice  string // what to do about it; may be empty
	Err     error  // the cause, or nil
}

func (p *Problem) Error() string {
	if p.Err == nil {
		return p.Summary
	}
	return p.Summary + ": " + p.Err.Error()
}

func (p *Problem) Unwrap() error { return p.Err }

// Hint returns the advice, or else that of the cause, for whoever shows the error
// to a person.
func (p *Problem) Hint() string {
	var cause interface{ Hint() string }
	if p.Advice == "" && errors.As(p.Err, &cause) {
		return cause.Hint()
	}
	return p.Advice
}

// NoMatchError says that none of the identities can decrypt a file.
type NoMatchError struct {
	File      string
	Encrypted []string // for whom the file is, as far as its header tells
	Expected  []string // for whom it should be by the recipients file; may be empty
	Given     []string // the identities' own recipients, and where they came from
}

func (e *NoMatchError) Error() string {
	msg := fmt.Sprintf("cannot decrypt %s: it is encrypted to %s; the identity given is for %s",
		e.File, listing(e.Encrypted), listing(e.Given))
	if len(e.Expected) > 0 {
		msg += fmt.Sprintf("; by %s its readers are %s", RecipientsFile, listing(e.Expected))
	}
	return msg
}

// Hint says how access to the file is given.
func (e *NoMatchError) Hint() string {
	return fmt.Sprintf("use an identity of one of its readers, or let one of them add yours to %s and run `appstack secrets rekey`", RecipientsFile)
}

// listing joins items as in a sentence.
func listing(items []string) string {
	switch len(items) {
	case 0:
		return "nobody"
	case 1:
		return items[0]
	}
	return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
}
