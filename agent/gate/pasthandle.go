package gate

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"hash/fnv"

	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// What in the journal is known to a subject by a handle. Its way back is not to try all that there are, which may be millions: a handle is the two
// numbers of a place in the journal as one block of AES, under a key that the gate's secret makes for this subject and kind alone. So nobody can tell
// what is in it, whether two are of one call, or what another's would be; and one that was made up leads to a place where nothing is.
const (
	tagPast      = 'j'
	tagCursor    = 'n'
	tagRecording = 'a'
)

// pastHandleLen is how many characters one has.
const pastHandleLen = 26

func (g *Gate) pastBlock(kind byte, subject string) cipher.Block {
	t := g.private.tag(kind, subject)
	var key [16]byte
	binary.BigEndian.PutUint64(key[:8], t[0])
	binary.BigEndian.PutUint64(key[8:], t[1])
	b, _ := aes.NewCipher(key[:]) // fails for keys of other lengths only
	return b
}

func (g *Gate) closeHandle(kind byte, subject string, at journal.Cursor) string {
	began, n := at.Place()
	return g.sealNumbers(kind, subject, uint64(began), uint64(n))
}

func (g *Gate) sealNumbers(kind byte, subject string, a, b uint64) string {
	var room [16]byte
	binary.BigEndian.PutUint64(room[:8], a)
	binary.BigEndian.PutUint64(room[8:], b)
	g.pastBlock(kind, subject).Encrypt(room[:], room[:])
	return handleText.EncodeToString(room[:])
}

func (g *Gate) openHandle(kind byte, subject, handle string) (began, n int64, ok bool) {
	var room [20]byte
	if len(handle) != pastHandleLen {
		return 0, 0, false
	}
	if k, err := handleText.Decode(room[:], []byte(handle)); err != nil || k != 16 || handleText.EncodeToString(room[:16]) != handle { // its last two bits are spare
		return 0, 0, false
	}
	g.pastBlock(kind, subject).Decrypt(room[:16], room[:16])
	return int64(binary.BigEndian.Uint64(room[:8])), int64(binary.BigEndian.Uint64(room[8:16])), true
}

// recordingShift makes room for which of a row's recordings it is. Rows are numbered from one, and 2^48 of them are not written in a lifetime.
const recordingShift = 48

// recordingMark tells the few recordings of a row apart, whatever else is recorded of the call later: 15 bits of a sum over its id, which is random.
func recordingMark(r *journal.Recording) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.ID)) // never fails
	return int64(h.Sum32() >> 17)
}

// recordings are the row's: those that were made of its leg or of the other side's, and those of the whole call. Whether he may have one is decided
// over everybody who was on the call.
func (v *past) recordings() (list []mask.JournalRecording) {
	began, n := v.row.At.Place()
	own := v.ownRecordings()
	if len(own) == 0 {
		return nil
	}
	can, gap := v.mayHave()
	for _, k := range own {
		of := &v.row.Call.Recordings[k]
		r := mask.JournalRecording{State: mask.RecordingNoAccess}
		switch {
		case !of.Deleted.IsZero():
			r.State = mask.RecordingDeleted
		case len(can) > 0:
			if r.State, r.Can = mask.RecordingAvailable, can; of.Ended.IsZero() {
				r.State, r.Can = mask.RecordingRunning, nil
			}
			r.ID = v.gate.sealNumbers(tagRecording, v.employee, uint64(began), uint64(n|recordingMark(of)<<recordingShift))
		case gap:
			r.Reason = mask.RecordingGap
		}
		list = append(list, r)
	}
	return list
}

// ownRecordings are the places of the row's recordings among the call's.
func (v *past) ownRecordings() (places []int) {
	for k, r := range v.row.Call.Recordings {
		of := r.Leg == "" || r.Leg == v.row.Leg.ID
		for _, peer := range v.row.Leg.Peers {
			of = of || r.Leg == peer
		}
		if of {
			places = append(places, k)
		}
	}
	return places
}

// recording finds the recording of a handle with the row on which it was shown. What he may do to it is still to be decided.
func (r *pastReader) recording(ctx context.Context, handle string) (*past, *journal.Recording, error) {
	began, n, ok := r.gate.openHandle(tagRecording, r.employee, handle)
	if !ok {
		return nil, nil, noSuchRecording()
	}
	v, err := r.at(ctx, journal.CursorAt(began, n&(1<<recordingShift-1)))
	if err != nil {
		if AsProblem(err).Kind == NotFound {
			err = noSuchRecording()
		}
		return nil, nil, err
	}
	for _, k := range v.ownRecordings() {
		if of := &v.row.Call.Recordings[k]; recordingMark(of) == n>>recordingShift {
			return v, of, nil
		}
	}
	return nil, nil, noSuchRecording()
}

func noSuchRecording() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_recording", Text: "There is no such recording for you. Take its id from GET /v1/journal; ids end when Earshot is started anew."}
}
