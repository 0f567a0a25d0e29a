package auth

// ReadKeySet reads a key set and tells how many keys are of use, and how many were passed over.
func ReadKeySet(data []byte) (keys, skipped int, err error) {
	s, err := parseKeySet(data, "")
	if err != nil {
		return 0, 0, err
	}
	return len(s.keys), s.skipped, nil
}
