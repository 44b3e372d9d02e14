package tokens

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// claims is a token's payload.
type claims struct {
	Name   string   `json:"name,omitempty"`
	Role   string   `json:"role,omitempty"`
	Groups []string `json:"groups,omitempty"`
	jwt.RegisteredClaims
}

// UnmarshalJSON reads the claims by their exact names: encoding/json takes Role for
// role, and an issuer may let people choose a claim of the one name who must not
// choose the other.
func (c *claims) UnmarshalJSON(raw []byte) error {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil || all == nil {
		return notJWT
	}
	for name, v := range all {
		var err error
		switch name {
		case "sub":
			err = json.Unmarshal(v, &c.Subject)
		case "iss":
			err = json.Unmarshal(v, &c.Issuer)
		case "aud":
			err = json.Unmarshal(v, &c.Audience)
		case "name":
			err = json.Unmarshal(v, &c.Name)
		case "role":
			err = json.Unmarshal(v, &c.Role)
		case "groups":
			// Issuers have groups of their own, which may be of another shape.
			if json.Unmarshal(v, &c.Groups) != nil {
				c.Groups = nil
			}
		case "exp":
			c.ExpiresAt, err = date(v)
		case "nbf":
			c.NotBefore, err = date(v)
		}
		if err != nil {
			return refusal("its " + name + " is of a wrong type")
		}
	}
	return nil
}

// date reads seconds since 1970 (RFC 7519, 2), up to the year 9999.
func date(raw json.RawMessage) (*jwt.NumericDate, error) {
	var seconds *float64
	if json.Unmarshal(raw, &seconds) != nil || seconds == nil || math.Abs(*seconds) > 253402300799 {
		return nil, errors.New("not a time")
	}
	return &jwt.NumericDate{Time: time.Unix(int64(math.Floor(*seconds)), 0)}, nil
}

// check gives the reason to refuse the claims at a time, or "".
func (c *claims) check(now time.Time, issuer, audience string) refusal {
	switch {
	case c.Subject == "":
		return "no sub"
	case c.ExpiresAt != nil && !now.Before(c.ExpiresAt.Time):
		return "expired"
	case c.NotBefore != nil && now.Add(clockSkew).Before(c.NotBefore.Time):
		return "not valid yet"
	case issuer != "" && c.Issuer != issuer:
		return "of another issuer"
	case audience != "" && !slices.Contains(c.Audience, audience):
		return "for another audience"
	}
	return ""
}

// accessType tells whether a header's typ is that of a token that gives access
// (RFC 7519, 5.1; RFC 9068, 2.1) or absent.
func accessType(typ any) bool {
	if typ == nil {
		return true
	}
	s, _ := typ.(string)
	s = strings.TrimPrefix(strings.ToLower(s), "application/")
	return s == "jwt" || s == "at+jwt"
}
