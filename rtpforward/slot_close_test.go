// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "testing"

// TestSlotClose takes slots away: the Downlink keeps nothing of them, nothing binds to them any more, and the others stay.
func TestSlotClose(t *testing.T) {
	f := New(Config{Shards: 1})
	defer f.Close()
	up := f.NewUplink(UplinkConfig{SSRC: 1})
	defer up.Close()
	track := up.NewTrack(TrackConfig{Mid: "0"})
	d := f.NewDownlink(DownlinkConfig{})
	stays := d.NewDownTrack(DownTrackConfig{SSRC: 7})
	for range 100 {
		dt := d.NewDownTrack(DownTrackConfig{SSRC: 8})
		dt.Bind(track, false)
		dt.Close()
		<-dt.Bind(track, false)
	}
	<-stays.Bind(track, false)
	<-d.shard.post(func() {
		if len(d.tracks) != 1 || d.find(7) != stays || d.find(8) != nil {
			t.Errorf("%d slots are left", len(d.tracks))
		}
		if sinks := track.egress[0].sinks; len(sinks) != 1 || sinks[0] != stays {
			t.Errorf("%d sinks are left", len(sinks))
		}
	})
}
