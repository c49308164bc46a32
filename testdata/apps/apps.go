// Package apps holds the sample applications that the tests and pvelab deploy: shop, a
// Node app with two services, and pote, a Python app with a database and a cron job.
package apps

import "embed"

// FS has one directory for each application.
//
//go:embed all:shop all:pote
var FS embed.FS
