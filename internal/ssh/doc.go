// Package ssh connects to one machine over SSH and runs commands there.
//
// The host key is pinned, by fingerprint or whole, before anything is sent; there
// is no way to connect that skips the check. [Dial] tries several users in turn,
// so that the bootstrap user of a machine's first day and its app user later on
// need no distinction by the caller. A [JumpHost] is a [Dialer] like any other:
// for further connections and for HTTP alike.
//
// A connection notices within 30 seconds that the other side is gone. On Linux it
// keeps TCP_QUICKACK on: the delayed acknowledgements else cost more than half
// of a short command's time.
package ssh
