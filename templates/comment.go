package templates

import _ "embed"

// Comment is the pull request's comment: a text/template that package report executes.
//
//go:embed comment.md.tmpl
var Comment string
