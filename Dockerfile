# Earshot alone: one static binary that runs as nobody on a file system it cannot write, except for its own folder.
#   docker build --build-arg VERSION=v1.2.3 -t earshot .
FROM golang:1.26-trixie AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.release=$VERSION" -o /out/earshot ./cmd/earshot
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go -C .ci/supply build -o /out/supply . && /out/supply texts /out/licences.txt
# What a new volume on /var/lib/earshot begins with: nobody has a token.
RUN mkdir -p /out/lib && umask 077 && mkdir /out/lib/earshot && echo '[]' >/out/lib/earshot/tokens.yaml

FROM scratch
# Time zones are in the binary.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/earshot /usr/local/bin/earshot
COPY --from=build /out/licences.txt /usr/share/earshot/
# Tokens, audit log and journal: all that is ever written.
COPY --from=build --chown=65534:65534 /out/lib/ /var/lib/
USER 65534:65534
EXPOSE 8080 9090
HEALTHCHECK --interval=5s --timeout=6s --start-period=30s \
    CMD ["/usr/local/bin/earshot", "check", "--running", "--config", "/etc/earshot/earshot.yaml"]
ENTRYPOINT ["/usr/local/bin/earshot"]
CMD ["run", "--config", "/etc/earshot/earshot.yaml"]
