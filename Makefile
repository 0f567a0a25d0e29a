# make demo          a company on a real Asterisk, with Earshot beside it, to try
# make demo TOUR=1   the same, walking through what Earshot is for by itself; fails if anything is not as it should be
# make demo-cluster  the same company with three PBXs, an Earshot beside each, and a Redis; TOUR=1 as above, with what it measures in the end
# make test          all tests; the first time they fetch an Asterisk from Debian
# make test-16       the tests on a real PBX once more, on Asterisk 16; the first time they fetch it from Debian
# make test-clients  AMI and ARI client libraries that others wrote, unmodified, at the doors of an Earshot on a real PBX; the first time they are fetched
# make test-faults   what goes wrong beside and below Earshot, on a real PBX: full disks, floods of connections, no file descriptors left, peers that stand still
# make test-attacks  the attack cases of all doors against an Earshot on a real PBX, spelled otherwise in every way, checked at the sockets to Asterisk
# make pbx           starts an Asterisk that the tests of one package after another use again, and prints what tells them; make pbx-end ends it
# make check         format, vet, linters, the layout of the packages, go.mod
# make bench         the benchmarks of the hot paths, each beside its floor; fails when one allocates more than it may
# make bench STRICT=1  the same; fails when one takes longer than it may, too. For a machine with nothing else to do
# make bench-peers   Earshot beside what one would take in its place, on the same work in one run: Casbin, cedar-go, OPA, sonic and others; STRICT=1 as above
# make bench-pbx     on a real Asterisk: what panels on Earshot cost beside panels on Asterisk, times, memory, growth; PART= one part alone, QUICK=1 to try
# make campaign-earshot  who may not be heard joins calls that are listened to, in each way CAMPAIGN times (20), and spies are ended: figures
# make campaign-journal  figures of a million past calls, each within a second, and equal to a count; takes some minutes
# make campaign-fanout  1,000 and 300 AMI panels and 1,000 events a second at an even pace: CPU for each delivery beside one write each, and how late; fails above its limits
# make soak          people, panels and outages at random for SOAK (1h) on a real Asterisk, by a seed that is printed; SEED=… does it again, SEED=kept plays cmd/soak/seeds.txt
# make fuzz          every fuzz target for FUZZTIME (10s)
# make campaign-revoke  how long it takes until a supervision has ended whose ground is gone, a hundred at a time; fails when it takes too long
# make install       what a machine with systemd needs, under DESTDIR and PREFIX (/usr/local); what is configured already stays as it is
# make screenshots   the pictures of the panel page in testdata/screenshots, taken anew in a real browser
# make licences      the tables of licences in deploy/supply, anew
# make vulnerabilities  what Go's vulnerability database knows of what the program calls; VULNDB=FOLDER reads a checkout of golang/vulndb instead of asking
# make reproduce     builds the program of the commit twice, in two folders; fails unless both are the same bytes
# make cover         which lines the tests run, by function; bin/cover.out for go tool cover -html
#
# .ci/run does check, test, test-clients, fuzz and reproduce, as a machine does it for each commit.

GO       ?= go
BIN      := bin
FUZZTIME ?= 10s
CAMPAIGN ?= 20
LINT     := $(GO) tool -modfile=$(CURDIR)/.ci/tools/go.mod golangci-lint

PREFIX   ?= /usr/local

.PHONY: build earshot install demo demo-cluster pbx pbx-end test test-16 test-clients check bench campaign-earshot campaign-revoke campaign-fanout campaign-journal fuzz screenshots supply licences vulnerabilities reproduce cover bench-peers test-faults soak test-attacks bench-pbx clean
build: earshot
	$(GO) build -trimpath -o $(BIN)/demo ./cmd/demo

earshot:
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/earshot ./cmd/earshot

