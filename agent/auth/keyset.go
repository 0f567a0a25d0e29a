package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

const (
	maxKeySet  = 1 << 20 // bytes of a key set's text
	maxKeys    = 256
	minRSABits = 2048 // RFC 7518, section 3.3
	maxRSABits = 8192 // checking a signature takes the longer the longer the key is
)

// publicKey is a key by which signatures are checked, and the algorithms that it is for. Which these are follows from the key and never
// from a token, so that no token can have a key taken for something else.
type publicKey struct {
	kid        string
	key        crypto.PublicKey
	algorithms []string
	id         [32]byte // of the key among all that anybody may trust
}

// keySet is what a provider has published: a JWK Set (RFC 7517, section 5).
type keySet struct {
	keys    []publicKey
	ids     map[[32]byte]bool
	skipped int // keys that are not for us: of other kinds, for other uses, malformed
}

// find returns the key for a token: that of the kid which the token names, or the only one that there is for the algorithm when it names
// none (RFC 7515, section 4.1.4 makes kid optional).
func (s *keySet) find(kid, algorithm string) (publicKey, bool) {
	var found publicKey
	n := 0
	for _, k := range s.keys {
		if (kid == "" || k.kid == kid) && slices.Contains(k.algorithms, algorithm) {
			if n++; n == 1 {
				found = k
			}
		}
	}
	return found, n == 1 || n > 1 && kid != ""
}

// jwk is one key as the provider writes it (RFC 7518, section 6; RFC 8037, section 2). What else it may say of a key is not needed to
// check a signature; certificates neither, since the set itself came from where it is trusted.
type jwk struct {
	Kty, Kid, Use, Alg, Crv string
	KeyOps                  []string `json:"key_ops"`
	N, E, X, Y              string
	D, K                    json.RawMessage // the secret half, which nobody publishes
}

// parseKeySet reads a JWK Set. A key that is not for checking signatures, or that cannot be read, is passed over, as RFC 7517 wants it; a
// set that has keys and none of use is an error, and so is what is no set. An empty set is one: the provider stands by no key.
// Salt makes the ids of one provider's keys differ from another's.
func parseKeySet(data []byte, salt string) (*keySet, error) {
	var doc struct{ Keys *[]json.RawMessage }
	if err := json.Unmarshal(data, &doc); err != nil || doc.Keys == nil {
		return nil, errors.New("this is no JWK Set: a JSON object with a list of keys belongs here")
	}
	if len(*doc.Keys) > maxKeys {
		return nil, fmt.Errorf("the set has more than %d keys", maxKeys)
	}
	s := &keySet{ids: make(map[[32]byte]bool)}
	for _, text := range *doc.Keys {
		var j jwk
		if json.Unmarshal(text, &j) != nil {
			s.skipped++
			continue
		}
		key, algorithms := j.public()
		if key == nil {
			s.skipped++
			continue
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			s.skipped++
			continue
		}
		k := publicKey{kid: j.Kid, key: key, algorithms: algorithms, id: sha256.Sum256(append([]byte(salt+"\x00"), der...))}
		s.keys = append(s.keys, k)
		s.ids[k.id] = true
	}
	if len(s.keys) == 0 && s.skipped > 0 {
		return nil, fmt.Errorf("none of the %d keys in the set is one by which signatures can be checked", s.skipped)
	}
	return s, nil
}

// public returns the key with the algorithms that it may check, or nothing.
func (j *jwk) public() (crypto.PublicKey, []string) {
	if j.Use != "" && j.Use != "sig" || j.KeyOps != nil && !slices.Contains(j.KeyOps, "verify") || j.D != nil || j.K != nil {
		return nil, nil
	}
	var key crypto.PublicKey
	var algorithms []string
	switch {
	case j.Kty == "RSA":
		key, algorithms = j.rsa(), []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case j.Kty == "EC" && j.Crv == "P-256":
		key, algorithms = j.ecdsa(elliptic.P256()), []string{"ES256"}
	case j.Kty == "EC" && j.Crv == "P-384":
		key, algorithms = j.ecdsa(elliptic.P384()), []string{"ES384"}
	case j.Kty == "EC" && j.Crv == "P-521":
		key, algorithms = j.ecdsa(elliptic.P521()), []string{"ES512"}
	case j.Kty == "OKP" && j.Crv == "Ed25519":
		key, algorithms = j.ed25519(), []string{"EdDSA"}
	}
	if key == nil {
		return nil, nil
	}
	if j.Alg != "" {
		if j.Alg == "Ed25519" {
			j.Alg = "EdDSA" // RFC 9864 gives it the name of the curve
		}
		if !slices.Contains(algorithms, j.Alg) {
			return nil, nil
		}
		algorithms = []string{j.Alg}
	}
	return key, algorithms
}

func (j *jwk) rsa() crypto.PublicKey {
	n, err1 := base64.RawURLEncoding.DecodeString(j.N)
	e, err2 := base64.RawURLEncoding.DecodeString(j.E)
	if err1 != nil || err2 != nil || len(n) > maxRSABits/8+1 || len(e) > 4 {
		return nil
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits || key.N.Bit(0) == 0 || key.E < 3 || key.E%2 == 0 || key.E > 1<<31-1 {
		return nil
	}
	return key
}

func (j *jwk) ecdsa(curve elliptic.Curve) crypto.PublicKey {
	size := (curve.Params().BitSize + 7) / 8
	x, err1 := base64.RawURLEncoding.DecodeString(j.X)
	y, err2 := base64.RawURLEncoding.DecodeString(j.Y)
	if err1 != nil || err2 != nil || len(x) != size || len(y) != size {
		return nil
	}
	// It refuses what is no point of the curve.
	key, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil
	}
	return key
}

func (j *jwk) ed25519() crypto.PublicKey {
	x, err := base64.RawURLEncoding.DecodeString(j.X)
	if err != nil || len(x) != ed25519.PublicKeySize {
		return nil
	}
	return ed25519.PublicKey(x)
}
