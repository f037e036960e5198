// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "encoding/binary"

// Dependency is the part of a dependency descriptor that can be read from one
// packet alone. The fields whose meaning depends on the template structure of
// an earlier keyframe (layers, decode targets, frame differences, chains) are
// not parsed yet; the complete parser comes with layer selection.
//
// https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension
type Dependency struct {
	FrameStart  bool   // first packet of a frame
	FrameEnd    bool   // last packet of a frame
	Template    uint8  // frame_dependency_template_id, 0 to 63; an id beyond the structure's templates is not detected here
	FrameNumber uint16 // wraps
	Extended    bool   // there is more than the three mandatory bytes

	// The flags of an extended descriptor.
	Structure     bool // a new template structure is attached
	ActiveTargets bool
	CustomTargets bool
	CustomDiffs   bool
	CustomChains  bool
}

// Keyframe reports whether the packet starts a keyframe: a template structure
// is attached to the first packet of one and nowhere else.
func (d Dependency) Keyframe() bool { return d.Structure && d.FrameStart }

// ParseDependency reads ExtDependencyDescriptor. ok is false for a descriptor
// shorter than its mandatory fields, or than the structure it announces needs
// at least.
func ParseDependency(b []byte) (d Dependency, ok bool) {
	if len(b) < 3 {
		return Dependency{}, false
	}
	d = Dependency{
		FrameStart:  b[0]&0x80 != 0,
		FrameEnd:    b[0]&0x40 != 0,
		Template:    b[0] & 0x3f,
		FrameNumber: binary.BigEndian.Uint16(b[1:]),
	}
	if len(b) == 3 {
		return d, true
	}
	flags := b[3]
	d.Extended = true
	d.Structure = flags&0x80 != 0
	d.ActiveTargets = flags&0x40 != 0
	d.CustomTargets = flags&0x20 != 0
	d.CustomDiffs = flags&0x10 != 0
	d.CustomChains = flags&0x08 != 0
	// The five flags are followed by template_id_offset (6 bits) and
	// dt_cnt_minus_one (5 bits), then by one template at least.
	if d.Structure && len(b) < 6 {
		return Dependency{}, false
	}
	return d, true
}
