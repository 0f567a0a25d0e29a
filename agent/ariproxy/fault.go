package ariproxy

import (
	"errors"
	"net/http"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// fault is a request that is not answered with what it asks for. Its words are fixed sentences, Asterisk's where it has some.
type fault struct {
	status int
	words  string
	code   string // what the record and the metrics call it
}

// Error gives the words.
func (f *fault) Error() string { return f.words }

// What is refused.
var (
	faultMethod   = &fault{http.StatusBadRequest, "A method is written in capitals", "method_not_readable"}
	faultTarget   = &fault{http.StatusRequestURITooLong, "The address is too long", "address_too_long"}
	faultPath     = &fault{http.StatusBadRequest, "The path is not one that can be read in one way only", "path_not_readable"}
	faultQuery    = &fault{http.StatusBadRequest, "The query is not one that can be read in one way only", "query_not_readable"}
	faultTwice    = &fault{http.StatusBadRequest, "A parameter is there twice", "parameter_twice"}
	faultBody     = &fault{http.StatusBadRequest, "Error parsing request body", "body_not_readable"}
	faultTooLarge = &fault{http.StatusRequestEntityTooLarge, "Request body too large", "body_too_large"}
	faultReason   = &fault{http.StatusBadRequest, reasonHeader + " is there twice", "reason_twice"}
	faultAll      = &fault{http.StatusBadRequest, "Invalid value for subscribeAll: give true or false", "parameter_not_readable"}

	faultCredential  = &fault{http.StatusUnauthorized, "Authentication required", "credential_refused"}
	faultCredentials = &fault{http.StatusBadRequest, "There is more than one credential", "credential_twice"}
	faultUnnamed     = &fault{http.StatusForbidden, "Name the employee for whom this is asked, in " + namesEmployee, "nobody_named"}
	faultNotYours    = &fault{http.StatusForbidden, "You may not ask for the employee in " + namesEmployee, "employee_not_yours"}
	faultOrigin      = &fault{http.StatusForbidden, "Pages of that origin may not ask here", "origin_refused"}
	faultTooMany     = &fault{http.StatusTooManyRequests, "Too many requests; wait a little", "too_many_requests"}
	faultCrowd       = &fault{http.StatusServiceUnavailable, "As many event streams are open as may be", "too_many_streams"}
	faultAuth        = &fault{http.StatusServiceUnavailable, "Nobody can be asked now who you are", "auth_unavailable"}

	faultNotFound   = &fault{http.StatusNotFound, "Resource not found", "operation_unknown"}
	faultNoMethod   = &fault{http.StatusMethodNotAllowed, "Invalid method", "method_unknown"}
	faultForbidden  = &fault{http.StatusForbidden, "Access denied", "operation_not_permitted"}
	faultUnknownPBX = &fault{http.StatusServiceUnavailable, "Earshot does not know the state of the PBX now; ask again in a moment", "pbx_unknown"}
	faultInternal   = &fault{http.StatusInternalServerError, "Internal Server Error", "internal"}

	faultNoChannel     = &fault{http.StatusNotFound, "Channel not found", "no_such_channel"}
	faultNoBridge      = &fault{http.StatusNotFound, "Bridge not found", "no_such_bridge"}
	faultNoEndpoint    = &fault{http.StatusNotFound, "Endpoint not found", "no_such_endpoint"}
	faultNoTechnology  = &fault{http.StatusNotFound, "No Endpoints found - invalid tech", "no_such_technology"}
	faultNoApplication = &fault{http.StatusNotFound, "Application not found", "no_such_application"}
	faultForeign       = &fault{http.StatusNotFound, faultNoApplication.words, "application_not_own"}
	faultNoSound       = &fault{http.StatusNotFound, "Sound not found", "no_such_sound"}
	faultNoSounds      = &fault{http.StatusNotFound, "No sounds found that matched the query", "no_sounds"}

	faultNoApp      = &fault{http.StatusBadRequest, "HTTP request is missing param: [app]", "no_application_named"}
	faultApp        = &fault{http.StatusBadRequest, "An application's name has letters, digits and -_.:@ alone, at most 64", "application_name"}
	faultUpgrade    = &fault{http.StatusUpgradeRequired, "Upgrade to a WebSocket is required", "no_upgrade"}
	faultHandshake  = &fault{http.StatusBadRequest, "The WebSocket's handshake is not one that is taken here", "handshake_refused"}
	faultInStream   = &fault{http.StatusForbidden, "This stream takes no requests", "request_in_stream"}
	faultClosedDoor = &fault{http.StatusServiceUnavailable, gate.CutShutdown.Error(), "shutdown"}
)

// asFault is an error as one that is answered. What the gate says of subjects that it does not know is a refusal of the credential.
func asFault(err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, gate.CutShutdown) {
		return faultClosedDoor
	}
	p := gate.AsProblem(err)
	status, ok := gateStatus[p.Kind]
	if !ok {
		return faultInternal
	}
	words := gateWords[p.Code]
	if words == "" {
		words = p.Text
	}
	return &fault{status, words, p.Code}
}

// gateStatus are the statuses of what the gate refuses.
var gateStatus = map[gate.Kind]int{
	gate.Invalid: http.StatusBadRequest, gate.Refused: http.StatusForbidden, gate.NotFound: http.StatusNotFound, gate.Conflict: http.StatusConflict,
	gate.Unavailable: http.StatusServiceUnavailable,
}

// gateWords are the texts of this door for what the gate refuses in words that lead to another door, or that Asterisk has some for.
var gateWords = map[string]string{
	gate.NotYourPhone:   "That is not one of your phones: endpoint is technology and name of one of yours",
	"no_such_employee":  faultNoChannel.words,
	"no_such_call":      faultNoChannel.words,
	"no_such_recording": faultNoRecording.words,
	"several_calls":     "There are several such calls; name one by its channel",
	"too_many":          "You have as many of those as may be: 8 channels, 8 bridges and 16 playbacks of one client, and twice as many of all that steer for one employee, who are 8 at most; let go of some first",
	"bad_reason":        reasonHeader + " is one line of text, at most 80 bytes",
	"bad_number":        "That is no number that may be dialled: give digits, with a plus before a country code",
	"already_recording": "Recording with the same name already exists on the system and can not be overwritten: that call is being recorded",
}

// message is Asterisk's form of an error.
func (f *fault) message() []byte {
	return append(mask.AppendString([]byte(`{"message":`), f.words), '}')
}
