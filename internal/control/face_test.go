// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"testing"
	"time"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// What has not been measured is left out: zero would say that the client is next door.
func TestRoundTripsAreLeftOutUntilMeasured(t *testing.T) {
	const rtt = 30 * time.Millisecond
	for name, got := range map[string]func(time.Duration) *sfuv1.TrackStats{
		"up": func(d time.Duration) *sfuv1.TrackStats {
			return trackStatsOf(sfuv1.MediaKind_MEDIA_KIND_AUDIO, "0", &sfu.TrackStats{RTT: d})
		},
		"down": func(d time.Duration) *sfuv1.TrackStats {
			return downStatsOf(sfuv1.MediaKind_MEDIA_KIND_AUDIO, "0", &sfu.DownTrackStats{RTT: d})
		},
	} {
		if s := got(0); s.GetRtt() != nil {
			t.Errorf("%s: %v before it is known", name, s.GetRtt().AsDuration())
		}
		if s := got(rtt); s.GetRtt().AsDuration() != rtt {
			t.Errorf("%s: %v, want %v", name, s.GetRtt().AsDuration(), rtt)
		}
	}
}
