package ari

// object reads the members of the object at i: member is given each name and the index of its value, and returns the
// index after it. It serves the models that are not on the hot path; there the same loop is written out.
func (d *decoder) object(i int, member func(key string, i int) int) int {
	if i = d.open(i); i < 0 {
		return i
	}
	if d.s[i] == '}' {
		d.depth--
		return i + 1
	}
	for more := true; more; {
		var key string
		if key, i = d.key(i); i < 0 {
			return i
		}
		if i = member(key, i); i < 0 {
			return i
		}
		i, more = d.next(i, '}')
	}
	return i
}

func (d *decoder) callerID(c *CallerID, i int) int {
	*c = CallerID{}
	if d.s[i] != '{' {
		return d.skip(i)
	}
	if i = d.open(i); i < 0 {
		return i
	}
	if d.s[i] == '}' {
		d.depth--
		return i + 1
	}
	for more := true; more; {
		var key string
		if key, i = d.key(i); i < 0 {
			return i
		}
		switch key {
		case "name":
			i = d.str(&c.Name, i)
		case "number":
			i = d.str(&c.Number, i)
		default:
			i = d.skip(i)
		}
		if i < 0 {
			return i
		}
		i, more = d.next(i, '}')
	}
	return i
}

func (d *decoder) dialplan(p *Dialplan, i int) int {
	*p = Dialplan{}
	if d.s[i] != '{' {
		return d.skip(i)
	}
	if i = d.open(i); i < 0 {
		return i
	}
	if d.s[i] == '}' {
		d.depth--
		return i + 1
	}
	for more := true; more; {
		var key string
		if key, i = d.key(i); i < 0 {
			return i
		}
		switch key {
		case "context":
			i = d.str(&p.Context, i)
		case "exten":
			i = d.str(&p.Exten, i)
		case "priority":
			i = d.integer(&p.Priority, i)
		case "app_name":
			i = d.str(&p.AppName, i)
		case "app_data":
			i = d.str(&p.AppData, i)
		default:
			i = d.skip(i)
		}
		if i < 0 {
			return i
		}
		i, more = d.next(i, '}')
	}
	return i
}

// bridgeAt reads a bridge into its slot and sets *v to it; another type makes *v nil.
func (d *decoder) bridgeAt(p *pool, slot int, v **Bridge, i int) int {
	if d.s[i] != '{' {
		*v = nil
		return d.skip(i)
	}
	if p.bridges[slot] == nil {
		p.bridges[slot] = new(Bridge)
	}
	*v = p.bridges[slot]
	return d.bridge(*v, i)
}

func (d *decoder) bridge(b *Bridge, i int) int {
	*b = Bridge{Channels: b.Channels[:0]}
	if i = d.open(i); i < 0 {
		return i
	}
	if d.s[i] == '}' {
		d.depth--
		return i + 1
	}
	for more := true; more; {
		var key string
		if key, i = d.key(i); i < 0 {
			return i
		}
		switch key {
		case "id":
			i = d.str(&b.ID, i)
		case "technology":
			i = d.str(&b.Technology, i)
		case "bridge_type":
			i = d.str(&b.Type, i)
		case "bridge_class":
			i = d.str(&b.Class, i)
		case "creator":
			i = d.str(&b.Creator, i)
		case "name":
			i = d.str(&b.Name, i)
		case "channels":
			i = d.strs(&b.Channels, i)
		case "video_mode":
			i = d.str(&b.VideoMode, i)
		case "video_source_id":
			i = d.str(&b.VideoSourceID, i)
		case "creationtime":
			i = d.time(&b.CreationTime, i)
		default:
			i = d.skip(i)
		}
		if i < 0 {
			return i
		}
		i, more = d.next(i, '}')
	}
	return i
}

