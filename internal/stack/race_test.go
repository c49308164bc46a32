//go:build race

package stack

// raced makes the time bounds of tests wide: the race detector slows everything down
// several times.
const raced = true
