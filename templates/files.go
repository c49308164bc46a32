package templates

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed units/*.unit deploy/*.sh scripts/*
var files embed.FS

// DeployScript returns deploy_app.sh. It is kept in parts, one concern each, and
// is one file on the guest.
func DeployScript() string {
	names, err := fs.Glob(files, "deploy/*.sh")
	if err != nil {
		panic("templates: " + err.Error()) // the pattern is a constant
	}
	var b strings.Builder
	for _, name := range names {
		b.WriteString(Script(name))
	}
	return b.String()
}

// Script returns the embedded file of this name below the package's directory,
// such as "scripts/backup". It panics when there is none.
func Script(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic("templates: " + err.Error())
	}
	return string(text)
}
