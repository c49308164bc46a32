package stack

import "strings"

// nearest returns the candidate that s most probably misspells, or "" if
// none is near: at most one slip in three characters, and never more than
// two.
func nearest(s string, candidates []string) string {
	best, bestDistance := "", min(2, max(1, len(s)/3))+1
	for _, c := range candidates {
		if len(c)-len(s) > 8 || len(s)-len(c) > 8 {
			continue // further apart than two slips and some _ and -
		}
		d := distance(normalise(s), normalise(c))
		if d < bestDistance || d == bestDistance && best != "" && commonPrefix(s, c) > commonPrefix(s, best) {
			best, bestDistance = c, d
		}
	}
	return best
}

var separators = strings.NewReplacer("_", "", "-", "")

// normalise makes spellings equal that differ only in style: envVars,
// env-vars and ENV_VARS.
func normalise(s string) string {
	return strings.ToLower(separators.Replace(s))
}

// distance is the optimal string alignment distance: insertions, deletions,
// replacements and swaps of neighbours count 1 each.
func distance(a, b string) int {
	const most = 64 // no name that we know is longer
	if len(a) > most || len(b) > most {
		return most
	}
	var rows [3][most + 1]int
	for j := range len(b) + 1 {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, previous, row := &rows[(i+2)%3], &rows[i%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(previous[j]+1, row[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
