package ws

import "net/http"

// Pages of other origins may use the HTTP urls where the deployment lists their
// origin (Fetch standard, section 3.2). A token is the only credential and pages
// put it in themselves, so browsers' own credentials are never asked for; from
// an origin that is not listed nothing is said that a browser would act on.
const (
	corsMethods = "POST"
	corsHeaders = "Authorization, Content-Type"
	corsExposed = "Retry-After, WWW-Authenticate"
	corsMaxAge  = "7200" // seconds: the longest that all browsers keep
)

// cors says what a page of a listed origin may do and read. It is part of every
// answer, refusals among them: else the page could not tell why it was refused.
func (s *Server) cors(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Add("Vary", "Origin")
	origin, ok := s.o.Wire.Origins.Of(req)
	if !ok {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if req.Method != http.MethodOptions {
		h.Set("Access-Control-Expose-Headers", corsExposed)
	} else if req.Header.Get("Access-Control-Request-Method") != "" { // a preflight
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", corsMaxAge)
	}
}
