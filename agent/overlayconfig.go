package agent

import (
	"strconv"

	"github.com/earshot-pbx/earshot/agent/publication"
)

// overlaid is what package publication needs to keep the policy that is decided by, with what is laid over it.
func (a *Agent) overlaid() publication.Config {
	p := a.cfg.publication(a.cache, a.publicationStands)
	p.Overlay, p.TellOverlay = a.cfg.Publication.Overlay, a.overlayStands
	return p
}

// overlayStands says in the log what is laid over the policy.
func (a *Agent) overlayStands(s publication.OverlayStatus) {
	if s.Trouble == "" {
		a.log.Info().Uint64("generation", s.Generation).Msg("overlay: what the Redis has is laid over the policy")
		return
	}
	a.log.Warn().Uint64("generation", s.Generation).Err(s.Err).Msg(overlayAdvice(s))
}

// overlayAdvice says what is wrong and what to do.
func overlayAdvice(s publication.OverlayStatus) string {
	holds := "the last good one stays in force"
	if !s.Known {
		holds = "none is known for this policy, so nobody supervises, intercepts, sees colleagues' other side or plays"
	}
	return "overlay: " + map[publication.OverlayTrouble]string{
		publication.OverlayUnconfirmed: "the Redis does not say what is to be laid over the policy",
		publication.OverlayAbsent:      "the Redis has none for this policy; the other system has to set it, under {PREFIX}:overlay:" + strconv.FormatUint(s.Generation, 10) + " with all its fields",
		publication.OverlayMalformed:   "a field of what the Redis has is not understood, or there are too many, so nothing of it is taken",
		publication.OverlayUnfit:       "a field of what the Redis has names an employee, a target or a right that the policy does not have for it, so nothing of it is taken",
	}[s.Trouble] + "; " + holds
}

// overlay is what is laid over the policy; ok is false where nothing is to be.
func (a *Agent) overlay() (s publication.OverlayStatus, ok bool) {
	switch {
	case a.follower != nil:
		return a.follower.OverlayStatus()
	case a.giver != nil:
		return a.giver.OverlayStatus()
	}
	return s, false
}
