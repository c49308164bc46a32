package report

import (
	"encoding/json"
	"strconv"
)

// Outputs returns the action's outputs. Those of a single environment are the first
// failed one's, or else the first one's; `plan`, `result` and `matrix` have all. The
// inventory is JSON already.
func Outputs(reports []Report, inventory string) map[string]string {
	out := map[string]string{
		"inventory": inventory,
		"changed":   "false", "failure-reason": "", "plan": "[]", "result": "[]", "matrix": `{"include":[]}`,
	}
	if len(reports) == 0 {
		return out
	}
	r := reports[0]
	for _, one := range reports {
		if one.Failed() {
			r = one
			break
		}
	}
	out["project"], out["env"], out["url"], out["ip"], out["node"] = r.Project, r.Env, r.URL, r.IP, r.Node
	out["release"], out["failure-reason"] = r.Release, string(r.Reason)
	out["vmid"], out["deployment-id"] = number(int64(r.VMID)), number(r.DeploymentID)
	for _, one := range reports {
		if one.Changed() {
			out["changed"] = "true"
		}
	}
	out["plan"], out["result"], out["matrix"] = plans(reports), jsonText(reports), matrix(reports)
	return out
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func plans(reports []Report) string {
	all := make([]any, len(reports))
	for i, r := range reports {
		all[i] = r.Plan
	}
	return jsonText(all)
}

// matrix is a value for strategy.matrix.
func matrix(reports []Report) string {
	type entry struct {
		Project string `json:"project"`
		Env     string `json:"env"`
	}
	include := []entry{}
	for _, r := range reports {
		include = append(include, entry{r.Project, r.Env})
	}
	return jsonText(map[string]any{"include": include})
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "null" // only plain data comes here
	}
	return string(text)
}
