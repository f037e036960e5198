// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"strings"
)

// finish makes of the node's answer the one that is sent: rtcp-mux-only stands in it where the client has offered it (RFC 9725,
// section 4.4.1; RFC 8858 alone would leave it out). An answer that gives up a line of the offer is an error: there are no
// partial ones (section 4.4.3).
func (o *offer) finish(answer string) (string, error) {
	var b strings.Builder
	at := -1
	for line := range strings.Lines(answer) {
		if strings.HasPrefix(line, "m=") {
			at++
			fields := strings.Fields(line)
			if at < len(o.sections) && o.sections[at].playable() && len(fields) > 1 && fields[1] == "0" {
				return "", errPartial
			}
		}
		b.WriteString(line)
		if at >= 0 && at < len(o.sections) && o.sections[at].muxOnly && strings.TrimRight(line, "\r\n") == "a=rtcp-mux" {
			b.WriteString("a=rtcp-mux-only\r\n")
		}
	}
	return b.String(), nil
}

// fragmentOf is what an answer says of ICE, for a client that restarts it (RFC 9725, section 4.3.3; RFC 8840, section 9): of the
// line that the bundle is tagged by, with the same ICE options as in the answer before.
func fragmentOf(answer string) string {
	var head, body []string
	sections := 0
	for _, line := range linesOf(answer) {
		if strings.HasPrefix(line, "m=") {
			sections++
			if len(body) == 0 {
				body = append(body, line)
			}
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "a="), ":")
		switch name {
		case "group", "ice-lite", "ice-options", "ice-pacing":
			if sections == 0 {
				head = append(head, line)
			}
		case "mid", "ice-ufrag", "ice-pwd", "candidate", "end-of-candidates":
			if sections == 1 {
				body = append(body, line)
			}
		}
	}
	return strings.Join(append(head, body...), "\r\n") + "\r\n"
}
