package guest

import (
	"fmt"
	"strings"
)

// quote returns s as one word for a POSIX shell. s must not hold a NUL.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// words returns a command line of the function and its quoted arguments.
func words(function string, args ...string) string {
	var b strings.Builder
	b.WriteString(function)
	for _, a := range args {
		b.WriteString(" " + quote(a))
	}
	return b.String()
}

// command returns what runs a script of that many bytes from standard input as
// root, whatever the user's login shell is. head takes no byte more, so that what
// follows on standard input is the script's own.
func command(user string, script int) string {
	sh := fmt.Sprintf(`exec sh -c 's=$(head -c %d); eval "$s"'`, script)
	if user == "root" {
		return sh
	}
	return "exec env LC_ALL=C sudo -n " + strings.TrimPrefix(sh, "exec ") // C: what it says is read
}
