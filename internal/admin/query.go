// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// snapshotModes are the values of the query's snapshot.
var snapshotModes = map[string]sfuv1.SnapshotMode{
	"":       sfuv1.SnapshotMode_SNAPSHOT_MODE_ON_GAP,
	"gap":    sfuv1.SnapshotMode_SNAPSHOT_MODE_ON_GAP,
	"none":   sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER,
	"always": sfuv1.SnapshotMode_SNAPSHOT_MODE_ALWAYS,
}

// watchRequest reads the query of an event stream: app, room, session and kinds may be repeated, kinds may also be a list with
// commas; after is an id of an item or a plain revision. lastID, the header that browsers send when they come back, goes before it.
func watchRequest(rawQuery, lastID string) (*sfuv1.WatchEventsRequest, *failure) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, badQuery("", "the query cannot be read")
	}
	request := &sfuv1.WatchEventsRequest{WatcherId: "admin", Filter: &sfuv1.EventFilter{}}
	after := lastID
	for name, values := range query {
		switch name {
		case "app":
			request.Filter.Apps = values
		case "room":
			request.Filter.Rooms = values
		case "session":
			request.Filter.Sessions = values
		case "kinds":
			if request.Filter.Kinds, err = kindsIn(values); err != nil {
				return nil, badQuery(name, "%v", err)
			}
		case "snapshot":
			mode, ok := snapshotModes[values[0]]
			if !ok || len(values) > 1 {
				return nil, badQuery(name, "snapshot must be none, gap or always")
			}
			request.Snapshot = mode
		case "after":
			if lastID == "" {
				after = values[0]
			}
		default:
			return nil, badQuery(name, "unknown parameter %q; there are app, room, session, kinds, after and snapshot", name)
		}
	}
	if after != "" {
		if err := position(after, request); err != nil {
			return nil, badQuery("after", "%v", err)
		}
	}
	return request, nil
}

func badQuery(field, format string, args ...any) *failure {
	f := failf(http.StatusBadRequest, "INVALID_ARGUMENT", "INVALID_ARGUMENT", format, args...)
	f.Field = field
	return f
}

// kindsIn reads names of kinds, as in Event.kind or as in EventKind.
func kindsIn(values []string) ([]sfuv1.EventKind, error) {
	var kinds []sfuv1.EventKind
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			number, ok := sfuv1.EventKind_value["EVENT_KIND_"+strings.TrimPrefix(strings.ToUpper(name), "EVENT_KIND_")]
			if !ok || number == 0 {
				return nil, fmt.Errorf("there is no kind of event %q", name)
			}
			kinds = append(kinds, sfuv1.EventKind(number))
		}
	}
	return kinds, nil
}

// position reads where a stream is to go on: epoch:revision, or a revision alone, whose epoch is not checked.
func position(text string, request *sfuv1.WatchEventsRequest) error {
	epoch, revision, ok := strings.Cut(text, ":")
	if !ok {
		epoch, revision = "0", text
	}
	e, err := strconv.ParseUint(epoch, 10, 64)
	if err == nil {
		request.NodeEpoch = e
		var n uint64
		n, err = strconv.ParseUint(revision, 10, 64)
		request.AfterRevision = &n
	}
	if err != nil {
		return errors.New("after must be the id of an item, or a revision")
	}
	return nil
}
