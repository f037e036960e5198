// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package httpd

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

// maxDemoRequest bounds what a page asks for a token with.
const maxDemoRequest = 4 << 10

// TokenRequest is what a page asks a token of the demo app with.
type TokenRequest struct {
	UserID   string `json:"user_id"`
	UserName string `json:"user_name"` // empty: the id
	Manage   bool   `json:"manage"`    // the manage grant, too
}

// DemoTokens hands out tokens of the demo app to pages on this machine. sign makes one, and says how long it is good for; it
// is called from any goroutine.
func DemoTokens(sign func(TokenRequest) (token string, expiresIn time.Duration, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if reason := notLocal(req); reason != "" {
			writeText(w, http.StatusForbidden, "demo tokens are "+reason+"\n")
			return
		}
		// A form of another site cannot have this type without asking first (CORS), and nobody answers that here.
		if kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			writeText(w, http.StatusForbidden, "demo tokens are asked for with a body of type application/json\n")
			return
		}
		want, err := readTokenRequest(http.MaxBytesReader(w, req.Body, maxDemoRequest))
		if err != nil {
			writeText(w, http.StatusBadRequest, err.Error()+"\n")
			return
		}
		token, expiresIn, err := sign(want)
		if err != nil {
			writeText(w, http.StatusBadRequest, err.Error()+"\n")
			return
		}
		writeJSON(w, struct {
			Token     string `json:"token"`
			ExpiresIn int    `json:"expires_in"` // seconds
		}{token, int(expiresIn.Seconds())})
	})
}

var errTokenRequest = errors.New(`want {"user_id":"…","user_name":"…","manage":false}`)

func readTokenRequest(body io.Reader) (TokenRequest, error) {
	var r TokenRequest
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if d.Decode(&r) != nil {
		return r, errTokenRequest
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) { // something follows
		return r, errTokenRequest
	}
	return r, nil
}

// DemoConfig tells the pages where things are.
type DemoConfig struct {
	Signal string `json:"signal,omitempty"` // where to connect to; empty: no signaling here
	App    string `json:"app"`
	Tokens string `json:"tokens,omitempty"` // where to ask for a token; empty: nowhere, bring one
}

// ServeHTTP implements http.Handler.
func (c DemoConfig) ServeHTTP(w http.ResponseWriter, _ *http.Request) { writeJSON(w, c) }

func writeJSON(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		writeText(w, http.StatusInternalServerError, "the answer cannot be written\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n')) // the client is gone: nobody to tell
}
