package pbxtest

// Container is where the demo's Asterisk listens when it runs in a container: fixed ports, phones from outside, AMI and ARI on the loopback
// that it shares with Earshot, and no account but Earshot's. Two RTP ports serve a phone in a call; they are
// few, since each is published.
var Container = Site{
	Host: host, SIP: 5060, AMI: 5038, HTTP: 8088, RTPFirst: 10000, RTPLast: 10099,
	Earshot: Account{"earshot", "earshot-secret"}, Address: "/run/asterisk/address.conf",
}

// InstalledFiles are the configuration files of the Plan by name for an Asterisk that a Debian package has installed, asterisk.conf included:
// its directories are where the package has them. The folder testdata/pbx holds those of Demo in Container.
func (p *Plan) InstalledFiles(s Site) (map[string]string, error) {
	files, err := p.Files(s)
	if err != nil {
		return nil, err
	}
	files["asterisk.conf"] = options
	for name, text := range files {
		files[name] = "; Written by `go generate ./agent/pbxtest` from the plan of the demo.\n" + text
	}
	return files, nil
}
