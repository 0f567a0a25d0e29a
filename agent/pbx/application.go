package pbx

import (
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// disallowed are the events that this link does without.
func (l *Link) disallowed() []string {
	if l.cfg.Tells == nil {
		return disallowed
	}
	return []string{ari.TypeChannelVarset}
}

// tells reports whether an event is handed on. Of the steps of the dialplan, of which a call has up to hundreds, these are those into an
// application that somebody wants to be told of, and the next one out of it. ARI tells of none that one application begins in another's
// place (Exec, AGI, an originated call): the extension and the priority stay, and it takes that for the same step.
func (l *Link) tells(ev *call.Event) bool {
	id := ev.Channel.ID
	switch ev.Kind {
	case call.LegGone:
		delete(l.in, id)
	case call.AppBegan:
		_, was := l.in[id]
		told := l.cfg.Tells != nil && l.cfg.Tells(ev.Channel.App)
		switch {
		case told && !was:
			if l.in == nil {
				l.in = map[call.LegID]struct{}{}
			}
			l.in[id] = struct{}{}
		case was && !told:
			delete(l.in, id)
		}
		return told || was
	}
	return true
}
