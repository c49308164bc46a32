package githubapi

import "net/http"

type markup struct{}

func newMarkup() *markup { return &markup{} }

func (s *Server) newPages() *http.ServeMux { return http.NewServeMux() }
