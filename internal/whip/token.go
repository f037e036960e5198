// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
)

// authenticate checks the bearer token (RFC 6750, section 2.1).
func (s *Server) authenticate(r *http.Request) (*auth.Claims, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return nil, errNoToken.with("WWW-Authenticate", `Bearer realm="sfu"`)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, errNoToken.with("WWW-Authenticate", `Bearer realm="sfu", error="invalid_request"`)
	}
	claims, err := s.cfg.Keys.Check(token)
	if err != nil {
		detail := errToken.detail
		if errors.Is(err, auth.ErrToken) {
			detail = err.Error() // it is made for the holder of the token
		}
		return nil, errToken.saying(detail).with("WWW-Authenticate", `Bearer realm="sfu", error="invalid_token"`)
	}
	return claims, nil
}

// authorize says what a token allows at an endpoint.
func authorize(claims *auth.Claims, t target) (auth.Grants, error) {
	if !time.Now().Before(claims.Expires) { // within the leeway of the check, but a membership cannot begin after its end
		return auth.Grants{}, errToken.saying(auth.ErrExpired.Error()).with("WWW-Authenticate", `Bearer realm="sfu", error="invalid_token"`)
	}
	refused := errGrant.with("WWW-Authenticate", `Bearer realm="sfu", error="insufficient_scope"`)
	if claims.App != t.app {
		return auth.Grants{}, refused.saying("the token is of another app")
	}
	if claims.UserID == "" {
		return auth.Grants{}, refused.saying("the token names no user")
	}
	grants, ok := claims.In(t.room)
	switch {
	case !ok:
		return auth.Grants{}, refused.saying("the token does not allow this room")
	case t.protocol == whip && !grants.Publish:
		return auth.Grants{}, refused.saying("the token does not allow publishing in this room")
	case t.protocol == whep && !grants.Subscribe:
		return auth.Grants{}, refused.saying("the token does not allow playing in this room")
	}
	return grants, nil
}

// maxUserID is the longest user id of the node, in bytes.
const maxUserID = 63

// memberID is the user id of a session. It is not the token's own: the user's other sessions, a tab of a browser say, must not
// be replaced by an encoder's, nor one encoder's by another's.
//
// An ingest is <user>.whip.<stream>, always the same, so that a second one of the same user takes the first one's place: that
// is an encoder that starts again after a crash. Where this would be too long, the stream is a digest, and the user cut.
// A viewer is <user>.whep.<random>: any number of them may play at once.
func memberID(user string, t target) string {
	suffix := "." + t.protocol + "."
	switch {
	case t.protocol == whep:
		suffix += random(6)
	case len(user)+len(suffix)+len(t.stream) <= maxUserID:
		suffix += t.stream
	default:
		digest := sha256.Sum256([]byte(user + "\x00" + t.stream))
		suffix += hex.EncodeToString(digest[:12])
	}
	return user[:min(len(user), maxUserID-len(suffix))] + suffix
}

// random returns n bytes in hexadecimal digits.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}