// referral reads one side of a ChannelTransfer; the sides differ in how they name their channel.
func (d *decoder) referral(p *pool, r *Referral, name string, channel, connected, bridge, i int) int {
	*r = Referral{}
	if d.s[i] != '{' {
		return d.skip(i)
	}
	return d.object(i, func(key string, i int) int {
		switch key {
		case "requested_destination":
			r.ProtocolID, r.Destination = "", ""
			if d.s[i] != '{' {
				return d.skip(i)
			}
			return d.object(i, func(key string, i int) int {
				switch key {
				case "protocol_id":
					return d.str(&r.ProtocolID, i)
				case "destination":
					return d.str(&r.Destination, i)
				}
				return d.skip(i)
			})
		case name:
			return d.channelAt(p, channel, &r.Channel, i)
		case "connected_channel":
			return d.channelAt(p, connected, &r.Connected, i)
		case "bridge":
			return d.bridgeAt(p, bridge, &r.Bridge, i)
		}
		return d.skip(i)
	})
}

func (d *decoder) endpoint(e *Event, i int) int {
	e.Endpoint = nil
	if d.s[i] != '{' {
		return d.skip(i)
	}
	v := &e.pool.endpoint
	*v = Endpoint{ChannelIDs: v.ChannelIDs[:0]}
	e.Endpoint = v
	return d.object(i, func(key string, i int) int {
		switch key {
		case "technology":
			return d.str(&v.Technology, i)
		case "resource":
			return d.str(&v.Resource, i)
		case "state":
			return d.str(&v.State, i)
		case "channel_ids":
			return d.strs(&v.ChannelIDs, i)
		}
		return d.skip(i)
	})
}

func (d *decoder) contact(e *Event, i int) int {
	e.Contact = nil
	if d.s[i] != '{' {
		return d.skip(i)
	}
	v := &e.pool.contact
	*v = Contact{}
	e.Contact = v
	return d.object(i, func(key string, i int) int {
		switch key {
		case "uri":
			return d.str(&v.URI, i)
		case "contact_status":
			return d.str(&v.Status, i)
		case "aor":
			return d.str(&v.AOR, i)
		case "roundtrip_usec":
			return d.str(&v.RoundtripUsec, i)
		}
		return d.skip(i)
	})
}

func (d *decoder) deviceState(e *Event, i int) int {
	e.DeviceState = nil
	if d.s[i] != '{' {
		return d.skip(i)
	}
	v := &e.pool.device
	*v = DeviceState{}
	e.DeviceState = v
	return d.object(i, func(key string, i int) int {
		switch key {
		case "name":
			return d.str(&v.Name, i)
		case "state":
			return d.str(&v.State, i)
		}
		return d.skip(i)
	})
}

func (d *decoder) playback(e *Event, i int) int {
	e.Playback = nil
	if d.s[i] != '{' {
		return d.skip(i)
	}
	v := &e.pool.playback
	*v = Playback{}
	e.Playback = v
	return d.object(i, func(key string, i int) int {
		switch key {
		case "id":
			return d.str(&v.ID, i)
		case "media_uri":
			return d.str(&v.MediaURI, i)
		case "next_media_uri":
			return d.str(&v.NextMediaURI, i)
		case "target_uri":
			return d.str(&v.TargetURI, i)
		case "language":
			return d.str(&v.Language, i)
		case "state":
			return d.str(&v.State, i)
		}
		return d.skip(i)
	})
}

func (d *decoder) recording(e *Event, i int) int {
	e.Recording = nil
	if d.s[i] != '{' {
		return d.skip(i)
	}
	v := &e.pool.live
	*v = LiveRecording{}
	e.Recording = v
	return d.object(i, func(key string, i int) int {
		switch key {
		case "name":
			return d.str(&v.Name, i)
		case "format":
			return d.str(&v.Format, i)
		case "target_uri":
			return d.str(&v.TargetURI, i)
		case "state":
			return d.str(&v.State, i)
		case "cause":
			return d.str(&v.Cause, i)
		case "duration":
			return d.integer(&v.Duration, i)
		case "talking_duration":
			return d.integer(&v.TalkingDuration, i)
		case "silence_duration":
			return d.integer(&v.SilenceDuration, i)
		}
		return d.skip(i)
	})
}
