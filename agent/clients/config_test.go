package clients_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/strict"
)

func decoded(t *testing.T, text string) clients.Config {
	t.Helper()
	var c clients.Config
	if _, err := strict.Decode("c.yaml", []byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEachFaultOfAConfigurationIsNamedWithItsKey(t *testing.T) {
	const crm = "sources: [{name: crm, http: {url: \"https://crm.test/?n={digits}\", fields: {found: a, name: b}"
	const one = "sources[0]: exactly one of file, csv, http and pushed is required, and http needs url, url_file or recipe"
	const placeholders = "the number stands there as one of {e164}, {digits}, {national}, {trunk}"
	for name, tc := range map[string]struct{ text, want string }{
		"a region":             {"region: russia", "region: two capital letters as in ISO 3166 belong here, such as RU or DE"},
		"a prefix":             {`prefixes: ["9", "x"]`, `prefixes[1]: a prefix has 1 to 6 of the signs 0123456789*#, such as "9" or "*67"`},
		"a prefix twice":       {`prefixes: ["9", "9"]`, "prefixes[1]: this prefix stands there already"},
		"no source":            {"sources: [{name: a}]", one},
		"two sources":          {"sources: [{name: a, file: b, csv: {file: c}}]", one},
		"no name":              {"sources: [{file: b}]", "sources[0].name: a name of 1 to 32 lower-case letters, digits and hyphens is required, such as crm"},
		"a name twice":         {"sources: [{name: a, file: b}, {name: a, file: c}]", "sources[1].name: another source has this name"},
		"a file twice":         {"sources: [{name: a, file: b}, {name: b, csv: {file: b}}]", "sources[1]: another source has this file"},
		"pushed twice":         {"sources: [{name: a, pushed: {file: b, token_file: d}}, {name: b, pushed: {file: c, token_file: e}}]", "sources[1].pushed: sources[0] takes what is pushed already; there can be one"},
		"pushed without file":  {"sources: [{name: a, pushed: {max: 5, token_file: d}}]", "sources[0].pushed.file: the path of a file is required, which Earshot makes and writes"},
		"pushed by anybody":    {"sources: [{name: a, pushed: {file: b}}]", "sources[0].pushed.token_file: the path of a file is required that holds the token by which the CRM is known, alone"},
		"too few pushed":       {"sources: [{name: a, pushed: {file: b, token_file: d, max: -1}}]", "sources[0].pushed.max: between 1 and 10000000"},
		"CSV without file":     {"sources: [{name: a, csv: {columns: {name: b}}}]", "sources[0].csv.file: the path of the file is required"},
		"a column of no name":  {`sources: [{name: a, csv: {file: b, columns: {number: [""]}}}]`, "sources[0].csv.columns.number: the name of a column belongs here"},
		"a pattern":            {"sources: [{name: a, csv: {file: b, employees: {pattern: anna}}}]", `sources[0].csv.employees.pattern: a regular expression with one group, which is the employee's id, belongs here, such as 'OFFICE\\(\w+)'`},
		"an empty employee":    {`sources: [{name: a, csv: {file: b, employees: {ids: {"7": ""}}}}]`, "sources[0].csv.employees.ids: an employee's id belongs beside each"},
		"a recipe":             {"sources: [{name: a, http: {recipe: bitrix, url: \"https://x/\"}}]", "sources[0].http.recipe: the recipes are 1c and bitrix24; leave the key out for another system"},
		"a recipe alone":       {"sources: [{name: a, http: {recipe: bitrix24}}]", "sources[0].http.url: an address is required, here or in url_file"},
		"two addresses":        {"sources: [{name: a, http: {recipe: 1c, url: \"https://x/\", url_file: b}}]", "sources[0].http.url_file: the address stands in url or in url_file, not in both"},
		"no number":            {strings.Replace(crm, "{digits}", "7", 1) + "}}]", "sources[0].http.url: " + placeholders + ", in url or in body"},
		"an unknown form":      {strings.Replace(crm, "{digits}", "{phone}", 1) + "}}]", "sources[0].http.url: " + placeholders},
		"a number as host":     {strings.Replace(crm, "crm.test", "{digits}.test", 1) + "}}]", "sources[0].http.url: the number stands in the path or in what is asked, never in the host"},
		"a lost brace":         {strings.Replace(crm, "{digits}", "{digits}}", 1) + "}}]", "sources[0].http.url: it must be an address such as https://crm.example.com/clients?phone={digits}"},
		"no address":           {strings.Replace(crm, "https://crm.test", "crm.test", 1) + "}}]", "sources[0].http.url: it must be an address such as https://crm.example.com/clients?phone={digits}"},
		"a password":           {strings.Replace(crm, "crm.test", "a:b@crm.test", 1) + "}}]", "sources[0].http.url: it must hold no credentials; put them into headers_file as an Authorization header"},
		"a fragment":           {strings.Replace(crm, "{digits}", "{digits}#x", 1) + "}}]", "sources[0].http.url: it must have no #"},
		"plain HTTP":           {strings.Replace(crm, "https:", "http:", 1) + "}}]", "sources[0].http.url: it must be https, or everybody on the way reads who calls and could answer in the CRM's place; allow_http: true where the network is your own"},
		"a method":             {crm + ", method: PUT}}]", "sources[0].http.method: GET or POST"},
		"a GET with a body":    {crm + ", method: GET, body: \"{}\"}}]", "sources[0].http.body: a GET has no body"},
		"a body":               {crm + ", body: \"phone={digits}\"}}]", `sources[0].http.body: it must be JSON, such as {"phone": "{digits}"}`},
		"a form in the body":   {crm + ", body: \"{\\\"a\\\": \\\"{tel}\\\"}\"}}]", "sources[0].http.body: " + placeholders},
		"no fields":            {"sources: [{name: crm, http: {url: \"https://crm.test/?n={digits}\"}}]", "sources[0].http.fields: fields.found is required: where the answer says whether there is such a client\nsources[0].http.fields: fields.name or fields.responsible is required, or nothing is learnt"},
		"a query":              {strings.Replace(crm, "found: a", "found: \"a.#(b==1)\"", 1) + "}}]", "sources[0].http.fields.found: keys with dots between belong here, such as client.name or result.0.NAME"},
		"a modifier":           {strings.Replace(crm, "name: b", "name: \"a.@reverse\"", 1) + "}}]", "sources[0].http.fields.name: keys with dots between belong here, such as client.name or result.0.NAME"},
		"a path with a gap":    {strings.Replace(crm, "name: b", "name: a..b", 1) + "}}]", "sources[0].http.fields.name: keys with dots between belong here, such as client.name or result.0.NAME"},
		"a literal":            {strings.Replace(crm, "name: b", "responsible: \"!anna\"", 1) + "}}]", "sources[0].http.fields.responsible: keys with dots between belong here, such as client.name or result.0.NAME"},
		"a status":             {crm + ", absent_status: 500}}]", "sources[0].http.absent_status: a status from 400 to 499 belongs here, such as 404"},
		"a time-out":           {crm + ", timeout: 2m}}]", "sources[0].http.timeout: between 100ms and 1m0s"},
		"a time to live":       {crm + ", ttl: 1ms, miss_ttl: 1000h}}]", "sources[0].http.ttl: between 1s and 168h0m0s\nsources[0].http.miss_ttl: between 1s and 168h0m0s"},
		"a breaker":            {crm + ", breaker: {failures: -1, pause: 2h}}}]", "sources[0].http.breaker.pause: between 100ms and 1h0m0s\nsources[0].http.breaker.failures: between 1 and 1000"},
		"bounds":               {crm + ", max_bytes: 10, concurrency: 1000, queue: -1, redirects: 11}}]", "sources[0].http.max_bytes: between 1024 and 16777216\nsources[0].http.concurrency: between 1 and 100\nsources[0].http.queue: between 1 and 100000\nsources[0].http.redirects: between 0 and 10"},
		"all at once":          {"region: x\nsources: [{name: A, file: b}]", "region: two capital letters as in ISO 3166 belong here, such as RU or DE\nsources[0].name: a name of 1 to 32 lower-case letters, digits and hyphens is required, such as crm"},
		"more than are useful": {"sources: [" + strings.Repeat("{},", 17) + "]", ""},
	} {
		c := decoded(t, tc.text)
		var got []string
		for _, f := range c.Faults() {
			got = append(got, f.Error())
		}
		if all := strings.Join(got, "\n"); tc.want != "" && all != tc.want || all == "" {
			t.Errorf("%s:\n%s\nwant\n%s", name, all, tc.want)
		}
		if s, err := clients.New(c, clients.Environment{}); err == nil || s != nil {
			t.Errorf("%s: New takes it", name)
		}
	}
}

// The example is what administrators copy: it must hold, and say the defaults as they are.
func TestTheExampleHoldsAndNamesEveryKey(t *testing.T) {
	c := decoded(t, clients.ConfigExample)
	if faults := c.Faults(); len(faults) > 0 {
		t.Fatalf("%v", faults[0])
	}
	for _, key := range clients.ConfigKeys() {
		if !strings.Contains(clients.ConfigExample, key+":") {
			t.Errorf("%s is not in the example", key)
		}
	}
	dir := t.TempDir()
	for _, p := range c.Paths() {
		if *p == "" {
			continue
		}
		*p = filepath.Join(dir, *p)
		text := map[string]string{
			".yaml": "- {number: \"+79161234567\", name: Vera, responsible: anna}\n", ".csv": "Телефон;Мобильный;Наименование;Ответственный;Доступ\n89261112233;;Лютик;Петрова Анна;\n",
			"-url": "https://company.bitrix24.ru/rest/1/s3cret/\n", "-headers": "Authorization: Bearer x\n", "-token": "a-t0ken-that-is-l0ng\n", ".pem": "",
		}
		for end, content := range text {
			if strings.HasSuffix(*p, end) && os.WriteFile(*p, []byte(content), 0o600) != nil {
				t.Fatal("cannot write")
			}
		}
	}
	for i := range c.Sources {
		c.Sources[i].HTTP.CAFile = "" // an authority of one's own is not made so easily
	}
	directories, err := c.Check()
	if err != nil || len(directories) != 2 || directories[0].Len()+directories[1].Len() != 2 {
		t.Fatalf("%d directories, %v", len(directories), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), ".jsonl") }) {
		t.Errorf("Check makes the file of what is pushed: %v", err)
	}
	s, changes := openSources(t, c, clients.Environment{Transport: within(answer(`{"result":[]}`))})
	if client, a := s.Find(vera); a != clients.Found || client.Responsible != "anna" || len(changes) > 0 {
		t.Errorf("%v", a)
	}
}

