package pveapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// apiError is an answer other than 200: its message is the status line's reason, too.
type apiError struct {
	status int
	msg    string // without the newline that Perl's die adds
	errs   schema.Errors
	raw    bool // no newline after the message
}

func (e *apiError) Error() string { return e.msg }

// fail is what Proxmox answers where its code dies: 500 with the text.
func fail(format string, args ...any) error {
	return &apiError{status: http.StatusInternalServerError, msg: fmt.Sprintf(format, args...)}
}

// paramError is Proxmox's raise_param_exc for one parameter.
func paramError(name, format string, args ...any) error {
	return paramErrors(schema.Errors{name: fmt.Sprintf(format, args...)})
}

func paramErrors(errs schema.Errors) error {
	return &apiError{status: http.StatusBadRequest, msg: "Parameter verification failed.", errs: errs}
}

// denied is Proxmox's raise_perm_exc; what may be empty.
func denied(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if what != "" {
		what = " (" + what + ")"
	}
	return &apiError{status: http.StatusForbidden, msg: "Permission check failed" + what}
}

func notImplemented(method, path string) error {
	return &apiError{status: http.StatusNotImplemented, msg: fmt.Sprintf("Method '%s %s' not implemented", method, path), raw: true}
}

// firstLine is what fits into a status line.
func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// formatFailure is a property string in a configuration that cannot be read: 500, with
// what is wrong key by key.
func formatFailure(err error) error {
	fe := &schema.FormatError{}
	if !errors.As(err, &fe) {
		return fail("%s", err.Error())
	}
	return &apiError{status: http.StatusInternalServerError, msg: "format error", errs: fe.Errors}
}
