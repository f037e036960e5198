// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/pion/logging"
)

// everything is a logger of all levels.
type everything struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write implements io.Writer.
func (e *everything) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.all.Write(b)
}

func (e *everything) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.all.String()
}

// TestSecrets looks for keys in all that is logged, with every level on, and in dumps of what others get to see.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]bool{"direct": false, "plain": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logs := &everything{}
			n := newNode(t, func(cfg *Config) {
				cfg.PlainLane = plain
				cfg.Loggers = &logging.DefaultLoggerFactory{Writer: logs, DefaultLogLevel: logging.LogLevelTrace, ScopeLevels: map[string]logging.LogLevel{}}
			})
			o := newOwner()
			p := newPeer(t, peerOptions{})
			if _, err := p.pc.CreateDataChannel("sfu", nil); err != nil {
				t.Fatal(err)
			}
			tr := connect(t, n, p, o)
			tr.AcceptChannels(1 << 10)
			w := tr.Writer(0)
			upward(t, p, o, 1)
			downward(t, n, w, p, 2)
			tr.mu.Lock()
			state, ok := tr.dtls.ConnectionState()
			tr.mu.Unlock()
			if !ok {
				t.Fatal("no DTLS state")
			}
			material, err := state.ExportKeyingMaterial(labelExtractor, nil, 2*(profileGCM.key+profileGCM.salt))
			if err != nil {
				t.Fatal(err)
			}
			keys := split(bytes.Clone(material), profileGCM, false)
			sessionKey, err := deriveKey(labelKey, keys.localKey, keys.localSalt, profileGCM.key)
			if err != nil {
				t.Fatal(err)
			}
			secrets := [][]byte{keys.localKey, keys.localSalt, keys.remoteKey, keys.remoteSalt, sessionKey}
			dump := fmt.Sprintf("%v %+v %#v", keys, keys, keys)
			for _, v := range []any{n.maker.Refusals(), tr.Profile(), tr.State(), tr.RemoteAddr(), p.remote} {
				b, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				dump += fmt.Sprintf("%+v %s", v, b)
			}
			sealer := tr.out.Load().rtp
			tr.Close()
			for _, v := range []any{tr, w, sealer} {
				b, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				dump += fmt.Sprintf("%v %+v %#v %s", v, v, v, b)
			}
			for where, text := range map[string]string{"the log": logs.text(), "a dump": dump} {
				if len(text) < 100 {
					t.Fatalf("%s is empty", where)
				}
				for i, secret := range secrets {
					if found := spelled(text, secret); found != "" {
						t.Errorf("secret %d is in %s as %s", i, where, found)
					}
				}
			}
		})
	}
}

// spelled says in which of the usual ways bytes stand in a text.
func spelled(text string, secret []byte) string {
	lower := strings.ToLower(text)
	decimal := strings.Trim(fmt.Sprint(secret), "[]")
	for way, s := range map[string]string{
		"hex": hex.EncodeToString(secret), "spaced hex": strings.Trim(fmt.Sprintf("% x", secret), "[]"),
		"decimal": decimal, "decimal with commas": strings.ReplaceAll(decimal, " ", ", "),
	} {
		if strings.Contains(lower, s) {
			return way
		}
	}
	switch {
	case strings.Contains(text, string(secret)):
		return "bytes"
	case strings.Contains(text, strings.TrimRight(base64.StdEncoding.EncodeToString(secret), "=")):
		return "base64"
	}

	return ""
}
