package gate

// Of what a client steers itself: what is not in it, is there no more or never was has one answer.

func noSuchChannel() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_channel", Text: "There is no such channel among those that you steer."}
}

func noSuchBridge() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_bridge", Text: "There is no such bridge among those that you have made."}
}

func noSuchPlayback() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_playback", Text: "There is no such playback; it may be over."}
}

func notAnswered() *Problem {
	return &Problem{Kind: Conflict, Code: "not_answered", Text: "That phone has not been answered yet."}
}

func listening() *Problem {
	return &Problem{Kind: Conflict, Code: "supervises", Text: "That cannot be done where you listen to somebody; end that first."}
}

func notOnSnoop() *Problem {
	return &Problem{Kind: Conflict, Code: "is_snoop", Text: "That cannot be done with a supervision: it can be put into a bridge with one of your own channels, and hung up."}
}

func isBridged() *Problem {
	return &Problem{Kind: Conflict, Code: "in_bridge", Text: "That channel is in a bridge; take it out first, or ask for the bridge."}
}

func notInBridge() *Problem {
	return &Problem{Kind: Conflict, Code: "not_in_bridge", Text: "Not all of those channels are in that bridge."}
}

func noChannels() *Problem {
	return &Problem{Kind: Invalid, Code: "no_channels", Text: "Say which channels."}
}

func notPlaying() *Problem {
	return &Problem{Kind: Conflict, Code: "not_playing", Text: "That playback has not begun yet."}
}

func notPlayable() *Problem {
	return &Problem{Kind: Invalid, Code: "not_playable", Text: "That is not among the sounds and tones that may be played here, or cannot be said, or is too much at once."}
}

func badOperation() *Problem {
	return &Problem{Kind: Invalid, Code: "bad_operation", Text: "operation is one of restart, pause, unpause, reverse, forward."}
}

func badSeconds() *Problem {
	return &Problem{Kind: Invalid, Code: "bad_seconds", Text: "How long a phone rings is no negative number of seconds."}
}

func stasisFull() *Problem {
	return &Problem{Kind: Conflict, Code: "too_many", Text: "You have as many of those as one may have at once; let go of some first."}
}
