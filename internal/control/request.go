// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"math"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
)

// Bounds on request fields that nothing else bounds.
const (
	maxLabels       = 16
	maxLabelKey     = 63
	maxLabelBytes   = 255
	maxReason       = 255
	maxMessageBytes = 65536
	maxBatch        = 1000
	maxID           = 64
	maxTTL          = 24 * time.Hour
	maxBan          = 720 * time.Hour
)

func userIn(u *sfuv1.User) router.User { return router.User{ID: u.GetId(), Name: u.GetName()} }

func userPointer(u *sfuv1.User) *router.User {
	if u == nil {
		return nil
	}
	v := userIn(u)
	return &v
}

func grantsIn(g *sfuv1.Grants) *router.Grants {
	if g == nil {
		return nil
	}
	return &router.Grants{Publish: g.GetPublish(), Subscribe: g.GetSubscribe(), Message: g.GetMessage(), Manage: g.GetManage()}
}

func modeIn(m sfuv1.RoomMode) (router.RoomMode, error) {
	switch m {
	case sfuv1.RoomMode_ROOM_MODE_UNSPECIFIED, sfuv1.RoomMode_ROOM_MODE_SINGLE:
		return router.ModeSingle, nil
	case sfuv1.RoomMode_ROOM_MODE_MULTI:
		return router.ModeMulti, nil
	}
	return 0, argument("room_mode", "unknown value %d", m)
}

func timeIn(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, argument(field, "%v", err)
	}
	return t.AsTime(), nil
}

func durationIn(field string, d *durationpb.Duration, lowest, highest time.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	if err := d.CheckValid(); err != nil {
		return 0, argument(field, "%v", err)
	}
	v := d.AsDuration()
	if v < lowest || v > highest {
		return 0, argument(field, "must be %v to %v", lowest, highest)
	}
	return v, nil
}

func textIn(field, text string, most int) error {
	if len(text) > most {
		return argument(field, "must be at most %d bytes", most)
	}
	return nil
}

func preferenceIn(field string, p *sfuv1.Preference) (router.Preference, error) {
	var out router.Preference
	if p == nil {
		return out, nil
	}
	layer := func(name string, v *uint32) (*uint8, error) {
		if v == nil {
			return nil, nil
		}
		if *v > 7 {
			return nil, argument(field+"."+name, "must be 0 to 7")
		}
		n := uint8(*v)
		return &n, nil
	}
	var err error
	if out.MaxSpatial, err = layer("max_spatial", p.MaxSpatial); err != nil {
		return out, err
	}
	if out.MaxTemporal, err = layer("max_temporal", p.MaxTemporal); err != nil {
		return out, err
	}
	if p.GetWidth() > 16384 || p.GetHeight() > 16384 {
		return out, argument(field, "width and height must be at most 16384")
	}
	if p.GetFps() > 240 {
		return out, argument(field+".fps", "must be at most 240")
	}
	out.Width, out.Height, out.FPS = p.GetWidth(), p.GetHeight(), p.GetFps()
	return out, nil
}

func priorityIn(field string, v uint32) (uint32, error) {
	if v > math.MaxUint8 {
		return 0, argument(field, "must be 0 to 255")
	}
	return v, nil
}

func subscriptionIn(field string, s *sfuv1.SubscriptionSpec) (router.Subscribe, error) {
	out := router.Subscribe{Room: s.GetRoomId(), Stream: s.GetStreamId(), Audio: s.GetAudio(), Video: s.GetVideo(), Paused: s.GetPaused()}
	var err error
	if out.Preference, err = preferenceIn(field+".preference", s.GetPreference()); err != nil {
		return out, err
	}
	out.Priority, err = priorityIn(field+".priority", s.GetPriority())
	return out, err
}

func labelsIn(labels map[string]string) error {
	if len(labels) > maxLabels {
		return argument("labels", "at most %d labels", maxLabels)
	}
	for k, v := range labels {
		if k == "" || len(k) > maxLabelKey || len(v) > maxLabelBytes {
			return argument("labels", "keys are 1 to %d bytes, values at most %d", maxLabelKey, maxLabelBytes)
		}
	}
	return nil
}

func pageIn(p *sfuv1.Page) router.Page {
	return router.Page{Size: int(min(p.GetSize(), 1000)), Token: p.GetToken()}
}

func fence(epoch, incarnation uint64) router.Fence {
	return router.Fence{SessionEpoch: epoch, Incarnation: incarnation}
}