func TestCheckFindsWhatIsWrongInEveryFile(t *testing.T) {
	h := plain()
	h.HeadersFile, h.Webhook.TokenFile = file(t, "no header\n"), filepath.Join(t.TempDir(), "gone")
	bitrix := clients.HTTP{Recipe: "bitrix24", URLFile: file(t, "http://crm.test/rest/1/s3cret/\n")}
	ca := plain()
	ca.CAFile = file(t, "no certificate\n")
	c := clients.Config{Sources: []clients.SourceConfig{
		{Name: "a", File: file(t, "oops")}, {Name: "b", CSV: clients.CSVFile{File: file(t, "")}}, {Name: "c", HTTP: h}, {Name: "d", HTTP: bitrix},
		{Name: "e", HTTP: ca}, {Name: "f", Pushed: clients.PushedConfig{File: file(t, "{}\n"), TokenFile: file(t, "too short\n")}},
	}}
	directories, err := c.Check()
	if len(directories) > 0 || err == nil || !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "s3cret") {
		t.Fatalf("%d directories, %v", len(directories), err)
	}
	for _, want := range []string{
		":1:1: a map with the keys region, clients belongs here", ":1:1: the file is empty; its first row names the columns", "clients: c: headers_file: ", "webhook.token_file: ",
		"clients: d: url_file: ", "it must be https", "clients: e: ca_file: ", "certificates in PEM belong there", ":1: this is no file of pushed clients", "clients: f: pushed.token_file: ", "at least 16 letters, digits and signs of ASCII",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	if _, err2 := clients.New(c, clients.Environment{}); err2 == nil {
		t.Error("New takes it")
	}
}
