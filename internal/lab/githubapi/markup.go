package githubapi

import (
	"bytes"
	"html/template"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	emoji "github.com/yuin/goldmark-emoji"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markup renders GitHub-flavoured Markdown as GitHub shows a comment: tables, task
// lists, alerts, emoji, line breaks as typed, and only harmless HTML.
type markup struct {
	md     goldmark.Markdown
	policy *bluemonday.Policy
}

func newMarkup() *markup {
	md := goldmark.New(
		goldmark.WithExtensions(extension.GFM, extension.Footnote, emoji.Emoji),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(alerts{}, 100))),
		// Comments keep their line breaks, unlike files; HTML passes to the policy.
		goldmark.WithRendererOptions(html.WithHardWraps(), html.WithUnsafe(), renderer.WithNodeRenderers(util.Prioritized(codeBlocks{}, 100))),
	)
	return &markup{md: md, policy: newPolicy()}
}

var (
	ownClasses = regexp.MustCompile(`^(markdown-alert( markdown-alert-(note|tip|important|warning|caution))?|markdown-alert-title|code-(diff|mermaid)|d-(add|del|hunk)|language-[\w+#.-]+|footnote[\w -]*)$`)
	alignment  = regexp.MustCompile(`^(left|center|right)$`)
)

// newPolicy is GitHub's allow list (github.github.com/gfm and the html-pipeline's
// sanitization filter), plus the classes that this renderer sets itself.
func newPolicy() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	p.AllowElements("details", "summary", "kbd", "samp", "var", "picture", "tt", "ins", "del", "s", "strike")
	p.AllowAttrs("open").OnElements("details")
	p.AllowAttrs("srcset", "media").OnElements("source")
	p.AllowElements("source")
	p.AllowAttrs("align").Matching(alignment).OnElements("p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "td", "th", "img")
	p.AllowAttrs("class").Matching(ownClasses).OnElements("blockquote", "p", "pre", "code", "span", "div", "sup", "a", "section")
	p.AllowAttrs("type").Matching(regexp.MustCompile(`^checkbox$`)).OnElements("input")
	p.AllowAttrs("checked", "disabled").OnElements("input")
	p.AllowStyles("text-align").Matching(alignment).OnElements("td", "th")
	return p
}

// html renders one comment.
func (m *markup) html(source string) template.HTML {
	var b bytes.Buffer
	if err := m.md.Convert([]byte(source), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(source))
	}
	return template.HTML(m.policy.SanitizeBytes(b.Bytes()))
}

// alerts turns a quotation that starts with [!NOTE] into an alert.
type alerts struct{}

var alertMark = regexp.MustCompile(`^\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s*$`)

// Transform implements [parser.ASTTransformer]. Only quotations of the top level
// count, as on GitHub.
func (alerts) Transform(doc *ast.Document, reader text.Reader, _ parser.Context) {
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if quote, ok := n.(*ast.Blockquote); ok {
			markAlert(quote, reader.Source())
		}
	}
}

func markAlert(quote *ast.Blockquote, source []byte) {
	first, ok := quote.FirstChild().(*ast.Paragraph)
	if !ok || first.Lines().Len() == 0 {
		return
	}
	line := first.Lines().At(0)
	m := alertMark.FindSubmatch(bytes.ToUpper(line.Value(source)))
	if m == nil {
		return
	}
	for c := first.FirstChild(); c != nil; {
		next := c.NextSibling()
		if t, ok := c.(*ast.Text); ok && t.Segment.Start < line.Stop {
			first.RemoveChild(first, c)
		}
		c = next
	}
	kind := strings.ToLower(string(m[1]))
	quote.SetAttributeString("class", []byte("markdown-alert markdown-alert-"+kind))
	title := ast.NewParagraph()
	title.SetAttributeString("class", []byte("markdown-alert-title"))
	title.AppendChild(title, ast.NewString([]byte(strings.ToUpper(kind[:1])+kind[1:])))
	quote.InsertBefore(quote, first, title)
	if first.ChildCount() == 0 {
		quote.RemoveChild(quote, first)
	}
}

// codeBlocks renders fenced code; a diff in colours, and a mermaid diagram as its source.
type codeBlocks struct{}

// RegisterFuncs implements [renderer.NodeRenderer].
func (codeBlocks) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindFencedCodeBlock, renderCode)
}

func renderCode(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	n := node.(*ast.FencedCodeBlock)
	language := string(n.Language(source))
	switch language {
	case "":
		w.WriteString("<pre><code>")
	case "diff", "mermaid":
		w.WriteString(`<pre class="code-` + language + `"><code>`)
	default:
		w.WriteString(`<pre><code class="language-` + template.HTMLEscapeString(language) + `">`)
	}
	for i := range n.Lines().Len() {
		segment := n.Lines().At(i)
		line := string(segment.Value(source))
		if language == "diff" {
			w.WriteString(diffLine(line))
		} else {
			w.WriteString(template.HTMLEscapeString(line))
		}
	}
	w.WriteString("</code></pre>\n")
	return ast.WalkSkipChildren, nil
}

// diffLine colours a line, its line feed included.
func diffLine(line string) string {
	escaped := template.HTMLEscapeString(line)
	for prefix, class := range map[string]string{"+": "d-add", "-": "d-del", "@@": "d-hunk"} {
		if strings.HasPrefix(line, prefix) {
			return `<span class="` + class + `">` + escaped + `</span>`
		}
	}
	return escaped
}

// patchHTML renders the hunks of a file.
func patchHTML(patch string) template.HTML {
	var b strings.Builder
	b.WriteString(`<pre class="code-diff"><code>`)
	for line := range strings.Lines(patch) {
		b.WriteString(diffLine(line))
	}
	b.WriteString(`</code></pre>`)
	return template.HTML(b.String())
}
