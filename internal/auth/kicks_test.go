// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"fmt"
	"testing"
	"time"
)

// TestKicksBounded fills the memory of kicks: the oldest are forgotten, and nothing else.
func TestKicksBounded(t *testing.T) {
	var k Kicks
	now := time.Unix(1_800_000_000, 500)
	key := func(i int) KickKey { return KickKey{"demo", "room", fmt.Sprint(i)} }
	for i := range MaxKicks + 10 {
		k.Add(key(i), now)
	}
	k.Add(key(11), now.Add(-time.Minute)) // an older one, told again
	k.Add(key(12), now.Add(time.Minute))
	if len(k.at) != MaxKicks || len(k.order) != MaxKicks {
		t.Errorf("%d kicks and %d keys, want %d", len(k.at), len(k.order), MaxKicks)
	}
	for _, test := range []struct {
		user   int
		issued time.Time
		want   bool
	}{
		{9, now, false}, // forgotten
		{10, now, true},
		{MaxKicks + 9, now, true},
		{20, now.Add(-time.Hour), true},
		{20, now.Truncate(time.Second), true},
		{20, now.Add(400 * time.Millisecond), true}, // the same second
		{20, now.Add(time.Second), false},
		{11, now, true},
		{12, now.Add(time.Minute), true},
	} {
		if got := k.Cover(key(test.user), test.issued); got != test.want {
			t.Errorf("user %d, issued %v: %v, want %v", test.user, test.issued.Sub(now), got, test.want)
		}
	}
}
