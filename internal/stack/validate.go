package stack

import "github.com/org/appstack-action/internal/diag"

func (s *Stack) validate(list *diag.List) {
	s.validateTop(list)
	for _, e := range s.Envs {
		e.validate(list)
	}
}

func (s *Stack) validateTop(list *diag.List) {}

func (e *Env) validate(list *diag.List) {}
