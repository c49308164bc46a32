package report

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// code writes foreign text as inline code: nothing in it is Markdown or HTML, and
// nobody is mentioned. It fits a table's cell.
func code(s string) string {
	s = flat(s)
	if s == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	// GitHub splits a table's row at "|" before it looks for code.
	return fence + strings.ReplaceAll(s, "|", `\|`) + fence
}

var special = regexp.MustCompile("[\\\\`*_{}\\[\\]#|~>$]")

// text writes foreign text as plain text within a line.
func text(s string) string { return words(flat(s)) }

// words is text with the spaces at its ends.
func words(s string) string {
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;", "@", "@\u2060").Replace(brief(s))
	return special.ReplaceAllString(s, `\$0`)
}

// prose writes a sentence that may hold foreign text; what it has in backquotes is code.
func prose(s string) string {
	parts := strings.Split(flat(s), "`")
	if len(parts)%2 == 0 { // one is not closed
		return text(s)
	}
	var b strings.Builder
	for i, part := range parts {
		if i%2 == 1 {
			b.WriteString(code(part))
			continue
		}
		b.WriteString(words(part))
	}
	return b.String()
}

// block writes foreign text as a code block with a fence that it cannot close.
func block(language, s string) string {
	fence := strings.Repeat("`", max(longestRun(s, '`')+1, 3))
	return fence + language + "\n" + strings.TrimRight(visible(s), "\n") + "\n" + fence
}

// link writes a link to an address of ours; its text is Markdown already.
func link(label, url string) string {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") || strings.ContainsAny(url, " <>()\"'`\n\\") {
		return label
	}
	return "[" + label + "](" + url + ")"
}

// flat makes one line of s, with its control characters and those that
// change the direction of writing made visible.
func flat(s string) string {
	return strings.Join(strings.Fields(visible(s)), " ")
}

// visible replaces characters that would be obeyed rather than seen.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029':
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

func longestRun(s string, c rune) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

var commits = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{28}\b`)

// brief shortens the commits within a text: twelve digits are as unique.
func brief(s string) string { return commits.ReplaceAllString(s, "$1") }

// short shortens a commit for reading.
func short(sha string) string {
	if len(sha) > 7 {
		return sha[:7]
	}
	return sha
}

// took writes a duration as people say it: "0.8 s", "1 min 12 s".
func took(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}
