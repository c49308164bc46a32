package templates

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// EnvMarker is the line of an env file below which each line holds a secret: a plan's
// diff shows the variables above it, and of those below their names alone.
const EnvMarker = "# --- secrets below: never shown ---"

// A Var is one variable of an env file.
type Var struct{ Name, Value string }

// EnvFile returns an env file that systemd (EnvironmentFile=) and a POSIX shell
// (`. file`) read as the same variables, with the secret ones below [EnvMarker]: without
// that line, nobody could tell that none of them is.
// The error names a variable that no such file can hold.
//
// systemd's parser is not the shell's: it does not concatenate 'a'"b", and
// drops backslashes in other places. Both agree on double quotes, in which only
// the four characters `"`, `\`, `$` and the backtick are special and a newline
// stands for itself (systemd.exec(5); parse_env_file_internal in
// src/basic/env-file.c of systemd 252 and 257).
func EnvFile(header string, public, secret []Var) (string, error) {
	var b strings.Builder
	for line := range strings.Lines(header) {
		b.WriteString("# " + strings.TrimRight(line, "\\\n") + "\n") // systemd lets a backslash continue a comment
	}
	if err := writeVars(&b, public); err != nil {
		return "", err
	}
	b.WriteString(EnvMarker + "\n")
	if err := writeVars(&b, secret); err != nil {
		return "", err
	}
	return b.String(), nil
}

func writeVars(b *strings.Builder, vars []Var) error {
	for _, v := range vars {
		if err := checkVar(v); err != nil {
			return err
		}
		fmt.Fprintf(b, "%s=\"%s\"\n", v.Name, doubleQuoted.Replace(v.Value))
	}
	return nil
}

var doubleQuoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`")

func checkVar(v Var) error {
	switch {
	case !isEnvName(v.Name):
		return fmt.Errorf("cannot set the variable %q: a name has letters, digits and _, and does not begin with a digit", v.Name)
	case strings.ContainsRune(v.Value, 0):
		return fmt.Errorf("cannot set the variable %s: its value has a NUL character", v.Name)
	case !utf8.ValidString(v.Value):
		return fmt.Errorf("cannot set the variable %s: its value is not UTF-8, which systemd requires", v.Name)
	}
	return nil
}

func isEnvName(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// ShellQuote returns s as one word of a POSIX shell.
func ShellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// UnitQuote returns s as one argument of a systemd command line such as
// ExecStart=, on one line: C escapes in double quotes, % and $ doubled so that
// neither specifiers nor variables are expanded (systemd.service(5), "Command
// lines").
func UnitQuote(s string) string { return `"` + unitQuoted.Replace(s) + `"` }

var unitQuoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`, "%", "%%", "$", "$$")
