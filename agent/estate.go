package agent

import (
	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
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

// notices are the entries of the record that say who was told of a supervision, as far back as openActs looks. Without a record that can be read
// there are none; openActs has said so.
func (a *Agent) notices(key audit.Key) (found []audit.Entry) {
	files, err := audit.Files(a.cfg.Audit.File)
	if err != nil {
		return nil
	}
	for e, err := range audit.Read(key, files[max(0, len(files)-2):]...) {
		if err != nil {
			return nil
		}
		if e.Action == gate.NoticeAction {
			found = append(found, e)
		}
	}
	return found
}
