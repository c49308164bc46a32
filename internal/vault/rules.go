package vault

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// RecipientsFile is where the recipients are listed, from the repository's root.
const RecipientsFile = ".appstack/recipients"

// Rules say who can read which file. The zero Rules let nobody read anything.
type Rules struct {
	everywhere []Recipient
	sections   []section
}

type section struct {
	patterns   []string
	recipients []Recipient
	line       int
}

// ParseRules reads a recipients file; its syntax is in the package's description.
// The error is a *[Problem] with the line.
func ParseRules(text string) (*Rules, error) {
	p := rulesParser{rules: new(Rules)}
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		if err := p.line(i+1, strings.TrimSpace(line)); err != nil {
			return nil, p.problem(i+1, err)
		}
	}
	for _, s := range p.rules.sections {
		if len(s.recipients) == 0 {
			return nil, p.problem(s.line, fmt.Errorf("the section [%s] lists no recipient, so nobody could read its files", strings.Join(s.patterns, " ")))
		}
	}
	return p.rules, nil
}

type rulesParser struct {
	rules   *Rules
	comment string // the comment on the line before
}

func (p *rulesParser) problem(line int, err error) error {
	return &Problem{Summary: fmt.Sprintf("%s:%d", RecipientsFile, line), Err: err}
}

func (p *rulesParser) line(number int, line string) error {
	above := p.comment
	p.comment = ""
	switch {
	case line == "":
		return nil
	case strings.HasPrefix(line, "#"):
		p.comment = strings.TrimSpace(strings.TrimLeft(line, "#"))
		return nil
	case strings.HasPrefix(line, "["):
		return p.section(number, line)
	}
	text, beside, _ := strings.Cut(line, " #")
	r, err := parseRecipient(strings.TrimSpace(text))
	if err != nil {
		return err
	}
	if beside = strings.TrimSpace(beside); beside != "" {
		r.Who = beside
	} else if above != "" {
		r.Who = above
	}
	return p.add(r)
}

func (p *rulesParser) section(number int, line string) error {
	line, _, _ = strings.Cut(line, " #")
	inner, closed := strings.CutSuffix(strings.TrimSpace(line[1:]), "]")
	patterns := strings.Fields(inner)
	if !closed || len(patterns) == 0 {
		return fmt.Errorf("a section begins with the files it is for, as in [secrets/prod*.age]")
	}
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("%s is no valid pattern", pattern)
		}
	}
	p.rules.sections = append(p.rules.sections, section{patterns: patterns, line: number})
	return nil
}

// add puts r in the current section. One that stands there already is passed over.
func (p *rulesParser) add(r Recipient) error {
	list := &p.rules.everywhere
	if n := len(p.rules.sections); n > 0 {
		list = &p.rules.sections[n-1].recipients
	}
	if slices.ContainsFunc(*list, func(o Recipient) bool { return o.Text == r.Text }) {
		return nil
	}
	if len(*list) > 0 && (*list)[0].postQuantum() != r.postQuantum() {
		return fmt.Errorf("%s and %s cannot read the same file: age mixes post-quantum recipients (age1pq1…) with no others, because the file would be only as safe as the weakest", (*list)[0], r)
	}
	*list = append(*list, r)
	return nil
}

// For returns the recipients of a file, given by its path from the repository's
// root with slashes.
func (r *Rules) For(file string) []Recipient {
	if r == nil {
		return nil
	}
	for _, s := range r.sections {
		for _, pattern := range s.patterns {
			if matches(pattern, path.Clean(file)) {
				return s.recipients
			}
		}
	}
	return r.everywhere
}

// All returns every recipient once, in the order of the file.
func (r *Rules) All() []Recipient {
	if r == nil {
		return nil
	}
	all := slices.Clone(r.everywhere)
	for _, s := range r.sections {
		for _, one := range s.recipients {
			if !slices.ContainsFunc(all, func(o Recipient) bool { return o.Text == one.Text }) {
				all = append(all, one)
			}
		}
	}
	return all
}

func matches(pattern, file string) bool {
	if !strings.Contains(pattern, "/") {
		file = path.Base(file)
	}
	ok, err := path.Match(strings.TrimPrefix(pattern, "./"), file)
	return ok && err == nil
}
