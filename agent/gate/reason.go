package gate

import "github.com/earshot-pbx/earshot/agent/audit"

// Why an act ended, as its subject is told. Reasons of a lost right are the policy's own codes, or not_for_this_call.
const (
	reasonBySupervisor = "ended_by_supervisor" // he asked for it, or hung up
	reasonCallEnded    = "call_ended"
	reasonNoAnswer     = "no_answer"         // the own phone was not answered
	reasonUnreachable  = "phone_unreachable" // the own phone could not be rung
	reasonNoEar        = "no_ear"            // no leg of one's own was put into a bridge with it
	reasonTakenByOther = "answered"          // the ringing call was answered elsewhere
	reasonNoInclude    = "no_include"        // the dialplan has no place by which a waiting caller is taken
	reasonPBX          = "pbx_failed"        // the PBX did not carry it out
	reasonLegGone      = "leg_gone"          // the leg is gone, and its phone was not seen to hang up: the PBX ended it (lease, restart), or it was not known then
	reasonUntold       = "not_told"          // the tone by which the supervised are told was not played, or no more
	reasonShutdown     = "earshot_stops"     // Earshot is stopping
	reasonUnknown      = "state_unknown"     // the PBX was out of reach when it was to be decided once more
	reasonNotRecorded  = "not_recorded"      // the record could not be written
	reasonCredential   = "credential_ended"
	reasonOutcome      = audit.ReasonUnknown   // Earshot was killed between deciding and saying what came of it
	reasonTrusted      = "trusted"             // the watchdog was told to leave it alone
	reasonUnlocked     = "unlocked"            // who had locked the call took the lock off
	reasonStopped      = "stopped"             // a recording was to end
	reasonBack         = "colleague_back"      // who was away is there again
	reasonUntoldAsker  = "answer_lost"         // who had asked beside another PBX could not be told that it had begun
	reasonRestarted    = audit.ReasonRestarted // Earshot was started anew, and what it had left could not be taken up

	reasonUnreachablePBX = "other_pbx_unreachable" // the Earshot beside the PBX on which it runs is out of reach, so nobody knows here whether it does
)

// reasonTexts say what to do about those reasons that one may want to do something about.
var reasonTexts = map[string]string{
	reasonNoAnswer:          "Your phone was not answered; ask again and pick it up, or name another of your phones in phone.",
	reasonUnreachable:       "Asterisk could not ring your phone; see whether it is registered and reachable, or name another of your phones in phone.",
	reasonNoEar:             "No phone of yours came to hear it in time; ask again, and put the snoop and one of your answered channels into one bridge.",
	reasonTakenByOther:      "The call was answered before your phone was.",
	reasonNoInclude:         "The PBX has no place in its dialplan by which a caller who waits can be taken; the administrator has to install what `earshot setup asterisk` prints.",
	reasonBack:              "Your colleague is there again.",
	reasonPBX:               "Asterisk did not carry it out; the administrator finds the cause in Earshot's log under this id.",
	reasonLegGone:           "Asterisk ended it: Earshot could not renew its lease, or somebody ended it there; ask again.",
	reasonUntold:            "Asterisk does not play the tone by which the supervised are to be told; the administrator finds the cause in Earshot's log under this id.",
	reasonShutdown:          "Earshot is being stopped; ask again when it runs.",
	reasonUnknown:           "Earshot lost its connection to Asterisk before your phone was answered; ask again.",
	reasonNotRecorded:       "The audit record could not be written; tell the administrator.",
	reasonUntoldAsker:       "Earshot could not tell you that it had begun, so it was ended; ask again.",
	reasonUnreachablePBX:    "The Earshot beside the other PBX is out of reach, so it is not known here whether it still runs; it is shown again when that one is back.",
	reasonCredential:        "The credential that it was begun with does not hold any more; sign in and ask again.",
	notForThisCall("").Code: "Not for this call any more.",
}

func reasonText(reason string) string { return reasonTexts[reason] }
