// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"slices"
	"strings"
	"unicode/utf8"
)

func compareMetadata(m Metadata, key string) int { return strings.Compare(m.Key, key) }

func (c SetRoomMetadata) apply(r *Router, tx *transaction) (any, error) {
	rm, err := r.findRoom(c.App, c.Room, c.Fence)
	if err != nil {
		return nil, err
	}
	if c.Key == "" || len(c.Key) > maxMetadataKey || !utf8.ValidString(c.Key) {
		return nil, ErrMetadataKey
	}
	i, found := slices.BinarySearchFunc(rm.metadata, c.Key, compareMetadata)
	old := Metadata{Key: c.Key}
	if found {
		old = rm.metadata[i]
	}
	if c.ETag != "" && c.ETag != old.ETag {
		return nil, ErrMetadataETag.About(c.Key)
	}
	switch {
	case c.Value == nil && !found, found && c.Value != nil && *c.Value == old.Value:
		return old, nil
	case c.Value == nil:
		remove(tx, &rm.metadata, i)
		r.emit(tx, c.App, rm, "", RoomMetadataEvent{Metadata: old, Removed: true})

		return old, nil
	case len(*c.Value) > rm.app.Limits.MetadataBytes:
		return nil, ErrMetadataTooLong.In("value")
	case !found && len(rm.metadata) >= rm.app.Limits.MetadataKeys:
		return nil, ErrMetadataLimit.About(c.Room)
	}
	// The revision of the change that made a value names it: no other value ever has the same tag.
	now := Metadata{Key: c.Key, Value: *c.Value, ETag: r.name("m", r.counters.revision+1)}
	if found {
		assign(tx, &rm.metadata[i], now)
	} else {
		insert(tx, &rm.metadata, i, now)
	}
	r.emit(tx, c.App, rm, "", RoomMetadataEvent{Metadata: now})

	return now, nil
}

// apply only makes an event; who speaks is not state.
func (c ReportSpeakers) apply(r *Router, tx *transaction) (any, error) {
	rm, err := r.findRoom(c.App, c.Room, Fence{})
	if err != nil {
		return nil, err
	}
	r.emit(tx, c.App, rm, "", SpeakersEvent{Speakers: slices.Clone(c.Speakers)})

	return nil, nil
}