# Files that somebody may have changed are not written over. Whose they are to be say earshot.sysusers.conf and earshot.tmpfiles.conf, which
# systemd-sysusers and systemd-tmpfiles carry out; until then they are of who installs.
install: export SHARE := $(DESTDIR)$(PREFIX)/share/earshot
install: export LIB := $(DESTDIR)$(PREFIX)/lib
install: export ETC := $(DESTDIR)/etc
install: export STATE := $(DESTDIR)/var/lib/earshot
install: earshot supply
	install -D -m 0755 $(BIN)/earshot $(DESTDIR)$(PREFIX)/bin/earshot
	install -D -m 0644 deploy/systemd/earshot.service "$$LIB/systemd/system/earshot.service"
	install -D -m 0644 deploy/systemd/earshot.sysusers.conf "$$LIB/sysusers.d/earshot.conf"
	install -D -m 0644 deploy/systemd/earshot.tmpfiles.conf "$$LIB/tmpfiles.d/earshot.conf"
	install -D -m 0644 deploy/logrotate/earshot "$$ETC/logrotate.d/earshot"
	sed -i 's|/usr/local/bin/|$(PREFIX)/bin/|' "$$LIB/systemd/system/earshot.service" "$$ETC/logrotate.d/earshot"
	install -D -m 0644 -t "$$SHARE" deploy/earshot.example.yaml
	$(BIN)/supply texts "$$SHARE/licences.txt"
	install -D -m 0644 -t "$$SHARE/asterisk" deploy/asterisk/*.conf
	install -D -m 0644 -t "$$SHARE/prometheus" deploy/prometheus/*
	install -D -m 0644 -t "$$SHARE/grafana" deploy/grafana/dashboards/*.json
	install -d -m 0750 "$$ETC/earshot"
	install -d -m 0700 "$$ETC/earshot/secrets" "$$STATE"
	@set -e; umask 077; \
	for f in earshot.yaml policy.yaml; do [ -e "$$ETC/earshot/$$f" ] || install -m 0640 deploy/systemd/$$f "$$ETC/earshot/$$f"; done; \
	for f in ami ari; do [ -e "$$ETC/earshot/secrets/$$f" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$$ETC/earshot/secrets/$$f"; done; \
	[ -e "$$STATE/tokens.yaml" ] || echo '[]' >"$$STATE/tokens.yaml"

demo: build
	@$(BIN)/demo -earshot $(BIN)/earshot $(if $(TOUR),-tour) $(if $(LOG),-log)

demo-cluster: build
	@$(BIN)/demo -cluster -earshot $(BIN)/earshot $(if $(TOUR),-tour) $(if $(LOG),-log)

# The folder has a short path, for Asterisk's socket.
KEPT := $(or $(XDG_RUNTIME_DIR),$(HOME)/.cache)/earshot-pbx
pbx:
	@$(GO) run ./cmd/demo -keep $(KEPT)

pbx-end:
	@$(GO) run ./cmd/demo -end $(KEPT)

# PEERS measures beside libraries that are no dependency of ours.
PEERS := testdata/peers

# The race detector is linked with a C compiler.
test:
	@.ci/compiler
	@$(GO) run ./cmd/demo -fetch
	@GO=$(GO) .ci/test
	CGO_ENABLED=1 $(GO) -C .ci/benchtable test -race ./...
	$(GO) -C .ci/containers test ./...
	$(GO) -C .ci/supply test ./...
	$(GO) -C $(PEERS) test ./...
	$(GO) -C $(BENCHPBX) test ./...

# One package after the other: sound is measured. What cannot be fetched, and an Asterisk that is no 16, fails.
test-16: export EARSHOT_ASTERISK := 16
test-16:
	@$(GO) run ./cmd/demo -fetch
	$(GO) test -count=1 -p 1 -timeout 15m ./agent/pbxtest/... ./agent/pbx ./agent/doctor ./agent ./cmd/earshot

# They are behind a build tag, since they need more than an Asterisk from outside: Node.js, Python and Perl from Debian, npm's registry, and modules
# that are none of ours. A run that finds no test passes, so they are looked for first.
test-clients:
	@$(GO) run ./cmd/demo -fetch
	@for kind in AMI ARI; do $(GO) test -tags clients -list "^Test$${kind}Libraries" ./agent | grep -q "^Test" || { echo "no test of $$kind client libraries is found"; exit 1; }; done
	$(GO) test -tags clients -count=1 -timeout 15m -run '^TestA[MR]ILibraries' ./agent

# They are behind a build tag, since each takes seconds and files, memory and ports of the machine for itself. One after the other.
test-faults:
	@.ci/compiler
	@$(GO) run ./cmd/demo -fetch
	@for part in Disk Crowd AHalfOpen HalfOpenRequests AnEarshotThatEndsW AnEarshotThatEndsA ASnoopThat APBXThatLies APBXThatStandsStill APBXThatAnswersSlowly ThePBXsClock; do $(GO) test -tags faults -list "^TestFault$${part}" ./agent | grep -q "^Test" || { echo "no test of a fault of kind $$part is found"; exit 1; }; done
	$(GO) test -tags faults -count=1 -timeout 20m -run '^TestFault' ./agent

# They are behind a build tag, as they take minutes. Of the doors over a PBX that takes orders and does nothing, every mutant is tried; of those are many
# thousands. A run that finds no test passes, so they are looked for first.
test-attacks:
	@$(GO) run ./cmd/demo -fetch
	@for what in AMIDoor ARIDoor HTTPDoor PhoneDoor ForgedEvents; do $(GO) test -tags attacks -list "^Test.*$${what}UnderAttack$$" ./agent | grep -q "^Test" || { echo "no attack on $$what is found"; exit 1; }; done
	@for door in amiproxy ariproxy; do $(GO) test -list "^TestNoMutantOfAnAttackGetsMore$$" ./agent/$$door | grep -q "^Test" || { echo "no mutants are tried at $$door"; exit 1; }; done
	$(GO) test -count=1 -timeout 10m -run '^(TestNoMutantOfAnAttackGetsMore|TestAnAttackInTwoPiecesIsTheSame|TestAMutantOfACredentialIsNobodyElses)$$' ./agent/amiproxy ./agent/ariproxy -mutants
	$(GO) test -tags attacks -count=1 -timeout 15m -run 'UnderAttack$$' ./agent

# CLIENT drives a client library in Go, which is no dependency of ours.
CLIENT := testdata/clients/cycoresystems-ari

# The test of the layout is named, so that it cannot go missing: a run that finds no test passes.
check: supply
	@echo "gofmt"; out=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .) && test -z "$$out" || { echo "not formatted:"; echo "$$out"; exit 1; }
	$(GO) vet -tags clients,faults,attacks ./...
	$(LINT) run
	cd .ci/benchtable && $(LINT) run --no-config
	cd .ci/containers && $(LINT) run --no-config
	cd .ci/supply && $(LINT) run --no-config
	cd $(CLIENT) && $(LINT) run --no-config
	cd $(PEERS) && $(LINT) run --no-config
	cd $(BENCHPBX) && $(LINT) run --no-config
	@echo "imports"; out=$$($(GO) test -count=1 -v -run '^TestImportsStayWithinTheTable$$' ./agent) && echo "$$out" | grep -q '^--- PASS: TestImports' || { echo "$$out"; exit 1; }
	$(BIN)/supply licences -check $(SUPPLY)
	$(GO) mod tidy -diff
	cd .ci/tools && $(GO) mod tidy -diff
	cd .ci/benchtable && $(GO) mod tidy -diff
	cd .ci/containers && $(GO) mod tidy -diff
	cd .ci/supply && $(GO) mod tidy -diff
	cd $(CLIENT) && $(GO) mod tidy -diff
	cd $(PEERS) && $(GO) mod tidy -diff
	cd $(BENCHPBX) && $(GO) mod tidy -diff

bench:
	@.ci/bench $(if $(STRICT),-strict)

# What it prints is in bin/peers.md as a table for a page too.
bench-peers:
	@mkdir -p $(BIN)
	@$(GO) -C $(PEERS) build -o $(CURDIR)/$(BIN)/peers . && cd $(PEERS) && $(CURDIR)/$(BIN)/peers -markdown $(CURDIR)/$(BIN)/peers.md $(if $(STRICT),-strict)
# Pictures of a trial, or of one part alone, are not those of the README.
BENCHPBX := testdata/pbxbench
bench-pbx: earshot
	@$(GO) run ./cmd/demo -fetch
	@$(GO) -C $(BENCHPBX) build -o $(CURDIR)/$(BIN)/pbxbench .
	@$(if $(QUICK),,mkdir -p testdata/plots)
	@$(BIN)/pbxbench -earshot $(BIN)/earshot -out $(BIN) -plots $(if $(QUICK),$(BIN),testdata/plots) $(if $(PART),-part $(PART)) $(if $(QUICK),-quick)

campaign-earshot:
	$(GO) run ./cmd/demo -fetch
	$(GO) test -count=1 -timeout 30m -v -run '^(TestAnExcludedPersonWhoJoinsEndsASupervision|TestASpyIsEndedWithinTwentyMilliseconds)$$' ./agent -joins $(CAMPAIGN)

# Without the race detector, so that Earshot is what is installed; with RACE=1 it looks for races instead.
soak: SOAK ?= 1h
soak: SEED ?= random
soak: earshot
	@$(GO) run ./cmd/demo -fetch
	$(if $(RACE),CGO_ENABLED=1 $(GO) build -race -o $(BIN)/earshot ./cmd/earshot)
	$(GO) build -o $(BIN)/soak ./cmd/soak
	@$(BIN)/soak -earshot $(BIN)/earshot -seed $(SEED) -for $(SOAK)

fuzz:
	@.ci/fuzz $(FUZZTIME)

# With nothing else to do, and without the race detector: times are what it is about.
campaign-revoke:
	@$(GO) run ./cmd/demo -fetch
	EARSHOT_CAMPAIGN=1 $(GO) test -count=1 -v -timeout 9m -run '^(TestAHundredSupervisionsAreEndedInTime|TestManySupervisionsFallSilentInTime)$$' ./agent/gate ./agent

# With nothing else to do, and without the race detector.
campaign-fanout:
	EARSHOT_CAMPAIGN=1 $(GO) test -count=1 -v -timeout 9m -run '^TestPacedFanOut$$' ./ami

campaign-journal:
	$(GO) test -count=1 -v -timeout 20m -run '^TestFiguresOfManyCalls$$' ./agent/journal -calls 1000000

SUPPLY := deploy/supply/README.md
supply:
	@mkdir -p $(BIN)
	$(GO) -C .ci/supply build -o $(abspath $(BIN))/supply .

licences: supply
	$(BIN)/supply licences $(SUPPLY)

vulnerabilities: supply
	$(BIN)/supply vulnerabilities $(if $(VULNDB),-db $(VULNDB))

reproduce:
	@.ci/reproduce

screenshots:
	@mkdir -p testdata/screenshots
	$(GO) test -count=1 -run '^TestThePageCanBePhotographed$$' ./agent/httpapi -screenshots $(CURDIR)/testdata/screenshots

cover:
	@mkdir -p $(BIN)
	$(GO) test -timeout 9m -coverprofile=$(BIN)/cover.out -coverpkg=./agent/...,./ami/...,./ari/...,./policy/...,./cmd/earshot/... ./...
	$(GO) tool cover -func=$(BIN)/cover.out

clean:
	rm -rf $(BIN)
