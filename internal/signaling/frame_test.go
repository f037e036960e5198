// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// FuzzDecode hands the tier frames of any kind: each gives a request with a good id, or a failure; what is a request can be
// written and read again, and the answer to it is JSON.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"hello":{"token":"a.b.c","roomMode":"ROOM_MODE_MULTI","resume":{"sessionId":"s","sessionEpoch":"18446744073709551615"}}}`,
		`{"id":2,"negotiate":{"offerSdp":"v=0\r\n","offerId":"1"}}`,
		`{"id":3,"startPlaying":{"roomId":"r","streamId":"s","audio":true,"preference":{"maxSpatial":1}}}`,
		`{"id":4,"sendMessage":{"kind":"MESSAGE_KIND_COMMAND","toUsers":["a","b"],"text":"\u00f6"}}`,
		`{"id":"5","fly":{"high":[1,2,{"x":null}]}}`, `{"id":6,"loginRoom":{"roomId":7}}`, `{"id":7,"setRoomMetadata":{"value":null}}`,
		`{"id":4294967296}`, `{"id":-1,"ping":{}}`, `{"ping":{},"ping":{}}`, `[]`, `null`, ``, `{"id":8,"ping":{},"goodbye":{}}`,
		strings.Repeat(`{"id":9,"a":`, 100), "\xff\xfe",
	} {
		f.Add([]byte(seed), uint32(0))
	}
	f.Add([]byte(`{"id":9,"ping":{}}`), uint32(9))
	f.Fuzz(func(t *testing.T, frame []byte, last uint32) {
		m, id, err := decode(frame, last)
		switch {
		case err != nil && m != nil && m.GetRequest() != nil && id != 0:
			t.Fatalf("a request and an error: %v", err)
		case err == nil && (id <= last || m.GetId() != id || m.GetRequest() == nil):
			t.Fatalf("request %v with id %d after %d", m, id, last)
		case id != 0 && id <= last:
			t.Fatalf("id %d after %d", id, last)
		}
		if err != nil {
			if !errors.Is(err, errProtocol) && !errors.Is(err, errUnknown) {
				t.Fatalf("error %v", err)
			}
			if reply := encodeReply(failureOf(err).reply(id)); !json.Valid(reply) {
				t.Fatalf("reply %s", reply)
			}
			return
		}
		if kindOf(m) == "unknown" {
			t.Fatalf("request %v has no kind", m)
		}
		written, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := decode(written, last)
		if err != nil || !proto.Equal(again, m) {
			t.Fatalf("%v became %v, %v", m, again, err)
		}
	})
}

// TestDocumentedReasons holds docs/signaling.md to the reasons and codes of the program.
func TestDocumentedReasons(t *testing.T) {
	raw, err := os.ReadFile("../../docs/signaling.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	source, err := os.ReadFile("failure.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`reason: "([A-Z_]+)"(?:, code: (\d+))?`).FindAllStringSubmatch(string(source), -1) {
		if _, ofNode := sfuv1.ErrorReason_value["ERROR_REASON_"+m[1]]; ofNode {
			continue
		}
		if !strings.Contains(doc, "`"+m[1]+"`") || !strings.Contains(doc, m[2]) {
			t.Errorf("docs/signaling.md does not name %s %s", m[1], m[2])
		}
	}
	codes, err := os.ReadFile("connection.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`StatusCode = (\d+)`).FindAllStringSubmatch(string(codes), -1) {
		if !strings.Contains(doc, "| "+m[1]+" |") {
			t.Errorf("docs/signaling.md does not name close code %s", m[1])
		}
	}
}

// TestDocumentedFrames reads every example frame of docs/signaling.md as what it is.
func TestDocumentedFrames(t *testing.T) {
	raw, err := os.ReadFile("../../docs/signaling.md")
	if err != nil {
		t.Fatal(err)
	}
	strict := protojson.UnmarshalOptions{}
	up, down := 0, 0
	for line := range strings.Lines(string(raw)) {
		frame, isUp := strings.CutPrefix(strings.TrimSpace(line), "→ ")
		if isUp {
			if err := strict.Unmarshal([]byte(frame), &signalv1.ClientMessage{}); err != nil {
				t.Errorf("%s: %v", frame, err)
			}
			up++
		}
		if frame, isDown := strings.CutPrefix(strings.TrimSpace(line), "← "); isDown {
			if err := strict.Unmarshal([]byte(frame), &signalv1.ServerMessage{}); err != nil {
				t.Errorf("%s: %v", frame, err)
			}
			down++
		}
	}
	if up == 0 || down == 0 {
		t.Errorf("%d frames up and %d down", up, down)
	}
}
