package pve

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// The lines around appstack's part of a description. Proxmox renders descriptions
// as Markdown, where an HTML comment and what is fenced by it stays out of the way.
const (
	blockBegin = "<!-- appstack:begin (kept by appstack: please leave this block as it is)"
	blockEnd   = "appstack:end -->"
)

// maxDescription is how long a description may be, in characters (PVE::JSONSchema).
const maxDescription = 8192

// errTwoBlocks and errTornBlock are what can be wrong with a description.
var (
	errTwoBlocks = errors.New("it has two appstack blocks")
	errTornBlock = errors.New("its appstack block has no end")
)

// description is a guest's description: appstack's block and, byte for byte, what
// people wrote before and after it.
type description struct {
	before, after string
	block         *machine.Block // nil: none
}

// parseDescription splits a description. One whose block cannot be read is an
// error, so that nobody's notes are overwritten by mistake.
func parseDescription(text string) (description, error) {
	begin := lineIndex(text, blockBegin, 0)
	if begin < 0 {
		return description{before: text}, nil
	}
	body := begin + len(blockBegin) + 1
	end := -1
	if body <= len(text) {
		end = lineIndex(text, blockEnd, body)
	}
	if end < 0 {
		return description{}, fmt.Errorf("cannot read the guest's description: %w", errTornBlock)
	}
	d := description{before: text[:begin], after: text[end+len(blockEnd):]}
	if lineIndex(d.after, blockBegin, 0) >= 0 {
		return description{}, fmt.Errorf("cannot read the guest's description: %w", errTwoBlocks)
	}
	d.block = new(machine.Block)
	if err := json.Unmarshal([]byte(text[body:end]), d.block); err != nil {
		return description{}, fmt.Errorf("cannot read the appstack block in the guest's description: %w", err)
	}
	return d, nil
}

// lineIndex returns where the line begins that is exactly this one, or -1.
func lineIndex(text, line string, from int) int {
	for from <= len(text) {
		i := strings.Index(text[from:], line)
		if i < 0 {
			return -1
		}
		i += from
		startsLine := i == 0 || text[i-1] == '\n'
		endsLine := i+len(line) == len(text) || text[i+len(line)] == '\n'
		if startsLine && endsLine {
			return i
		}
		from = i + len(line)
	}
	return -1
}

// String returns the description to write. A first block goes below the notes.
func (d description) String() string {
	if d.block == nil {
		return d.before + d.after
	}
	data, err := json.Marshal(d.block)
	if err != nil {
		panic(err) // a Block holds nothing that JSON cannot
	}
	before := d.before
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	return before + blockBegin + "\n" + string(data) + "\n" + blockEnd + d.after
}

// notes is what people wrote, for showing.
func (d description) notes() string {
	return strings.Trim(d.before+d.after, "\n")
}

// ownedDescription is the description of a guest that is about to be made.
func ownedDescription(notes string, block *machine.Block) (string, error) {
	text := description{before: notes, block: block}.String()
	if n := len([]rune(text)); n > maxDescription {
		return "", fmt.Errorf("cannot write a description of %d characters: Proxmox keeps %d", n, maxDescription)
	}
	return text, nil
}
