package clients

// ReadAnswer reads an answer as a source does whose system tells employees' ids.
func ReadAnswer(f Fields, data []byte) (Client, bool, error) { return f.read(data, mapping{}) }

// ParseHook reads a webhook's body.
func ParseHook(contentType string, body []byte) (token string, numbers []string, all bool, err error) {
	h, err := parseHook(contentType, body)
	return h.Token, h.Numbers, h.All, err
}
