package gate

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// sealing makes words of secrets which tell nothing, and which nobody can make who does not have the key: a word is an HMAC over what is in it and
// over for whom it is, and that, enciphered under it (a synthetic initialisation vector; RFC 5297 has the idea). The same secret for the same one is
// the same word, for as long as the key is.
type sealing struct {
	mac   []byte
	block cipher.Block
}

const tagLen = 16

func newSealing(key []byte, what string) *sealing {
	derive := func(of string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte("earshot " + what + " " + of))
		return m.Sum(nil)
	}
	block, err := aes.NewCipher(derive("cipher"))
	if err != nil {
		panic(err) // fails for keys of other lengths only
	}
	return &sealing{derive("mac"), block}
}

func (s *sealing) tag(whose string, plain []byte) []byte {
	m := hmac.New(sha256.New, s.mac)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(whose)))
	m.Write(n[:])
	m.Write([]byte(whose))
	m.Write(plain)
	return m.Sum(nil)[:tagLen]
}

func (s *sealing) seal(whose string, plain []byte) string {
	out := make([]byte, tagLen+len(plain))
	copy(out, s.tag(whose, plain))
	cipher.NewCTR(s.block, out[:tagLen]).XORKeyStream(out[tagLen:], plain)
	return handleText.EncodeToString(out)
}

// open is the way back; false for every word that was not made for this one with this key, in this very form.
func (s *sealing) open(whose, word string) ([]byte, bool) {
	raw, err := handleText.DecodeString(word)
	if err != nil || len(raw) < tagLen || handleText.EncodeToString(raw) != word {
		return nil, false
	}
	plain := make([]byte, len(raw)-tagLen)
	cipher.NewCTR(s.block, raw[:tagLen]).XORKeyStream(plain, raw[tagLen:])
	return plain, hmac.Equal(s.tag(whose, plain), raw[:tagLen])
}
