// Package templates holds the texts that appstack writes onto a guest, and the
// quoting that each of their languages needs.
//
// Everything is embedded and rendered without looking at anything else: the same
// input gives the same bytes, so that a second run finds nothing to change.
// Shell scripts are plain files that shellcheck and a person can read as they
// are; they learn about the app from [Config], which they source.
package templates
