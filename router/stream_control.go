// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

func (c MuteStream) apply(r *Router, tx *transaction) (any, error) {
	st, err := r.findStream(c.App, c.Room, c.Stream, c.Fence)
	if err != nil {
		return nil, err
	}
	changed := [kinds]bool{}
	for _, k := range bothKinds {
		want := c.Audio
		if k == Video {
			want = c.Video
		}
		if want != nil && *want != st.muted[k] {
			assign(tx, &st.muted[k], *want)
			changed[k] = true
		}
	}
	if changed == [kinds]bool{} {
		return st.view(), nil
	}
	m := st.member
	r.emit(tx, m.room.app.ID, m.room, m.session.id, StreamMutedEvent{Stream: st.view()})
	for _, sub := range m.room.wishers(st.id) {
		for _, k := range bothKinds {
			if changed[k] && sub.slot[k] != nil && !sub.paused {
				tx.effect(sub.update(k))
			}
		}
	}

	return st.view(), nil
}

func (c SetStreamMetadata) apply(r *Router, tx *transaction) (any, error) {
	st, err := r.findStream(c.App, c.Room, c.Stream, c.Fence)
	if err != nil {
		return nil, err
	}
	if len(c.Metadata) > st.member.room.app.Limits.MetadataBytes {
		return nil, ErrMetadataTooLong
	}
	if st.metadata != c.Metadata {
		assign(tx, &st.metadata, c.Metadata)
		r.changed(tx, st)
	}

	return st.view(), nil
}

func (c RequestKeyframe) apply(r *Router, tx *transaction) (any, error) {
	st, err := r.findStream(c.App, c.Room, c.Stream, c.Fence)
	if err != nil {
		return nil, err
	}
	if mid := st.mid[Video]; mid != "" {
		tx.effect(AskKeyframe{Session: st.member.session.id, Mid: mid})
	}

	return st.view(), nil
}
