# make demo          a company on a real Asterisk, with Earshot beside it, to try
# make demo TOUR=1   the same, walking through what Earshot is for by itself; fails if anything is not as it should be
# make test          all tests; the first time they fetch an Asterisk from Debian
# make check         format, vet, linters, import rules and known vulnerabilities
# make bench         the benchmarks of the hot paths
# make fuzz          every fuzz target for FUZZTIME (10s)

GO       ?= go
BIN      := bin
FUZZTIME ?= 10s

.PHONY: build demo test clean
build:
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/earshot ./cmd/earshot
	$(GO) build -trimpath -o $(BIN)/demo ./cmd/demo

demo: build
	@$(BIN)/demo -earshot $(BIN)/earshot $(if $(TOUR),-tour) $(if $(LOG),-log)

test:
	$(GO) test -race -timeout 9m ./...

clean:
	rm -rf $(BIN)
