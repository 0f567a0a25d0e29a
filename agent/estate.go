package agent

import (
	"slices"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/policy"
)

// openActs are what the record of an Earshot before this one does not end. Its last archive is read too, since what runs may have begun there.
// Without a record that can be trusted nothing is taken up, and what is left on the PBX is hung up.
func (a *Agent) openActs(key audit.Key) []audit.Act {
	files, err := audit.Files(a.cfg.Audit.File)
	if err == nil {
		var acts []audit.Act
		if acts, err = audit.OpenActs(key, files[max(0, len(files)-2):]...); err == nil {
			return acts
		}
	}
	a.log.Error().Err(err).Msg("the audit log cannot be read, so no running supervision is taken up; earshot audit verify says what is wrong")
	return nil
}

// told is what else the record of an Earshot before this one says, as far back as openActs looks.
type told struct {
	notices   []audit.Entry // who was told of a supervision
	forwards  []string      // the acts by which calls were forwarded that was ended
	witnessed []audit.Entry // what was seen to begin and not to end
	closed    bool          // it stopped with everything on record, or there was none
}

// told reads the record of an Earshot before this one. Of one that cannot be read it is what stands before the fault, without notices; openActs has said so.
func (a *Agent) told(key audit.Key) (said told) {
	said.closed = true
	files, err := audit.Files(a.cfg.Audit.File)
	if err != nil {
		said.closed = false
		return said
	}
	for e, err := range audit.Read(key, files[max(0, len(files)-2):]...) {
		if note := e.Phase == audit.Recovered; !note || e.Detail == audit.DetailStarted || e.Detail == audit.DetailUnclosed {
			said.closed = false
		} else if e.Detail == audit.DetailStopped {
			said.closed = true
		}
		if e.Phase == audit.Witnessed || e.Phase == audit.Ended || e.Phase == audit.Revoked {
			said.witnessed = slices.DeleteFunc(said.witnessed, func(o audit.Entry) bool { return o.ID == e.ID })
		}
		switch {
		case err != nil:
			said.notices, said.closed = nil, false
			return said
		case e.Phase == audit.Witnessed:
			said.witnessed = append(said.witnessed, e)
		case e.Action == gate.NoticeAction:
			said.notices = append(said.notices, e)
		case e.Phase == audit.Revoked && e.Action == policy.SettingsUser.String():
			said.forwards = append(said.forwards, e.ID)
		}
	}
	return said
}
