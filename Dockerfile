# The action's image: one static program and the CA certificates, nothing else.
# The release workflow publishes it, so that users pull 10 MB instead of building.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY cmd cmd
COPY internal internal
COPY templates templates
ARG TARGETOS TARGETARCH VERSION=dev
# No `go mod download` before: most modules are those of the tests.
# -trimpath, an empty build ID and the times make the same source the same bytes.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$VERSION" -o /out/appstack ./cmd/appstack \
 && ln -s appstack /out/appstack-post \
 && mkdir -p /out/etc/ssl/certs && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && find /out -exec touch --no-dereference --date=@0 {} +

FROM scratch
# GitHub requires that a container action runs as root: no USER.
# The runner passes post-entrypoint as one path without arguments: the program
# goes by the name that it is called by.
COPY --from=build /out/ /
ENTRYPOINT ["/appstack", "action"]
