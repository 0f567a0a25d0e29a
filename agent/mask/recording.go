package mask

import "time"

// RecordingLink is an address at which one recording can be heard for a while without a credential.
type RecordingLink struct {
	URL     string    `json:"url" doc:"Path of the address. Whoever has it can hear the recording as the person who asked for it, and each listening is that person's"`
	Expires time.Time `json:"expires" doc:"When it ends; earlier when the policy or the credential that asked for it no longer allows it"`
}
